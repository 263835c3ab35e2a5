package verifier_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/portcullis-go/portcullis/verifier"
)

// TestOperatorsSeeWhy: events, Health and the errors of Warmup say which document
// of which issuer could not be got, from where, and what would help.
func TestOperatorsSeeWhy(t *testing.T) {
	for text, c := range map[string]struct {
		change    func(h *harness)
		document  string
		problem   string
		status    int
		permanent bool
		says      []string
	}{
		"an outage":    {func(h *harness) { h.issuer.FailNext(-1, http.StatusBadGateway) }, "discovery", "status", 502, false, []string{"status 502", "127.0.0.1"}},
		"no such page": {func(h *harness) { h.issuer.FailNext(-1, http.StatusNotFound) }, "discovery", "status", 404, true, []string{"status 404"}},
		"keys elsewhere": {func(h *harness) {
			h.issuer.SetDiscovery([]byte(`{"issuer":"` + h.issuer.URL() + `","jwks_uri":"https://cdn.example/keys"}`))
		}, "jwks", "jwks_uri", 0, true, []string{"cdn.example", "KeyHosts"}},
		"another issuer": {func(h *harness) { h.issuer.SetDiscovery([]byte(`{"issuer":"https://evil.example/"}`)) }, "discovery", "issuer", 0, true, []string{"another issuer"}},
	} {
		t.Run(text, func(t *testing.T) {
			var mu sync.Mutex
			var failed verifier.Event
			h := newHarness(t, func(cfg *verifier.Config) {
				cfg.Observer = verifier.ObserverFunc(func(e verifier.Event) {
					mu.Lock()
					defer mu.Unlock()
					if e.Kind == verifier.EventFetchFailed {
						failed = e
					}
				})
			})
			c.change(h)
			err := h.Warmup(t.Context())
			if err == nil {
				t.Fatal("Warmup succeeded")
			}
			mu.Lock()
			defer mu.Unlock()
			var health verifier.Health
			for _, one := range h.Health() {
				if one.Failures > 0 {
					health = one
				}
			}
			if failed.Document != c.document || failed.Problem != c.problem || failed.Status != c.status || failed.Permanent != c.permanent {
				t.Errorf("event %+v; want %+v", failed, c)
			}
			if health.Document != c.document || health.Problem != c.problem || health.Status != c.status || health.Permanent != c.permanent || health.Host != failed.Host {
				t.Errorf("health %+v; want %+v", health, c)
			}
			for _, want := range c.says {
				for where, got := range map[string]string{"event": failed.Detail, "health": health.Detail, "Warmup": err.Error()} {
					if !strings.Contains(got, want) {
						t.Errorf("%s says %q; want %q in it", where, got, want)
					}
				}
			}
			if strings.Contains(err.Error(), "evil.example") {
				t.Errorf("Warmup says %q, which holds what the document says", err)
			}
		})
	}
}
