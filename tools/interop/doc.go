// Package interop has no code. Its tests run the product against real software:
// proxies of Debian, clients and issuers of npm, a browser. They are built with the tag
// interop and run by `make interop`:
//
//	cd tools/interop && ./install.sh && GOWORK=off go test -tags interop -count 1 ./...
//
// Each row is one check; the table of all rows, pass or fail, is printed at the
// end. What a test starts, it stops. Software that is missing is a failure.
//
// To add rows, write a test file with the build tag that uses package rig:
//
//	func TestSomeIssuer(t *testing.T) {
//		port := rig.FreePort(t)
//		p := rig.Start(t, rig.Command{Name: "node", Args: []string{"issuer.mjs", port}, Dir: rig.NPM(t, "js")})
//		rig.WaitForPort(t, p, port)
//		rig.Row(t, "some-issuer: a token is accepted", func(t *testing.T) { ... })
//	}
//
// Versions of npm packages are pinned in js/package.json and its lock file.
package interop
