package verifier_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/resolver"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/reason"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// issuersNow is when the tokens of these tests are good.
const issuersNow = 1_767_225_600

// court is a Verifier of some issuers, all of which sign with one key.
type court struct {
	t *testing.T
	*verifier.Verifier
	w *fuzzWorld
}

func newCourt(t *testing.T, cfg verifier.Config) *court {
	t.Helper()
	cfg.Clock = verifier.ClockFunc(func() time.Time { return time.Unix(issuersNow, 0) })
	cfg.Algorithms = []string{"EdDSA"}
	w := newFuzzWorld(t, nil)
	for i := range cfg.Issuers {
		if cfg.Issuers[i].Keys == (verifier.Keys{}) {
			cfg.Issuers[i].Keys = verifier.KeysStatic(w.jwks())
		}
	}
	v, err := verifier.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.Close() })
	return &court{t, v, w}
}

// token signs claims on top of good ones; nil removes one.
func (j *court) token(header string, claims map[string]any) string {
	j.t.Helper()
	all := map[string]any{"iss": "https://a.example", "sub": "s", "aud": "api", "iat": issuersNow - 5, "exp": issuersNow + 60}
	maps.Copy(all, claims)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	payload, err := json.Marshal(all)
	if err != nil {
		j.t.Fatal(err)
	}
	if header == "" {
		header = fuzzHeader
	}
	return j.w.token(header, string(payload))
}

func (j *court) want(claims map[string]any, want verifier.Reason, opts ...verifier.VerifyOption) *verifier.Token {
	j.t.Helper()
	token, err := j.VerifyAccessToken(j.t.Context(), j.token("", claims), opts...)
	if got := reasonOf(j.t, err); got != want {
		j.t.Errorf("%v: %q (%v); want %q", claims, got, err, want)
	}
	return token
}

type claims = map[string]any

// TestIssuerNames: a domain has two spellings, everything else exactly one, and
// aliases are exact too.
func TestIssuerNames(t *testing.T) {
	for name, c := range map[string]struct {
		issuer    verifier.Issuer
		good, bad []string
	}{
		"domain": {verifier.Issuer{Name: "Tenant.example"}, []string{"https://tenant.example", "https://tenant.example/"},
			[]string{"tenant.example", "http://tenant.example/", "https://tenant.example//", "https://Tenant.example/", "https://tenant.example/x"}},
		"https URL": {verifier.Issuer{Name: "https://accounts.example"}, []string{"https://accounts.example"},
			[]string{"https://accounts.example/", "accounts.example", "https://ACCOUNTS.example"}},
		"path": {verifier.Issuer{Name: "https://idp.example/realms/one"}, []string{"https://idp.example/realms/one"},
			[]string{"https://idp.example/realms/one/", "https://idp.example/realms/One", "https://idp.example/"}},
		"alias": {verifier.Issuer{Name: "https://accounts.example", Aliases: []string{"accounts.example"}},
			[]string{"https://accounts.example", "accounts.example"}, []string{"ACCOUNTS.example", " accounts.example", "https://accounts.example/"}},
		"http name":    {verifier.Issuer{Name: "http://sts.example/adfs/services/trust"}, []string{"http://sts.example/adfs/services/trust"}, []string{"https://sts.example/adfs/services/trust", "http://sts.example/adfs/services/trust/"}},
		"DID":          {verifier.Issuer{Name: "did:web:example.com"}, []string{"did:web:example.com"}, []string{"did:web:example.com ", "DID:web:example.com"}},
		"e-mail":       {verifier.Issuer{Name: "robot@project.example"}, []string{"robot@project.example"}, []string{"Robot@project.example"}},
		"no scheme":    {verifier.Issuer{Name: "stytch.example/project-1"}, []string{"stytch.example/project-1"}, []string{"https://stytch.example/project-1"}},
		"double slash": {verifier.Issuer{Name: "https://idp.example//realms/x"}, []string{"https://idp.example//realms/x"}, []string{"https://idp.example/realms/x"}},
	} {
		t.Run(name, func(t *testing.T) {
			j := newCourt(t, verifier.Config{Audience: "api", Issuers: []verifier.Issuer{c.issuer}})
			for _, iss := range c.good {
				token := j.want(claims{"iss": iss}, "")
				if token != nil && token.Issuer != iss {
					t.Errorf("Token.Issuer = %q; want %q", token.Issuer, iss)
				}
			}
			for _, iss := range c.bad {
				if _, err := j.VerifyAccessToken(t.Context(), j.token("", claims{"iss": iss})); !errors.Is(err, verifier.ErrIssuer) {
					t.Errorf("iss %q: %v; want ErrIssuer", iss, err)
				}
			}
		})
	}
}

