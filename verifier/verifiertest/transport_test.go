package verifiertest_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

func domains(issuers ...*verifiertest.Issuer) verifier.DomainResolver {
	return verifier.DomainResolverFunc(func(context.Context, verifier.ResolveRequest) ([]string, error) {
		var all []string
		for _, issuer := range issuers {
			all = append(all, issuer.Domain())
		}
		return all, nil
	})
}

func TestNamedIssuers(t *testing.T) {
	for _, tt := range []struct{ name, domain string }{
		{"https://login.example.com/", "login.example.com"},
		{"https://login.example.com", "login.example.com"},
		{"https://login.example.com:8443/", "login.example.com:8443"},
		{"https://idp.example.com/realms/one", "https://idp.example.com/realms/one"},
		{"https://idp.example.com/realms/two/", "https://idp.example.com/realms/two/"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			issuer := verifiertest.NewIssuer(t, verifiertest.WithURL(tt.name), verifiertest.WithAlgorithm("ES256"))
			if issuer.URL() != tt.name || issuer.Domain() != tt.domain {
				t.Errorf("URL() = %q, Domain() = %q; want %q, %q", issuer.URL(), issuer.Domain(), tt.name, tt.domain)
			}
			token, err := newVerifier(t, issuer.Config(audience)).VerifyAccessToken(t.Context(), issuer.Sign(audience, nil))
			if err != nil {
				t.Fatal(err)
			}
			if token.Issuer != tt.name {
				t.Errorf("Issuer = %q; want %q", token.Issuer, tt.name)
			}
		})
	}
}

func TestNamesThatAreNone(t *testing.T) {
	for _, name := range []string{"http://login.example.com/", "login.example.com", "https://", "https://a.example/?b", "https://a.example/#b", "https://u@a.example/"} {
		err := verifiertest.Run(func(t testing.TB) { verifiertest.NewIssuer(t, verifiertest.WithURL(name)) })
		if err == nil {
			t.Errorf("WithURL(%q) was accepted", name)
		}
	}
}

// TestIssuersSideBySide: of every kind, through one client, and each with its
// own keys.
func TestIssuersSideBySide(t *testing.T) {
	named := func(name string) *verifiertest.Issuer {
		return verifiertest.NewIssuer(t, verifiertest.WithURL(name))
	}
	issuers := []*verifiertest.Issuer{
		verifiertest.NewIssuer(t), verifiertest.NewIssuer(t), named("https://login.example.com/"),
		named("https://idp.example.com/realms/one"), named("https://idp.example.com/realms/one/more"),
	}
	v := newVerifier(t, verifier.Config{Domains: domains(issuers...), Audience: audience, Doer: verifiertest.Client(issuers...)})
	for i, issuer := range issuers {
		if _, err := v.VerifyAccessToken(t.Context(), issuer.Sign(audience, nil)); err != nil {
			t.Errorf("token of %s: %v", issuer.URL(), err)
		}
		if got, want := issuer.Requests(), (verifiertest.Counts{Discovery: 1, JWKS: 1}); got != want {
			t.Errorf("requests to %s: %+v; want %+v", issuer.URL(), got, want)
		}
		other := issuers[(i+1)%len(issuers)]
		forged := issuer.SignWith(nil, other.Claims(audience, nil))
		if _, err := v.VerifyAccessToken(t.Context(), forged); !errors.Is(err, verifier.ErrInvalidToken) {
			t.Errorf("token of %s by %s: %v; want ErrInvalidToken", other.URL(), issuer.URL(), err)
		}
	}
}

func TestClientReachesNothingElse(t *testing.T) {
	stranger := httptest.NewServer(http.NotFoundHandler())
	defer stranger.Close()
	client := verifiertest.Client(verifiertest.NewIssuer(t, verifiertest.WithURL("https://login.example.com/")))
	for _, target := range []string{stranger.URL, "https://login.example.com.evil.example/", "http://login.example.com/"} {
		if resp, err := client.Post(target, "text/plain", strings.NewReader("x")); err == nil {
			_ = resp.Body.Close()
			t.Errorf("%s was reached: %d", target, resp.StatusCode)
		}
	}
}

