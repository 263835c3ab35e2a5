package verifier_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

const assertion = "Cf-Access-Jwt-Assertion"

func TestTokenSource(t *testing.T) {
	issuer := verifiertest.NewIssuer(t, verifiertest.WithAlgorithm("ES256"))
	client := verifiertest.NewDPoPClient(t, nil, "")
	v, err := verifier.New(issuer.Config("https://api.example.com"))
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	good := issuer.Sign("https://api.example.com", nil)
	bound := issuer.Sign("https://api.example.com", map[string]any{"cnf": client.Confirmation()})
	header, cookie := verifier.TokenSource{Header: assertion}, verifier.TokenSource{Cookie: "__Host-token"}
	trusting := verifier.TokenSource{Cookie: "__Host-token", CrossOrigin: http.NewCrossOriginProtection()}
	if err := trusting.CrossOrigin.AddTrustedOrigin("https://app.example.com"); err != nil {
		t.Fatal(err)
	}
	const invalid = `Bearer error="invalid_token", error_description="the access token is malformed"`
	for _, c := range []struct {
		name      string
		source    verifier.TokenSource
		method    string
		fields    []string
		status    int
		challenge string // the first one
	}{
		{"header", header, "POST", []string{assertion, good}, 200, ""},
		{"header, none", header, "GET", nil, 401, `Bearer realm="api"`},
		{"header, empty", header, "GET", []string{assertion, ""}, 401, `Bearer realm="api"`},
		{"header, Authorization alone", header, "GET", []string{"Authorization", "Bearer " + good}, 401, `Bearer realm="api"`},
		{"header beside a bad Authorization", header, "GET", []string{assertion, good, "Authorization", "Bearer bad"}, 200, ""},
		{"header beside a proof", header, "GET", []string{assertion, good, "DPoP", "bad"}, 200, ""},
		{"header, two lines", header, "GET", []string{assertion, good, assertion, good}, 400, `Bearer error="invalid_request", error_description="several credentials were sent"`},
		{"header, a list", header, "GET", []string{assertion, good + ", " + good}, 400, `Bearer error="invalid_request", error_description="several credentials were sent"`},
		{"header with a scheme", header, "GET", []string{assertion, "Bearer " + good}, 401, invalid},
		{"header, bound token", header, "GET", []string{assertion, bound}, 401, `Bearer error="invalid_token", error_description="a DPoP-bound access token was sent as Bearer"`},
		{"header, from another site", header, "POST", []string{assertion, good, "Sec-Fetch-Site", "cross-site"}, 403, ""},
		{"cookie", cookie, "POST", []string{"Cookie", "a=b; __Host-token=" + good}, 200, ""},
		{"cookie, none", cookie, "GET", []string{"Cookie", "token=" + good}, 401, `Bearer realm="api"`},
		{"cookie, Authorization alone", cookie, "GET", []string{"Authorization", "Bearer " + good}, 401, `Bearer realm="api"`},
		{"cookie, two", cookie, "GET", []string{"Cookie", "__Host-token=" + good + "; __Host-token=" + good}, 400, `Bearer error="invalid_request", error_description="several credentials were sent"`},
		{"cookie, bad", cookie, "GET", []string{"Cookie", "__Host-token=bad"}, 401, invalid},
		{"cookie, same origin", cookie, "POST", []string{"Cookie", "__Host-token=" + good, "Sec-Fetch-Site", "same-origin"}, 200, ""},
		{"cookie, same site", cookie, "POST", []string{"Cookie", "__Host-token=" + good, "Sec-Fetch-Site", "same-site"}, 403, ""},
		{"cookie, from another site", cookie, "DELETE", []string{"Cookie", "__Host-token=" + good, "Sec-Fetch-Site", "cross-site"}, 403, ""},
		{"cookie, from another site by an old browser", cookie, "POST", []string{"Cookie", "__Host-token=" + good, "Origin", "https://evil.example"}, 403, ""},
		{"cookie, from another site, safe", cookie, "GET", []string{"Cookie", "__Host-token=" + good, "Sec-Fetch-Site", "cross-site"}, 200, ""},
		{"cookie, WebSocket from another site", cookie, "GET", []string{"Cookie", "__Host-token=" + good, "Sec-Fetch-Site", "cross-site", "Upgrade", "websocket", "Connection", "Upgrade"}, 403, ""},
		{"cookie, WebSocket", cookie, "GET", []string{"Cookie", "__Host-token=" + good, "Sec-Fetch-Site", "same-origin", "Upgrade", "websocket", "Connection", "Upgrade"}, 200, ""},
		{"cookie, from a trusted site", trusting, "POST", []string{"Cookie", "__Host-token=" + good, "Sec-Fetch-Site", "cross-site", "Origin", "https://app.example.com"}, 200, ""},
		{"cookie, from another than the trusted site", trusting, "POST", []string{"Cookie", "__Host-token=" + good, "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"}, 403, ""},
		{"both", verifier.TokenSource{Header: assertion, Cookie: "token"}, "GET", []string{assertion, good}, 500, ""},
		{"the header itself", verifier.TokenSource{Header: "authorization"}, "GET", []string{"Authorization", "Bearer " + good}, 500, ""},
		{"all cookies", verifier.TokenSource{Header: "Cookie"}, "GET", []string{"Cookie", good}, 500, ""},
		{"no name of a field", verifier.TokenSource{Header: "X Y"}, "GET", nil, 500, ""},
		{"no name of a cookie", verifier.TokenSource{Cookie: "a;b"}, "GET", nil, 500, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var reached string
			h := verifier.Middleware(v, verifier.MiddlewareConfig{Source: c.source})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				token, _ := verifier.TokenFromContext(r.Context())
				reached = token.Subject + " " + strings.Join(r.Header.Values("Authorization"), ",")
			}))
			r := httptest.NewRequestWithContext(t.Context(), c.method, "https://api.example.com/orders?access_token="+good, nil)
			for pair := range slices.Chunk(c.fields, 2) {
				r.Header.Add(pair[0], pair[1])
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if got := w.Header().Get("WWW-Authenticate"); w.Code != c.status || got != c.challenge {
				t.Errorf("answer = %d %q; want %d %q", w.Code, got, c.status, c.challenge)
			}
			want := ""
			if c.status == http.StatusOK {
				want = "user-1 " + strings.Join(r.Header.Values("Authorization"), ",")
			}
			if reached != want {
				t.Errorf("the handler saw %q; want %q", reached, want)
			}
		})
	}
}
