package main

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

const audience = "https://api.example.com"

// inspect runs the program with a token on its standard input.
func inspect(t *testing.T, issuer *verifiertest.Issuer, token string, args ...string) (code int, out string) {
	t.Helper()
	var stdout, stderr strings.Builder
	args = append([]string{"-domain", issuer.Domain(), "-audience", audience}, args...)
	code = run(t.Context(), args, strings.NewReader(token+"\n"), &stdout, &stderr, issuer.Client())
	if stderr.Len() > 0 {
		t.Errorf("standard error = %s; want nothing", stderr.String())
	}
	for _, part := range append(strings.Split(token, "."), token) {
		if len(part) > 10 && strings.Contains(stdout.String(), part) {
			t.Errorf("a part of the token was printed:\n%s", stdout.String())
		}
	}
	return code, stdout.String()
}

// outcomes returns the outcome of each step that was printed.
func outcomes(out string) map[string]string {
	all := make(map[string]string)
	for _, s := range steps(true) {
		for line := range strings.Lines(out) {
			if rest, ok := strings.CutPrefix(line, s.name+"  "); ok {
				all[s.name] = strings.TrimSpace(rest)
			}
		}
	}
	return all
}

func TestInspect(t *testing.T) {
	issuer, second, stranger := verifiertest.NewIssuer(t), verifiertest.NewIssuer(t), verifiertest.NewIssuer(t)
	client := verifiertest.NewDPoPClient(t, nil, "")
	good := issuer.Sign(audience, map[string]any{"scope": "read:orders"})
	bound := issuer.Sign(audience, map[string]any{"cnf": client.Confirmation()})
	const url = "https://api.example.com/orders"
	for _, c := range []struct {
		name, token string
		args        []string
		code        int
		step        string // with the outcome that begins so
		outcome     string
		want        []string
	}{
		{"good", good, nil, exitGood, "signature", "ok", []string{`The token is good, as Bearer. Scopes: "read:orders"`, `aud = "https://api.example.com"`}},
		{"several domains and audiences", second.Sign("other", nil), []string{"-domain", "tenant.auth0.com," + second.Domain(), "-audience", "other"},
			exitGood, "issuer allowed", "ok", nil},
		{"expired", issuer.Sign(audience, map[string]any{"exp": time.Now().Add(-2 * time.Hour).Unix()}), nil, exitRefused, "exp and nbf", "REFUSED",
			[]string{"[expired]", "2h0m", "Nothing was fetched."}},
		{"expired, within the leeway", issuer.Sign(audience, map[string]any{"exp": time.Now().Add(-time.Minute).Unix()}), []string{"-leeway", "2m"}, exitGood, "exp and nbf", "ok", nil},
		{"another issuer", stranger.Sign(audience, nil), nil, exitRefused, "issuer allowed", "REFUSED", []string{"Nothing was fetched.", `iss = "` + stranger.URL()}},
		{"another audience", issuer.Sign("https://other.example.com", nil), nil, exitRefused, "audience", "REFUSED", []string{`aud = "https://other.example.com"`}},
		{"unknown key", issuer.SignWith(map[string]any{"kid": "unknown"}, issuer.Claims(audience, nil)), nil, exitRefused, "key of the token", "REFUSED",
			[]string{`kid = "unknown"`, ".well-known/jwks.json\": 200", "The issuer publishes:\n  kid \"", `"RSA", alg "RS256"`}},
		{"bad signature", tampered(good), nil, exitRefused, "signature", "REFUSED", nil},
		{"algorithm", good, []string{"-algorithms", "ES256,PS256"}, exitRefused, "algorithm allowed", "REFUSED", []string{`alg = "RS256"`, `configured: "ES256", "PS256"`, `Algorithms: []string{"RS256"}`}},
		{"malformed", "an.opaque.token", nil, exitRefused, "token syntax", "REFUSED", []string{"three parts, but"}},
		{"opaque", "ory_at_7x1QfDq", nil, exitRefused, "token syntax", "REFUSED", []string{"no dots: an opaque token", "Issuer.Opaque"}},
		{"encrypted", "e30.a.b.c.d", nil, exitRefused, "token syntax", "REFUSED", []string{"five parts: an encrypted token", "Config.Decryption"}},
		{"two parts", "e30.e30", nil, exitRefused, "token syntax", "REFUSED", []string{"2 parts"}},
		{"with the scheme", "Bearer " + good, nil, exitGood, "signature", "ok", []string{`begins with "bearer"`}},
		{"with the field", "authorization: BEARER  " + good, nil, exitGood, "signature", "ok", []string{`begins with "Authorization:"`, `begins with "bearer"`}},
		{"in quotes", `"` + good + `"`, nil, exitGood, "signature", "ok", []string{"in quotes"}},
		{"no audience", issuer.Sign("", map[string]any{"aud": nil, "azp": "web"}), nil, exitRefused, "claims present", "REFUSED",
			[]string{`Issuer.NoAudience: verifier.AudienceRule{Claim: "client_id", Values: []string{"client-1"}}`}},
		{"an ID token", issuer.Sign("web", map[string]any{"azp": "web"}), nil, exitRefused, "audience", "REFUSED", []string{"Its audience is the client itself"}},
		{"a slash in the audience", issuer.Sign(audience+"/", nil), nil, exitRefused, "audience", "REFUSED",
			[]string{"by the slash at the end", `configured: "https://api.example.com"`}},
		{"capitals in the audience", issuer.Sign("https://API.example.com", nil), nil, exitRefused, "audience", "REFUSED", []string{"by capitals"}},
		{"no time of issue", issuer.Sign(audience, map[string]any{"iat": nil}), nil, exitRefused, "claims present", "REFUSED", []string{`Issuer.Optional: []string{"iat"}`}},
		{"another type", issuer.SignWith(map[string]any{"typ": "JOSE"}, issuer.Claims(audience, nil)), nil, exitRefused, "token type", "REFUSED", []string{`Issuer.Types: []string{"JOSE"}`}},
		{"http in the issuer", issuer.Sign(audience, map[string]any{"iss": "http://" + issuer.Domain() + "/"}), nil, exitRefused, "issuer allowed", "REFUSED",
			[]string{"by http, https or no scheme"}},
		{"another provider", issuer.Sign(audience, map[string]any{"iss": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab", "client_id": "app"}), nil, exitRefused, "issuer allowed", "REFUSED",
			[]string{"points to Amazon Cognito", `Issuers: []verifier.Issuer{providers.Cognito("eu-west-1", "eu-west-1_Ab", "app")} (here: -provider cognito)`}},
		{"an issuer of no known provider", issuer.Sign(audience, map[string]any{"iss": "https://idp.example/x"}), nil, exitRefused, "issuer allowed", "REFUSED",
			[]string{`Issuers: []verifier.Issuer{{Name: "https://idp.example/x"}}`}},
		{"text after the token", good + " more", nil, exitRefused, "token syntax", "REFUSED", nil},
		{"too large", good + strings.Repeat("A", 1<<20), nil, exitRefused, "token size", "REFUSED", nil},
		{"bound, no proof", bound, nil, exitRefused, "binding", "REFUSED", []string{"give -proof", `cnf = an object of ["jkt"]`}},
		{"bound, proof", bound, []string{"-proof", client.Proof("GET", url, bound), "-method", "GET", "-url", url}, exitGood, "proof by the bound key", "ok", nil},
		{"bound, proof for another URL", bound, []string{"-proof", client.Proof("GET", url, bound), "-method", "GET", "-url", url + "/1"}, exitRefused, "proof URL", "REFUSED", nil},
		{"bound, proof of another token", bound, []string{"-proof", client.Proof("GET", url, good), "-method", "GET", "-url", url}, exitRefused, "proof of this token", "REFUSED", nil},
		{"bound, relative URL", bound, []string{"-proof", client.Proof("GET", url, bound), "-method", "GET", "-url", "/orders"}, exitUsage, "proof URL", "", []string{"-url is not an absolute"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, out := inspect(t, issuer, c.token, c.args...)
			if code != c.code {
				t.Errorf("exit status = %d; want %d", code, c.code)
			}
			if got := outcomes(out)[c.step]; !strings.HasPrefix(got, c.outcome) {
				t.Errorf("%s = %q; want %s", c.step, got, c.outcome)
			}
			for _, want := range c.want {
				if !strings.Contains(out, want) {
					t.Errorf("output has no %q", want)
				}
			}
			if t.Failed() {
				t.Logf("output:\n%s", out)
			}
		})
	}
	if counts := stranger.Requests(); counts.Discovery+counts.JWKS > 0 {
		t.Errorf("an issuer that is not trusted was asked: %+v", counts)
	}
}

// tampered changes a character in the middle of the signature.
func tampered(token string) string {
	i := strings.LastIndexByte(token, '.') + 20
	replacement := "A"
	if token[i] == 'A' {
		replacement = "B"
	}
	return token[:i] + replacement + token[i+1:]
}

// TestProvider: an issuer by the name of its provider, with its rules.
func TestProvider(t *testing.T) {
	const realm = "https://sso.shop.example/realms/Shop"
	issuer := verifiertest.NewIssuer(t, verifiertest.WithURL(realm))
	for _, c := range []struct {
		name   string
		claims map[string]any
		args   []string
		code   int
		want   []string
	}{
		{"good", map[string]any{"typ": "Bearer"}, nil, exitGood, []string{"The token is good", `configured: "` + realm + `"`}},
		{"an ID token", map[string]any{"typ": "ID"}, nil, exitRefused, []string{`RequiredValues demands ["Bearer" "DPoP"] of "typ"; the token says "ID"`}},
		{"another realm", map[string]any{"iss": "https://sso.shop.example/realms/shop"}, nil, exitRefused, []string{"by capitals", `providers.Keycloak("https://sso.shop.example", "shop")`}},
		{"no audience, its client", map[string]any{"typ": "Bearer", "aud": nil, "azp": "web"}, []string{"-allow", "web"}, exitGood, []string{`azp = "web"`, `configured: "web"`}},
		{"no audience, another client", map[string]any{"typ": "Bearer", "aud": nil, "azp": "spa"}, []string{"-allow", "web"}, exitRefused, []string{`azp is "spa"; allowed are "web" (here: -allow)`}},
		{"a claim that is missing", map[string]any{"typ": nil}, nil, exitRefused, []string{`demands "typ"`}},
	} {
		var stdout, stderr strings.Builder
		args := append([]string{"-provider", "keycloak", "-issuer", realm, "-audience", audience}, c.args...)
		code := run(t.Context(), args, strings.NewReader(issuer.Sign(audience, c.claims)), &stdout, &stderr, issuer.Client())
		if code != c.code || stderr.Len() > 0 {
			t.Errorf("%s: exit status = %d, %s; want %d", c.name, code, stderr.String(), c.code)
		}
		for _, want := range c.want {
			if !strings.Contains(stdout.String(), want) {
				t.Errorf("%s: output has no %q:\n%s", c.name, want, stdout.String())
			}
		}
	}
}

func TestIssuerDown(t *testing.T) {
	issuer := verifiertest.NewIssuer(t)
	issuer.FailNext(-1, http.StatusBadGateway)
	code, out := inspect(t, issuer, issuer.Sign(audience, nil))
	if got := outcomes(out); code != exitUndecided || !strings.HasPrefix(got["metadata of the issuer"], "UNDECIDED") || got["signature"] != "" || !strings.Contains(out, "\nnot reached: 7 steps\n") {
		t.Errorf("exit status = %d, steps %v; want %d and UNDECIDED", code, got, exitUndecided)
	}
	if !strings.Contains(out, "fetch failed: status") || !strings.Contains(out, ": 502 in") {
		t.Errorf("output does not say why:\n%s", out)
	}
}

// TestTimeout: a hanging issuer does not hang the program.
func TestTimeout(t *testing.T) {
	issuer := verifiertest.NewIssuer(t)
	issuer.Hang()
	code, out := inspect(t, issuer, issuer.Sign(audience, nil), "-timeout", "20ms")
	if code != exitUndecided || strings.Contains(out, "fetch failed") { // as it does at the Verifier's own limit
		t.Errorf("exit status = %d; want %d before the fetch has failed:\n%s", code, exitUndecided, out)
	}
}

// TestCA uses the network as the program does.
func TestCA(t *testing.T) {
	issuer := verifiertest.NewIssuer(t)
	dialer := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}} // to get the certificate
	conn, err := dialer.DialContext(t.Context(), "tcp", issuer.Domain())
	if err != nil {
		t.Fatal(err)
	}
	certificate := conn.(*tls.Conn).ConnectionState().PeerCertificates[0]
	_ = conn.Close()
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"trusted", []string{"-ca", file}, exitGood, "The token is good"},
		{"not trusted", nil, exitUndecided, "certificate"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out, stderr strings.Builder
			args := append([]string{"-domain", issuer.Domain(), "-audience", audience}, c.args...)
			code := run(t.Context(), args, strings.NewReader(issuer.Sign(audience, nil)), &out, &stderr, nil)
			if code != c.code || !strings.Contains(out.String(), c.want) {
				t.Errorf("exit status = %d; want %d with %q:\n%s%s", code, c.code, c.want, out.String(), stderr.String())
			}
		})
	}
}