// TestIssuerNameIsOne: however iss is spelled, identities and caches see one name.
func TestIssuerNameIsOne(t *testing.T) {
	j := newCourt(t, verifier.Config{Audience: "api", Issuers: []verifier.Issuer{
		{Name: "https://accounts.example", Aliases: []string{"accounts.example"}}, {Name: "tenant.example"},
	}})
	for iss, want := range map[string]string{
		"https://accounts.example": "https://accounts.example", "accounts.example": "https://accounts.example",
		"https://tenant.example": "https://tenant.example/", "https://tenant.example/": "https://tenant.example/",
	} {
		if token := j.want(claims{"iss": iss}, ""); token != nil && token.IssuerName != want {
			t.Errorf("IssuerName of %q = %q; want %q", iss, token.IssuerName, want)
		}
	}
}

// TestMetadataDecidesBetweenSpellings: of the two spellings of a domain the one
// that the metadata states counts.
func TestMetadataDecidesBetweenSpellings(t *testing.T) {
	for stated, other := range map[string]string{"https://a.example": "https://a.example/", "https://a.example/": "https://a.example"} {
		w := newFuzzWorld(t, nil)
		d := &documents{bodies: map[string]string{
			"https://a.example/.well-known/openid-configuration": `{"issuer":"` + stated + `","jwks_uri":"https://a.example/keys"}`,
			"https://a.example/keys":                             string(w.jwks()),
		}}
		j := newCourt(t, verifier.Config{Domain: "a.example", Audience: "api", Doer: d})
		j.want(claims{"iss": stated}, "")
		j.want(claims{"iss": other}, reason.IssuerMismatch)
	}
}

// TestIssuersDoNotShareSpellings: an iss leads to one set of keys and rules.
func TestIssuersDoNotShareSpellings(t *testing.T) {
	keys := verifier.KeysStatic([]byte(`{"keys":[]}`))
	for name, second := range map[string]verifier.Issuer{
		"a name":                   {Name: "a.example"},
		"a name with a scheme":     {Name: "https://a.example"},
		"an alias that is a name":  {Name: "b.example", Aliases: []string{"https://a.example/"}},
		"an alias in normal form":  {Name: "b.example", Aliases: []string{"A.example"}},
		"an alias that is another": {Name: "b.example", Aliases: []string{"other"}},
	} {
		first := verifier.Issuer{Name: "a.example", Aliases: []string{"other"}, Keys: keys}
		second.Keys = keys
		_, err := verifier.New(verifier.Config{Audience: "api", Issuers: []verifier.Issuer{first, second}})
		var e *verifier.ConfigError
		if !errors.As(err, &e) || e.Field != "Issuers[1].Name" {
			t.Errorf("%s: %v; want Issuers[1].Name to be refused", name, err)
		}
	}
}

// TestAudienceBelongsToItsIssuer: the audience of one issuer lets in no token of
// another.
func TestAudienceBelongsToItsIssuer(t *testing.T) {
	j := newCourt(t, verifier.Config{Audience: "everywhere", Issuers: []verifier.Issuer{
		{Name: "https://a.example", Audiences: []string{"api-a"}}, {Name: "https://b.example", Audiences: []string{"api-b"}}, {Name: "https://c.example"},
	}})
	j.want(claims{"aud": "api-a"}, "")
	j.want(claims{"aud": "api-b"}, reason.Audience)
	j.want(claims{"aud": "everywhere"}, reason.Audience)
	j.want(claims{"iss": "https://b.example", "aud": "api-a"}, reason.Audience)
	j.want(claims{"iss": "https://c.example", "aud": "everywhere"}, "")
}

