//go:build interop

package interop_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/portcullis-go/portcullis/tools/interop/rig"
	"github.com/portcullis-go/portcullis/verifier"
)

// TestUnixSocket: nginx reaches the API over a Unix socket.
func TestUnixSocket(t *testing.T) {
	path := filepath.Join("../../examples/proxies", "nginx.conf")
	set := settingsOf(t, path)
	for name, c := range map[string]struct {
		trust  bool
		status int
	}{"trusted": {true, 200}, "not trusted: the proof is for another URL": {false, 401}} {
		t.Run(name, func(t *testing.T) {
			e := newEdge(t)
			api := e.serve(func(cfg *verifier.Config) {
				cfg.TrustedProxies = set.trusted
				if c.trust {
					cfg.TrustUnixPeers = true
				}
			})
			dir := t.TempDir()
			for _, dir := range []string{dir, filepath.Dir(dir)} { // nginx runs as another user
				if err := os.Chmod(dir, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			socket := filepath.Join(dir, "api.sock")
			listener, err := net.Listen("unix", socket)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(socket, 0o777); err != nil {
				t.Fatal(err)
			}
			server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: api.Config.Handler}}
			server.Start()
			t.Cleanup(server.Close)
			start(t, path, e.replacements("nginx.conf", e.authority.Issue(t, "server"), map[string]string{
				"127.0.0.1:8080": "unix:" + socket, "127.0.0.1:8081": api.Listener.Addr().String(),
			}))
			rig.Row(t, name, func(t *testing.T) {
				r := request(t, "GET", e.url+"/orders", "X-Forwarded-For", "203.0.113.9")
				e.client.Authorize(r, e.bound)
				if status, header, body := e.send(t, r, nil); status != c.status {
					t.Errorf("%d %v %s; want %d", status, header.Values("WWW-Authenticate"), body, c.status)
				}
			})
		})
	}
}