func TestUsage(t *testing.T) {
	minimal := []string{"-domain", "tenant.auth0.com", "-audience", audience}
	directory := t.TempDir()
	empty := filepath.Join(directory, "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		args  []string
		stdin string
		code  int
		want  string
	}{
		{"help", []string{"-h"}, "", exitGood, "Usage: inspect"},
		{"nothing", nil, "x", exitUsage, "-domain and -audience are needed"},
		{"no audience", []string{"-domain", "tenant.auth0.com"}, "x", exitUsage, "-domain and -audience are needed"},
		{"provider and domain", append(minimal[:4:4], "-provider", "google"), "x", exitUsage, "exclude each other"},
		{"issuer alone", append(minimal[:4:4], "-issuer", "https://x.example"), "x", exitUsage, "belong to -provider"},
		{"unknown provider", []string{"-provider", "nobody", "-audience", audience}, "x", exitUsage, "known are: adfs, auth0"},
		{"issuer of another form", []string{"-provider", "keycloak", "-issuer", "https://x.example", "-audience", audience}, "x", exitUsage, "{base}/realms/{realm}"},
		{"nothing allowed", []string{"-provider", "github-actions", "-audience", audience}, "x", exitUsage, "owners of the repositories"},
		{"unknown flag", append([]string{"-token", "x"}, minimal...), "x", exitUsage, "-token"},
		{"token as argument", append(minimal[:4:4], "secret.secret.secret"), "", exitUsage, "standard input"},
		{"proof alone", append(minimal[:4:4], "-proof", "secret.secret.secret"), "x", exitUsage, "belong together"},
		{"method alone", append(minimal[:4:4], "-method", "GET"), "x", exitUsage, "belong together"},
		{"bad domain", []string{"-domain", "http://tenant.auth0.com", "-audience", audience}, "x", exitUsage, "Config.Domains"},
		{"bad algorithm", append(minimal[:4:4], "-algorithms", "HS256"), "x", exitUsage, "HS256"},
		{"bad leeway", append(minimal[:4:4], "-leeway", "1h"), "x", exitUsage, "Leeway"},
		{"empty item", append(minimal[:4:4], "-audience", "a,,b"), "x", exitUsage, "empty"},
		{"no token", minimal, " \n", exitUsage, "no token"},
		{"no such file", append(minimal[:4:4], "-ca", filepath.Join(directory, "none.pem")), "x", exitUsage, "none.pem"},
		{"no certificate", append(minimal[:4:4], "-ca", empty), "x", exitUsage, "no certificate"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var stdout, stderr strings.Builder
			code := run(context.Background(), c.args, strings.NewReader(c.stdin), &stdout, &stderr, nil)
			if code != c.code || !strings.Contains(stderr.String(), c.want) || stdout.Len() > 0 {
				t.Errorf("exit status = %d, %s, %s; want %d with %q", code, stderr.String(), stdout.String(), c.code, c.want)
			}
			if strings.Contains(stderr.String(), "secret") {
				t.Errorf("a token was printed: %s", stderr.String())
			}
		})
	}
}