// TestRuleForAMissingAudience: it counts only where aud is absent or empty, and
// never for the audience that a call demands.
func TestRuleForAMissingAudience(t *testing.T) {
	rule := verifier.AudienceRule{Claim: "client_id", Values: []string{"app"}}
	j := newCourt(t, verifier.Config{Audience: "api", Issuers: []verifier.Issuer{
		{Name: "https://a.example", NoAudience: rule, RequiredValues: map[string][]string{"token_use": {"access"}}}, {Name: "https://b.example"},
	}})
	j.want(claims{"aud": nil, "client_id": "app", "token_use": "access"}, "")
	j.want(claims{"aud": []string{}, "client_id": "app", "token_use": "access"}, "")
	j.want(claims{"aud": nil, "client_id": "other", "token_use": "access"}, reason.Audience)
	j.want(claims{"aud": nil, "token_use": "access"}, reason.ClaimMissing)
	j.want(claims{"aud": nil, "client_id": []string{"app"}, "token_use": "access"}, reason.ClaimMalformed)
	j.want(claims{"aud": nil, "client_id": "app", "token_use": "id"}, reason.ClaimValue)
	j.want(claims{"aud": nil, "client_id": "app"}, reason.ClaimMissing)
	j.want(claims{"aud": "other", "client_id": "app", "token_use": "access"}, reason.Audience) // it has one
	j.want(claims{"aud": "api", "client_id": "whoever", "token_use": "access"}, "")
	j.want(claims{"aud": nil, "client_id": "app", "token_use": "access"}, reason.Audience, verifier.WithAudience("api"))
	j.want(claims{"iss": "https://b.example", "aud": nil, "client_id": "app"}, reason.ClaimMissing)
	j.want(claims{"iss": "https://b.example", "aud": []string{}, "client_id": "app"}, reason.Audience)

	only := newCourt(t, verifier.Config{Issuers: []verifier.Issuer{{Name: "https://a.example", NoAudience: rule}}})
	only.want(claims{"aud": nil, "client_id": "app"}, "")
	only.want(claims{"aud": "api", "client_id": "app"}, reason.Audience) // no audience is configured
}

// TestAudienceOfACall comes on top of that of the configuration.
func TestAudienceOfACall(t *testing.T) {
	for _, memo := range []int{0, 10} {
		j := newCourt(t, verifier.Config{Audiences: []string{"one", "two"}, Issuers: []verifier.Issuer{{Name: "https://a.example"}}, TokenMemo: memo})
		for range 2 {
			j.want(claims{"aud": "one"}, "", verifier.WithAudience("one"))
			j.want(claims{"aud": "one"}, reason.Audience, verifier.WithAudience("two"))
			j.want(claims{"aud": "three"}, reason.Audience, verifier.WithAudience("three"))
			j.want(claims{"aud": []string{"one", "three"}}, "", verifier.WithAudience("three"))
		}
	}
}

// TestClaimPlaces: the first place that is there decides, even when it is empty.
func TestClaimPlaces(t *testing.T) {
	j := newCourt(t, verifier.Config{Audience: "api", Issuers: []verifier.Issuer{
		{Name: "https://a.example"},
		{Name: "https://b.example", Claims: verifier.ClaimNames{Scope: []string{"https://b.example/scopes", "ext.scope"}, Permissions: []string{"realm_access.roles", "/a.b/r~1s"}}},
	}})
	b := func(more claims) claims { more["iss"] = "https://b.example"; return more }
	for _, c := range []struct {
		claims             claims
		scope, client, all string
		want               verifier.Reason
	}{
		{claims: claims{"scope": "r w"}, scope: "r w"},
		{claims: claims{"scope": []string{"r", "w"}}, scope: "r w"},
		{claims: claims{"scp": []string{"r"}}, scope: "r"},
		{claims: claims{"scp": "r w"}, scope: "r w"},
		{claims: claims{"scope": "", "scp": "r"}},
		{claims: claims{"scope": []string{}, "scp": "r"}},
		{claims: claims{"scope": "r\tw"}, scope: "r\tw"},
		{claims: claims{"scope": 1}, want: reason.ClaimMalformed},
		{claims: claims{"scope": []any{"r", 1}}, want: reason.ClaimMalformed},
		{claims: claims{"scope": []string{"r w"}}, want: reason.ClaimMalformed},
		{claims: claims{"scope": []string{""}}, want: reason.ClaimMalformed},
		{claims: claims{"scope": map[string]any{}}, want: reason.ClaimMalformed},
		{claims: claims{"scope": json.RawMessage("null"), "scp": "r"}, want: reason.ClaimMalformed},
		{claims: claims{"client_id": "c", "azp": "a", "cid": "i", "appid": "p"}, client: "c"},
		{claims: claims{"azp": "a", "cid": "i", "appid": "p"}, client: "a"},
		{claims: claims{"cid": "i", "appid": "p"}, client: "i"},
		{claims: claims{"appid": "p"}, client: "p"},
		{claims: claims{"client_id": "", "azp": "a"}},
		{claims: claims{"client_id": 7}, want: reason.ClaimMalformed},
		{claims: claims{"permissions": []string{"a b", "c"}}, all: "a b,c"},
		{claims: claims{"permissions": 7}, want: reason.ClaimMalformed},
		{claims: b(claims{"scope": "r", "https://b.example/scopes": "w"}), scope: "w"},
		{claims: b(claims{"scope": "r", "ext": claims{"scope": []string{"x"}}}), scope: "x"},
		{claims: b(claims{"scope": "r"})},
		{claims: b(claims{"realm_access": claims{"roles": []string{"admin"}}, "permissions": []string{"p"}}), all: "admin"},
		{claims: b(claims{"realm_access": "x", "a.b": claims{"r/s": []string{"z"}}}), all: "z"},
		{claims: b(claims{"realm_access": claims{"roles": claims{}}}), want: reason.ClaimMalformed},
		{claims: b(claims{"realm_access.roles": []string{"admin"}})},
	} {
		token := j.want(c.claims, c.want)
		if token == nil {
			continue
		}
		if all := strings.Join(token.Permissions(), ","); token.Scope != c.scope || token.ClientID != c.client || all != c.all {
			t.Errorf("%v: scope %q, client %q, permissions %q; want %q, %q, %q", c.claims, token.Scope, token.ClientID, all, c.scope, c.client, c.all)
		}
		for _, scope := range token.Scopes() {
			if !token.HasScope(scope) || strings.Contains(scope, " ") {
				t.Errorf("%v: HasScope(%q) is false", c.claims, scope)
			}
		}
	}
}