func TestRootCAs(t *testing.T) {
	one, two := verifiertest.NewIssuer(t), verifiertest.NewIssuer(t)
	client := verifier.NewHTTPClient(verifier.HTTPClientConfig{RootCAs: verifiertest.RootCAs(t, one, two)})
	defer client.CloseIdleConnections()
	v := newVerifier(t, verifier.Config{Domains: domains(one, two), Audience: audience, Doer: client})
	for _, issuer := range []*verifiertest.Issuer{one, two} {
		if _, err := v.VerifyAccessToken(t.Context(), issuer.Sign(audience, nil)); err != nil {
			t.Errorf("VerifyAccessToken() = %v; want no error", err)
		}
	}
	err := verifiertest.Run(func(t testing.TB) {
		verifiertest.RootCAs(t, verifiertest.NewIssuer(t, verifiertest.WithURL("https://login.example.com/")))
	})
	if err == nil {
		t.Error("an issuer without a certificate has one")
	}
}

// TestInProcess: the transport without a network behaves like one.
func TestInProcess(t *testing.T) {
	issuer := verifiertest.NewIssuer(t, verifiertest.WithURL("https://login.example.com/"))
	resp, err := issuer.Client().PostForm("https://login.example.com/oauth/token", url.Values{"grant_type": {"g"}, "subject_token": {"s"}})
	if err != nil {
		t.Fatal(err)
	}
	var answer map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || resp.StatusCode != 200 {
		t.Errorf("status %d, %v", resp.StatusCode, err)
	}
	_ = resp.Body.Close()
	if got := resp.Request.URL.String(); got != "https://login.example.com/oauth/token" {
		t.Errorf("Request.URL = %q", got)
	}
	if got := issuer.Exchanges(); len(got) != 1 || got[0].Form.Get("subject_token") != "s" {
		t.Errorf("exchanges %v", got)
	}
	if resp, err = issuer.Client().Get("https://login.example.com/absent"); err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != 404 {
		t.Errorf("status %d; want 404", resp.StatusCode)
	}
	issuer.Hang()
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, "GET", issuer.URL()+".well-known/jwks.json", nil)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		resp, err := issuer.Client().Do(r)
		if err == nil {
			_ = resp.Body.Close()
		}
		done <- err
	}()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("a hanging issuer: %v; want context.Canceled", err)
	}
}

func TestJWKSIsWhatIsPublished(t *testing.T) {
	issuer := verifiertest.NewIssuer(t)
	resp, err := issuer.Client().Get(issuer.URL() + ".well-known/jwks.json")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	published, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got := issuer.JWKS(); string(got) != string(published) {
		t.Errorf("JWKS() = %s; want %s", got, published)
	}
	cfg := verifier.Config{Issuers: []verifier.Issuer{{Name: issuer.Domain(), Keys: verifier.KeysStatic(issuer.JWKS())}}, Audience: audience}
	if _, err := newVerifier(t, cfg).VerifyAccessToken(t.Context(), issuer.Sign(audience, nil)); err != nil {
		t.Errorf("with static keys: %v", err)
	}
}

// TestUnsignedTokens: an alg in the header is written as it is given.
func TestUnsignedTokens(t *testing.T) {
	issuer := verifiertest.NewIssuer(t)
	v := newVerifier(t, issuer.Config(audience))
	for alg, want := range map[string]error{
		"none": verifier.ErrMalformed, "HS256": verifier.ErrAlgorithm, "RS384": verifier.ErrAlgorithm, "RS256": nil,
	} {
		token := issuer.SignWith(map[string]any{"alg": alg}, issuer.Claims(audience, nil))
		if _, err := v.VerifyAccessToken(t.Context(), token); !errors.Is(err, want) {
			t.Errorf("alg %s: %v; want %v", alg, err, want)
		}
	}
}

// TestOutsideOfTests: the fakes work with any testing.TB.
func TestOutsideOfTests(t *testing.T) {
	result := testing.Benchmark(func(b *testing.B) {
		clock := verifiertest.NewClock(time.Time{})
		issuer := verifiertest.NewIssuer(b, verifiertest.WithClock(clock), verifiertest.WithAlgorithm("ES256"))
		client := verifiertest.NewDPoPClient(b, clock, "")
		token := issuer.Sign(audience, map[string]any{"cnf": client.Confirmation()})
		if client.Proof("GET", audience, token) == "" || verifiertest.NewToken(b, nil).Subject == "" {
			b.Error("no proof, no token")
		}
	})
	if result.N == 0 {
		t.Error("the fakes do not work in a benchmark")
	}
}
