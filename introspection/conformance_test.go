package introspection_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/conformance"
	"github.com/portcullis-go/portcullis/introspection"
	"github.com/portcullis-go/portcullis/verifier"
)

func TestConformance(t *testing.T) {
	for name, change := range map[string]func(*introspection.Config){
		"with memory":    nil,
		"without memory": func(c *introspection.Config) { c.TTL, c.NegativeTTL = -1, -1 },
	} {
		t.Run(name, func(t *testing.T) {
			var worlds sync.Map // verifier.Introspector -> *world
			of := func(i verifier.Introspector) *world {
				w, _ := worlds.Load(i)
				return w.(*world)
			}
			report := conformance.TestIntrospector(t, conformance.IntrospectorHarness{
				New: func(*conformance.Env) (verifier.Introspector, error) {
					w := newWorld(t, change)
					worlds.Store(w.client, w)
					return w.client, nil
				},
				Issuer: "https://id.example.com/",
				Issue: func(i verifier.Introspector, subject string) (string, error) {
					return of(i).issuer.IssueOpaque(api, map[string]any{"sub": subject}), nil
				},
				Asked: func(i verifier.Introspector) int { return of(i).asked() },
				Break: func(i verifier.Introspector) func() {
					w := of(i)
					w.issuer.FailNext(-1, http.StatusServiceUnavailable)
					return w.issuer.Recover
				},
				Hang: func(i verifier.Introspector) func() {
					w := of(i)
					w.issuer.Hang()
					return w.issuer.Recover
				},
				Timeout: 20 * time.Second,
			})
			if skipped := report.With(conformance.Skipped); len(skipped) > 0 {
				t.Errorf("skipped: %v", skipped)
			}
		})
	}
}