// TestRulesOfOneIssuer: algorithms, types, times and claims are those of the
// issuer, and no other one's.
func TestRulesOfOneIssuer(t *testing.T) {
	j := newCourt(t, verifier.Config{Audience: "api", RequiredClaims: []string{"sub"}, Issuers: []verifier.Issuer{
		{Name: "https://a.example"},
		{Name: "https://b.example", Optional: []string{"iat"}, Types: []string{"JOSE"}, Leeway: time.Minute, RequiredClaims: []string{"org"}},
		{Name: "https://c.example", Profile: verifier.ProfileRFC9068},
		{Name: "https://d.example", Algorithms: []string{"RS256"}},
	}})
	b := func(more claims) claims { more["iss"] = "https://b.example"; return more }
	j.want(claims{"iat": nil}, reason.ClaimMissing)
	j.want(b(claims{"iat": nil, "org": "o"}), "")
	j.want(b(claims{"iat": "x", "org": "o"}), reason.ClaimMalformed)
	j.want(b(claims{}), reason.ClaimMissing)
	j.want(b(claims{"org": "o", "sub": nil}), reason.ClaimMissing)
	j.want(claims{"exp": issuersNow - 30}, reason.Expired)
	j.want(b(claims{"exp": issuersNow - 30, "org": "o"}), "")
	j.want(b(claims{"exp": nil, "org": "o"}), reason.ClaimMissing)
	j.want(claims{"iss": "https://d.example"}, reason.Algorithm)
	for _, c := range []struct {
		iss, typ string
		want     verifier.Reason
	}{
		{"https://a.example", "JWT", ""}, {"https://a.example", "application/jwt", ""}, {"https://a.example", "application/AT+JWT", ""},
		{"https://a.example", "JOSE", reason.TokenType}, {"https://b.example", "JOSE", ""}, {"https://b.example", "application/jose", ""},
		{"https://b.example", "x/jose", reason.TokenType}, {"https://b.example", "application/x/jose", reason.TokenType},
		{"https://b.example", "dpop+jwt", reason.TokenType}, {"https://c.example", "JWT", reason.TokenType},
	} {
		_, err := j.VerifyAccessToken(t.Context(), j.token(`{"alg":"EdDSA","kid":"1","typ":"`+c.typ+`"}`, claims{"iss": c.iss, "org": "o", "client_id": "c", "jti": "j"}))
		if got := reasonOf(t, err); got != c.want {
			t.Errorf("typ %s of %s: %q; want %q", c.typ, c.iss, got, c.want)
		}
	}
}

// TestTokensWithoutIssuer are known by their subject, byte by byte.
func TestTokensWithoutIssuer(t *testing.T) {
	j := newCourt(t, verifier.Config{Audience: "api", Issuers: []verifier.Issuer{
		{Name: "https://a.example"}, {Name: "spiffe://example.org", SubjectPrefix: "spiffe://example.org/"},
	}})
	for sub, want := range map[string]verifier.Reason{
		"spiffe://example.org/ns/x": "", "spiffe://example.org/": reason.IssuerMissing, "spiffe://example.org.evil/x": reason.IssuerMissing,
		"spiffe://EXAMPLE.org/x": reason.IssuerMissing, "": reason.IssuerMissing,
	} {
		token := j.want(claims{"iss": nil, "sub": sub}, want)
		if token != nil && (token.Issuer != "" || token.IssuerName != "spiffe://example.org") {
			t.Errorf("Issuer %q, IssuerName %q", token.Issuer, token.IssuerName)
		}
	}
	j.want(claims{"iss": "spiffe://example.org", "sub": "spiffe://example.org/x"}, "")
	j.want(claims{"iss": "spiffe://example.org", "sub": "spiffe://other.example/x"}, reason.ClaimValue)
	j.want(claims{"iss": "", "sub": "spiffe://example.org/x"}, reason.IssuerMissing)
	alone := newCourt(t, verifier.Config{Audience: "api", Issuers: []verifier.Issuer{{Name: "https://a.example"}}})
	alone.want(claims{"iss": nil, "sub": "spiffe://example.org/x"}, reason.IssuerMissing)
}

