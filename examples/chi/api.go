package main

import (
	"encoding/json"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/portcullis-go/portcullis/verifier"
)

// newAPI has an open route, routes for everybody with a good token, and one
// for those with a scope. Middleware of chi is middleware of net/http, so the
// library's own needs no adapter.
func newAPI(v verifier.RequestVerifier) http.Handler {
	router := chi.NewRouter()
	router.Get("/healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	router.Group(func(protected chi.Router) {
		protected.Use(verifier.Middleware(v, verifier.MiddlewareConfig{}))
		protected.Get("/orders", whoAmI)
		protected.Get("/orders/{id}", whoAmI)
		protected.With(verifier.Require(verifier.AllScopes("write:orders"))).Post("/orders", whoAmI)
	})
	return router
}

// whoAmI answers with what the token says.
func whoAmI(w http.ResponseWriter, r *http.Request) {
	token, ok := verifier.TokenFromContext(r.Context())
	if !ok { // the route is not behind the middleware
		http.Error(w, "no token", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]string{"subject": token.Subject, "scheme": string(token.Scheme)})
}
