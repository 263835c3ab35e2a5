package otelverifier_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"

	"github.com/portcullis-go/portcullis/integration/otelverifier"
	"github.com/portcullis-go/portcullis/verifier"
)

// Metrics of all events, spans of verifications and fetches, and the log of
// the core, with the providers of package otel.
func Example() {
	telemetry := otelverifier.Config{Issuers: []string{"tenant.auth0.com"}}
	metrics, err := otelverifier.NewObserver(telemetry)
	if err != nil {
		fmt.Println(err)
		return
	}
	log := verifier.NewSlogObserver(slog.Default())
	v, err := verifier.New(verifier.Config{
		Domain:   "tenant.auth0.com",
		Audience: "https://api.example.com",
		Doer:     otelverifier.NewDoer(nil, telemetry),
		Observer: verifier.ObserverFunc(func(e verifier.Event) {
			metrics.Observe(e)
			log.Observe(e)
		}),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer v.Close()
	protect := verifier.Middleware(otelverifier.NewVerifier(v, telemetry), verifier.MiddlewareConfig{})

	w := httptest.NewRecorder()
	protect(http.NotFoundHandler()).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/orders", nil))
	fmt.Println(w.Code)
	// Output: 401
}