// TestHTTPIsForNames: a name may be http; documents are fetched over it only where
// that is said.
func TestHTTPIsForNames(t *testing.T) {
	for name, c := range map[string]struct {
		issuer verifier.Issuer
		hosts  []string
		field  string // refused by New
	}{
		"name, keys over https":      {verifier.Issuer{Name: "http://sts.example/x", Keys: verifier.KeysURL("https://sts.example/keys")}, nil, ""},
		"name, discovery":            {verifier.Issuer{Name: "http://sts.example/x"}, nil, "Issuers[0].Name"},
		"name, discovery, listed":    {verifier.Issuer{Name: "http://sts.example/x"}, []string{"sts.example"}, ""},
		"name, discovery, loopback":  {verifier.Issuer{Name: "http://localhost:8080/realms/dev"}, nil, ""},
		"name, discovery, 127.0.0.1": {verifier.Issuer{Name: "http://127.0.0.1:8080/realms/dev"}, nil, ""},
		"keys over http":             {verifier.Issuer{Name: "https://sts.example", Keys: verifier.KeysURL("http://sts.example/keys")}, nil, "Issuers[0].Keys"},
		"metadata over http":         {verifier.Issuer{Name: "https://sts.example", Keys: verifier.KeysMetadata("http://sts.example/m")}, nil, "Issuers[0].Keys"},
		"keys over http, listed":     {verifier.Issuer{Name: "https://sts.example", Keys: verifier.KeysURL("http://sts.example/keys")}, []string{"sts.example"}, ""},
		"no URL, discovery":          {verifier.Issuer{Name: "did:web:x"}, nil, "Issuers[0].Name"},
		"credentials, discovery":     {verifier.Issuer{Name: "https://a:b@sts.example/x"}, nil, "Issuers[0].Name"},
		"query, discovery":           {verifier.Issuer{Name: "https://sts.example/x?y=z"}, nil, "Issuers[0].Name"},
		"empty query, discovery":     {verifier.Issuer{Name: "https://sts.example/x?"}, nil, "Issuers[0].Name"},
		"fragment, discovery":        {verifier.Issuer{Name: "https://sts.example/x#y"}, nil, "Issuers[0].Name"},
		"query, keys elsewhere":      {verifier.Issuer{Name: "https://sts.example/x?y=z", Keys: verifier.KeysURL("https://sts.example/keys")}, nil, ""},
	} {
		v, err := verifier.New(verifier.Config{Audience: "api", Issuers: []verifier.Issuer{c.issuer}, HTTPHosts: c.hosts})
		var e *verifier.ConfigError
		switch {
		case err == nil:
			_ = v.Close()
			if c.field != "" {
				t.Errorf("%s: no error; want %s to be refused", name, c.field)
			}
		case !errors.As(err, &e) || e.Field != c.field:
			t.Errorf("%s: %v; want %q to be refused", name, err, c.field)
		case !strings.HasPrefix(c.issuer.Name, "http://") && c.issuer.Keys == (verifier.Keys{}) && !strings.Contains(e.Problem, "set Keys"):
			t.Errorf("%s: %v; want the remedy to be told", name, err)
		}
	}
	// Metadata that came over https never leads to http, not even on a listed host.
	d := &documents{bodies: map[string]string{
		"https://a.example/.well-known/openid-configuration": `{"issuer":"https://a.example","jwks_uri":"http://a.example/keys"}`,
		"http://a.example/keys":                              `{"keys":[]}`,
	}}
	j := newCourt(t, verifier.Config{Domain: "a.example", Audience: "api", Doer: d, HTTPHosts: []string{"a.example"}})
	j.want(nil, reason.Keys)
	if len(d.asked) != 1 {
		t.Errorf("asked %v; want the metadata alone", d.asked)
	}
}

