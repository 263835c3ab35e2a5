// Package wycheproof tests the code that checks signatures and opens encrypted
// tokens against the test vectors of Project Wycheproof. They are a hundred megabytes, so they are not
// required by any go.mod: the tests get one version of them through the Go
// command, into the module cache, and check its sum.
package wycheproof
