package fetch_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/portcullis-go/portcullis/internal/fetch"
)

// negotiated is a route that produces one media type alone, with the content
// negotiation of the Kubernetes API server's routes: a request that accepts
// neither this type nor */* is answered 406; parameters do not count.
func negotiated(produces string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		accept := r.Header.Get("Accept")
		accepted := accept == ""
		for part := range strings.SplitSeq(accept, ",") {
			media, _, _ := strings.Cut(part, ";")
			media = strings.TrimSpace(media)
			accepted = accepted || media == "*/*" || media == produces
		}
		if !accepted {
			w.WriteHeader(http.StatusNotAcceptable)
			return
		}
		w.Header().Set("Content-Type", produces)
		_, _ = w.Write([]byte("{}"))
	}
}

func TestContentNegotiation(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", negotiated("application/json"))
	mux.HandleFunc("/openid/v1/jwks", negotiated("application/jwk-set+json"))
	mux.HandleFunc("/jwks.json", negotiated("application/json"))
	server := httptest.NewTLSServer(mux)
	defer server.Close()
	client := fetch.Client(server.Client())
	for _, r := range []fetch.Request{
		{URL: server.URL + "/.well-known/openid-configuration"},
		{URL: server.URL + "/openid/v1/jwks", Accept: fetch.AcceptKeySet},
		{URL: server.URL + "/jwks.json", Accept: fetch.AcceptKeySet},
	} {
		if _, err := fetch.Get(t.Context(), client, r); err != nil {
			t.Errorf("%s: %v", r.URL, err)
		}
	}
	_, err := fetch.Get(t.Context(), client, fetch.Request{URL: server.URL + "/openid/v1/jwks"})
	var e *fetch.Error
	if !errors.As(err, &e) || e.Status != http.StatusNotAcceptable {
		t.Errorf("application/json alone: %v; want 406", err)
	}
}