// TestMistakesOfIssuers are told by New, all at once, with entry, field and value.
func TestMistakesOfIssuers(t *testing.T) {
	good := verifier.Issuer{Name: "a.example", Keys: verifier.KeysStatic([]byte(`{"keys":[]}`))}
	for field, change := range map[string]func(*verifier.Issuer){
		"Issuers[0].Name":              func(i *verifier.Issuer) { i.Name = "" },
		"Issuers[0].Name ":             func(i *verifier.Issuer) { i.Name = "a.example " },
		"Issuers[0].Name  ":            func(i *verifier.Issuer) { i.Name = "https://a.example/.well-known/openid-configuration" },
		"Issuers[0].Name   ":           func(i *verifier.Issuer) { i.Name = "urn:" + strings.Repeat("x", 2045) },
		"Issuers[0].Name    ":          func(i *verifier.Issuer) { i.Name = "urn:a\x00b" },
		"Issuers[0].Name     ":         func(i *verifier.Issuer) { i.Name = "urn:a\x7f" },
		"Issuers[0].Aliases[1]":        func(i *verifier.Issuer) { i.Aliases = []string{"x", " "} },
		"Issuers[0].Audiences[0]":      func(i *verifier.Issuer) { i.Audiences = []string{"api "} },
		"Issuers[0].NoAudience.Values": func(i *verifier.Issuer) { i.NoAudience.Claim = "azp" },
		"Issuers[0].NoAudience.Values[1]": func(i *verifier.Issuer) {
			i.NoAudience = verifier.AudienceRule{Claim: "azp", Values: []string{"x", " "}}
		},
		"Issuers[0].NoAudience.Claim":   func(i *verifier.Issuer) { i.NoAudience.Values = []string{"x"} },
		"Issuers[0].Algorithms[0]":      func(i *verifier.Issuer) { i.Algorithms = []string{"HS256"} },
		"Issuers[0].RequiredClaims[0]":  func(i *verifier.Issuer) { i.RequiredClaims = []string{""} },
		"Issuers[0].RequiredValues":     func(i *verifier.Issuer) { i.RequiredValues = map[string][]string{"x": nil} },
		"Issuers[0].Optional[0]":        func(i *verifier.Issuer) { i.Optional = []string{"exp"} },
		"Issuers[0].Optional[0] ":       func(i *verifier.Issuer) { i.Optional = []string{"aud"} },
		"Issuers[0].Optional[0]  ":      func(i *verifier.Issuer) { i.Optional, i.Profile = []string{"iat"}, verifier.ProfileRFC9068 },
		"Issuers[0].Types[0]":           func(i *verifier.Issuer) { i.Types = []string{"application/DPoP+jwt"} },
		"Issuers[0].Types[1]":           func(i *verifier.Issuer) { i.Types = []string{"x", " y"} },
		"Issuers[0].Leeway":             func(i *verifier.Issuer) { i.Leeway = 60 },
		"Issuers[0].Profile":            func(i *verifier.Issuer) { i.Profile = 9 },
		"Issuers[0].Claims.Scope[0]":    func(i *verifier.Issuer) { i.Claims.Scope = []string{"a..b"} },
		"Issuers[0].Claims.ClientID[1]": func(i *verifier.Issuer) { i.Claims.ClientID = []string{"x", "/a//b"} },
		"Issuers[0].Claims.Scope[0] ":   func(i *verifier.Issuer) { i.Claims.Scope = []string{"/"} },
		"Issuers[0].SubjectPrefix":      func(i *verifier.Issuer) { i.SubjectPrefix = "spiffe://example.org" },
		"Issuers[0].SubjectPrefix ":     func(i *verifier.Issuer) { i.SubjectPrefix = "example.org/" },
		"Issuers[0].SubjectPrefix  ":    func(i *verifier.Issuer) { i.SubjectPrefix = "spiffe://" }, // every trust domain
		"Issuers[0].Keys":               func(i *verifier.Issuer) { i.Keys = verifier.KeysURL("ftp://x/") },
		"Issuers[0].Keys ":              func(i *verifier.Issuer) { i.Keys = verifier.KeysFile("") },
		"Issuers[0].Keys  ":             func(i *verifier.Issuer) { i.Keys = verifier.KeysFrom((*nilFetcher)(nil)) },
		"Issuers[0].Keys   ":            func(i *verifier.Issuer) { i.Keys = verifier.KeysShared("x", verifier.Keys{}) },
		"Issuers[0].Keys    ":           func(i *verifier.Issuer) { i.Keys = verifier.KeysShared("", verifier.KeysURL("https://a.example/keys")) },
		"Issuers[0].Keys     ":          func(i *verifier.Issuer) { i.Keys = i.Keys.ForUse("enc") },
		"Issuers[0].Keys      ":         func(i *verifier.Issuer) { i.Keys = i.Keys.ForUse("") },
		"Issuers[0].Keys[0]":            func(i *verifier.Issuer) { i.Keys = verifier.KeysDiscovery("https://x") },
		"Issuers[0].Doer":               func(i *verifier.Issuer) { i.Doer = (*documents)(nil) },
		"Issuers[0].Encryption":         func(i *verifier.Issuer) { i.Encryption.Required = true },
		"Issuers[0].Encryption.Keys[0]": func(i *verifier.Issuer) { i.Encryption.Keys = []string{"x"} },
		"Issuers[0].Opaque":             func(i *verifier.Issuer) { i.Opaque.JWTs = true },
	} {
		issuer := good
		change(&issuer)
		_, err := verifier.New(verifier.Config{Audience: "api", Issuers: []verifier.Issuer{issuer}})
		var e *verifier.ConfigError
		if !errors.As(err, &e) || !errors.Is(err, verifier.ErrConfig) || e.Field != strings.TrimSpace(field) {
			t.Errorf("%s: %v; want a ConfigError of the field", field, err)
		}
	}
	_, err := verifier.New(verifier.Config{Issuers: []verifier.Issuer{good}})
	var e *verifier.ConfigError
	if !errors.As(err, &e) || e.Field != "Issuers[0].Audiences" {
		t.Errorf("without any audience: %v; want Issuers[0].Audiences to be refused", err)
	}
	_, err = verifier.New(verifier.Config{Audience: " ", CacheTTL: 600, Leeway: 60, Issuers: []verifier.Issuer{{Name: ""}, {Name: "b.example ", Algorithms: []string{"rs256"}}}})
	for _, want := range []string{"Audience", "CacheTTL 600ns", "600 * time.Second", "Leeway 60ns", "Issuers[0].Name", `Issuers[1].Name "b.example "`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want all mistakes at once, %q too", err, want)
		}
	}
	_, err = verifier.New(verifier.Config{Audience: "api", Domains: resolver.Static("a.example"), Issuers: []verifier.Issuer{{Name: "tennant.example"}}})
	if err == nil || !strings.Contains(err.Error(), "tennant.example") {
		t.Errorf("rules for an issuer that is not in the list: %v", err)
	}
}

type nilFetcher struct{}

func (*nilFetcher) FetchKeys(context.Context, verifier.KeyRequest) (verifier.KeySet, error) {
	return verifier.KeySet{}, nil
}

// tenants is an IssuerResolver.
type tenants struct {
	asked  int
	answer func(verifier.ResolveRequest) (*verifier.Issuer, error)
}

func (r *tenants) ResolveDomains(context.Context, verifier.ResolveRequest) ([]string, error) {
	return nil, errors.New("an IssuerResolver is not asked for domains")
}

func (r *tenants) ResolveIssuer(_ context.Context, req verifier.ResolveRequest) (*verifier.Issuer, error) {
	r.asked++
	return r.answer(req)
}

// TestIssuerResolver: it is asked for every token, what it returns must hold the
// token's iss, and a refusal is no outage.
func TestIssuerResolver(t *testing.T) {
	keys := verifier.KeysStatic(newFuzzWorld(t, nil).jwks())
	for _, memo := range []int{0, 10} {
		r := &tenants{}
		j := newCourt(t, verifier.Config{Domains: r, Audience: "api", TokenMemo: memo, Issuers: []verifier.Issuer{{Name: "b.example", Audiences: []string{"special"}}}})
		for name, c := range map[string]struct {
			issuer *verifier.Issuer
			err    error
			claims claims
			want   verifier.Reason
		}{
			"good":                 {&verifier.Issuer{Name: "https://a.example", Keys: keys}, nil, nil, ""},
			"a domain":             {&verifier.Issuer{Name: "a.example", Keys: keys}, nil, nil, ""},
			"another issuer":       {&verifier.Issuer{Name: "https://c.example", Keys: keys}, nil, nil, reason.IssuerNotAllowed},
			"another spelling":     {&verifier.Issuer{Name: "https://a.example/", Keys: keys}, nil, nil, reason.IssuerNotAllowed},
			"its rules":            {&verifier.Issuer{Name: "https://a.example", Keys: keys, Audiences: []string{"other"}}, nil, nil, reason.Audience},
			"not allowed":          {nil, verifier.ErrNotAllowed, nil, reason.IssuerNotAllowed},
			"wrapped":              {nil, resolver.ErrNoMatch, nil, reason.IssuerNotAllowed},
			"down":                 {nil, errors.New("down"), nil, reason.Resolver},
			"nothing":              {nil, nil, nil, reason.Resolver},
			"an Issuer New denies": {&verifier.Issuer{Name: ""}, nil, nil, reason.Resolver},
			"a name of Issuers":    {&verifier.Issuer{Name: "b.example"}, nil, claims{"iss": "https://b.example/", "aud": "special"}, ""},
			"its audience":         {&verifier.Issuer{Name: "b.example"}, nil, claims{"iss": "https://b.example/"}, reason.Audience},
		} {
			for range 2 {
				asked := r.asked
				r.answer = func(verifier.ResolveRequest) (*verifier.Issuer, error) { return c.issuer, c.err }
				if c.claims == nil {
					c.claims = claims{}
				}
				c.claims["jti"] = name
				j.want(c.claims, c.want)
				if r.asked != asked+1 {
					t.Errorf("%s: the resolver was asked %d times; want once", name, r.asked-asked)
				}
			}
		}
	}
}

// TestSharedKeySets: a key that names an issuer signs for that one alone, or for
// all where it names what they share.
func TestSharedKeySets(t *testing.T) {
	w := newFuzzWorld(t, nil)
	key := strings.TrimSuffix(strings.TrimPrefix(string(w.jwks()), `{"keys":[`), `]}`)
	const shared = "https://login.example/{tenant}/v2.0"
	for member, want := range map[string][2]verifier.Reason{
		"":                           {"", ""},
		`"issuer":"` + shared + `",`: {"", ""},
		`"issuer":"https://login.example/one/v2.0",`:   {"", reason.KeyUnknown},
		`"issuer":"https://login.example/three/v2.0",`: {reason.KeyUnknown, reason.KeyUnknown},
		`"issuer":7,`: {reason.KeyUnknown, reason.KeyUnknown},
	} {
		keys := verifier.KeysShared(shared, verifier.KeysStatic([]byte(`{"keys":[`+strings.Replace(key, "{", "{"+member, 1)+`]}`)))
		j := newCourt(t, verifier.Config{Audience: "api", Issuers: []verifier.Issuer{
			{Name: "https://login.example/one/v2.0", Keys: keys}, {Name: "https://login.example/two/v2.0", Keys: keys},
		}})
		j.want(claims{"iss": "https://login.example/one/v2.0"}, want[0])
		j.want(claims{"iss": "https://login.example/two/v2.0"}, want[1])
		j.want(claims{"iss": shared}, reason.IssuerMalformed)
	}
}

// TestTenantsOfOneName: a resolver may give two tenants one iss and keys of their
// own. Neither memory, the shared cache nor the memo may mix them up.
func TestTenantsOfOneName(t *testing.T) {
	ours, theirs := newFuzzWorld(t, nil), newFuzzWorld(t, nil)
	theirs.issuer = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, ed25519.SeedSize))
	fetcher := func(w *fuzzWorld) verifier.KeyFetcher {
		return verifier.KeyFetcherFunc(func(context.Context, verifier.KeyRequest) (verifier.KeySet, error) {
			return verifier.KeySet{JWKS: w.jwks()}, nil
		})
	}
	urls := &documents{bodies: map[string]string{"https://one.example/keys": string(ours.jwks()), "https://two.example/keys": string(theirs.jwks())}}
	for name, keys := range map[string][2]verifier.Keys{
		"fetchers": {verifier.KeysFrom(fetcher(ours)), verifier.KeysFrom(fetcher(theirs))},
		"pointers": {verifier.KeysFrom(&oneFetcher{fetcher(ours)}), verifier.KeysFrom(&oneFetcher{fetcher(theirs)})},
		"values":   {verifier.KeysFrom(oneFetcher{fetcher(ours)}), verifier.KeysFrom(oneFetcher{fetcher(theirs)})},
		"URLs":     {verifier.KeysURL("https://one.example/keys"), verifier.KeysURL("https://two.example/keys")},
		"static":   {verifier.KeysStatic(ours.jwks()), verifier.KeysStatic(theirs.jwks())},
	} {
		r := &tenants{answer: func(req verifier.ResolveRequest) (*verifier.Issuer, error) {
			tenant := 0
			if req.Header().Get("Host") == "two" {
				tenant = 1
			}
			return &verifier.Issuer{Name: "https://a.example", Keys: keys[tenant]}, nil
		}}
		j := newCourt(t, verifier.Config{Domains: r, Audience: "api", Doer: urls, Cache: verifiertest.NewCache(nil, 0), TokenMemo: 10})
		for range 3 {
			for _, c := range []struct {
				host string
				w    *fuzzWorld
				good bool
			}{{"one", ours, true}, {"two", ours, false}, {"two", theirs, true}, {"one", theirs, false}} {
				j.w = c.w
				_, err := j.VerifyAccessToken(t.Context(), j.token("", nil), verifier.WithRequest("", http.Header{"Host": {c.host}}))
				if (err == nil) != c.good {
					t.Errorf("%s: tenant %s: %v; want accepted %v", name, c.host, err, c.good)
				}
			}
		}
	}
}

type oneFetcher struct{ verifier.KeyFetcher }
