package verifier_test

import (
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/reason"
)

// rulesKey is made once: making one takes longer than all else here.
var rulesKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// judged verifies a token of one issuer with rules of its own.
func judged(t *testing.T, rules verifier.Issuer, claims map[string]any) (*verifier.Token, reason.Reason) {
	t.Helper()
	key, err := rulesKey()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1_750_000_000, 0)
	rules.Name, rules.Keys = "a.example", verifier.KeysStatic(publicJWKS(&key.PublicKey, "k"))
	v, err := verifier.New(verifier.Config{Audience: audience, Issuers: []verifier.Issuer{rules}, Clock: verifier.ClockFunc(func() time.Time { return now })})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	all := map[string]any{"iss": "https://a.example/", "sub": "s", "aud": audience, "iat": now.Unix(), "exp": now.Unix() + 60}
	for name, value := range claims {
		all[name] = value
	}
	token, err := v.VerifyAccessToken(t.Context(), signRS256(t, key, map[string]any{"alg": "RS256", "kid": "k", "typ": "at+jwt"}, all))
	if e, ok := errors.AsType[*verifier.Error](err); ok {
		return nil, e.Reason
	}
	return token, ""
}

func TestRequiredValues(t *testing.T) {
	rules := verifier.Issuer{RequiredValues: map[string][]string{"use": {"access", "other"}}}
	for name, test := range map[string]struct {
		claims map[string]any
		want   reason.Reason
	}{
		"the one":     {map[string]any{"use": "access"}, ""},
		"the other":   {map[string]any{"use": "other"}, ""},
		"another":     {map[string]any{"use": "id"}, reason.ClaimValue},
		"nothing":     {map[string]any{"use": ""}, reason.ClaimValue},
		"a number":    {map[string]any{"use": 1}, reason.ClaimValue},
		"a list":      {map[string]any{"use": []string{"access"}}, reason.ClaimValue},
		"null":        {map[string]any{"use": nil}, reason.ClaimMissing},
		"no claim":    {nil, reason.ClaimMissing},
		"other case":  {map[string]any{"Use": "access"}, reason.ClaimMissing},
		"part of one": {map[string]any{"use": "acc"}, reason.ClaimValue},
	} {
		if _, got := judged(t, rules, test.claims); got != test.want {
			t.Errorf("%s: reason %q; want %q", name, got, test.want)
		}
	}
}

// TestNotBeforeHasLeeway: nbf counts with the leeway, and a token without one has
// none.
func TestNotBeforeHasLeeway(t *testing.T) {
	const now = 1_750_000_000
	for name, test := range map[string]struct {
		leeway time.Duration
		claims map[string]any
		want   reason.Reason
	}{
		"no nbf":                    {0, nil, ""},
		"an nbf of 1970":            {0, map[string]any{"nbf": 0}, ""},
		"now":                       {0, map[string]any{"nbf": now}, ""},
		"in a second":               {0, map[string]any{"nbf": now + 1}, reason.NotYetValid},
		"in a second, with leeway":  {time.Second, map[string]any{"nbf": now + 1}, ""},
		"in two, with leeway":       {time.Second, map[string]any{"nbf": now + 2}, reason.NotYetValid},
		"expired now":               {0, map[string]any{"exp": now}, reason.Expired},
		"expired now, with leeway":  {time.Second, map[string]any{"exp": now}, ""},
		"expired once, with leeway": {time.Second, map[string]any{"exp": now - 1}, reason.Expired},
	} {
		if _, got := judged(t, verifier.Issuer{Leeway: test.leeway}, test.claims); got != test.want {
			t.Errorf("%s: reason %q; want %q", name, got, test.want)
		}
	}
}

// TestOnePlaceOfThree: an issuer that says where one thing is leaves the others
// where they are by default.
func TestOnePlaceOfThree(t *testing.T) {
	claims := map[string]any{
		"scope": "a b", "client_id": "c", "permissions": []string{"p"},
		"x": map[string]any{"scopes": []string{"d", "e"}, "client": "f", "rights": []string{"q", "r"}},
	}
	for name, test := range map[string]struct {
		names       verifier.ClaimNames
		scope       string
		client      string
		permissions []string
	}{
		"nothing":     {verifier.ClaimNames{}, "a b", "c", []string{"p"}},
		"scope":       {verifier.ClaimNames{Scope: []string{"x.scopes"}}, "d e", "c", []string{"p"}},
		"client":      {verifier.ClaimNames{ClientID: []string{"x.client"}}, "a b", "f", []string{"p"}},
		"permissions": {verifier.ClaimNames{Permissions: []string{"/x/rights"}}, "a b", "c", []string{"q", "r"}},
		"two of them": {verifier.ClaimNames{Scope: []string{"x.scopes"}, ClientID: []string{"x.client"}}, "d e", "f", []string{"p"}},
		"none there":  {verifier.ClaimNames{Scope: []string{"y.scopes"}, ClientID: []string{"x.scopes.client"}, Permissions: []string{"z"}}, "", "", nil},
	} {
		token, refused := judged(t, verifier.Issuer{Claims: test.names}, claims)
		if token == nil {
			t.Errorf("%s: refused for %q", name, refused)
			continue
		}
		if token.Scope != test.scope || token.ClientID != test.client || !slices.Equal(token.Permissions(), test.permissions) {
			t.Errorf("%s: scope %q, client %q, permissions %q; want %q, %q, %q", name, token.Scope, token.ClientID, token.Permissions(), test.scope, test.client, test.permissions)
		}
	}
	for name, value := range map[string]any{
		"a number": 1, "a list with a number": []any{"p", 1}, "a list with a list": []any{"p", []string{"q"}}, "an object": map[string]any{"p": true}, "null": nil, "a list with null": []any{nil},
	} {
		if _, got := judged(t, verifier.Issuer{}, map[string]any{"permissions": value}); got != reason.ClaimMalformed {
			t.Errorf("permissions that are %s: reason %q; want %q", name, got, reason.ClaimMalformed)
		}
	}
	if token, _ := judged(t, verifier.Issuer{}, map[string]any{"permissions": "one"}); token == nil || !slices.Equal(token.Permissions(), []string{"one"}) {
		t.Errorf("permissions that are a text: %v; want a list of one", token)
	}
	for name, value := range map[string]any{"a list with an empty word": []string{"a", ""}, "a list with two words in one": []string{"a b"}, "a list with a number": []any{1}, "a number": 1} {
		if _, got := judged(t, verifier.Issuer{}, map[string]any{"scope": value}); got != reason.ClaimMalformed {
			t.Errorf("a scope that is %s: reason %q; want %q", name, got, reason.ClaimMalformed)
		}
	}
	if token, _ := judged(t, verifier.Issuer{}, map[string]any{"scope": []string{}}); token == nil || token.Scope != "" || len(token.Scopes()) != 0 {
		t.Errorf("a scope that is an empty list: %v; want none", token)
	}
}

// TestProfilesAreThoseOfThePackage: each is taken, and what is beside them is not.
func TestProfilesAreThoseOfThePackage(t *testing.T) {
	for p := verifier.ProfileDefault - 1; p <= verifier.ProfileJWT+1; p++ {
		v, err := verifier.New(verifier.Config{Audience: audience, Issuers: []verifier.Issuer{{Name: "a.example", Profile: p}}})
		if ok := p >= verifier.ProfileDefault && p <= verifier.ProfileJWT; (err == nil) != ok {
			t.Errorf("New with profile %d = %v; want an error: %v", p, err, !ok)
		}
		if v != nil {
			_ = v.Close()
		}
	}
}

// TestRequiredEmptyText is met by no claim of another kind.
func TestRequiredEmptyText(t *testing.T) {
	rules := verifier.Issuer{RequiredValues: map[string][]string{"use": {""}}}
	for _, test := range []struct {
		value any
		want  reason.Reason
	}{{"", ""}, {1, reason.ClaimValue}, {[]string{}, reason.ClaimValue}, {"a", reason.ClaimValue}} {
		if _, got := judged(t, rules, map[string]any{"use": test.value}); got != test.want {
			t.Errorf("use %v: %q; want %q", test.value, got, test.want)
		}
	}
}

// TestIssuersWithoutAudience: nothing would tell whom their tokens are for.
func TestIssuersWithoutAudience(t *testing.T) {
	keys := verifier.KeysStatic([]byte(`{"keys":[]}`))
	for name, test := range map[string]struct {
		issuer verifier.Issuer
		good   bool
	}{
		"none":                  {verifier.Issuer{}, false},
		"an audience":           {verifier.Issuer{Audiences: []string{"a"}}, true},
		"an empty audience":     {verifier.Issuer{Audiences: []string{""}}, false},
		"a rule":                {verifier.Issuer{NoAudience: verifier.AudienceRule{Claim: "client_id", Values: []string{"c"}}}, true},
		"a rule, no values":     {verifier.Issuer{NoAudience: verifier.AudienceRule{Claim: "client_id"}}, false},
		"a rule, empty value":   {verifier.Issuer{NoAudience: verifier.AudienceRule{Claim: "client_id", Values: []string{""}}}, false},
		"aud optional, no rule": {verifier.Issuer{Audiences: []string{"a"}, Optional: []string{"aud"}}, false},
		"aud optional, a rule":  {verifier.Issuer{Optional: []string{"aud"}, NoAudience: verifier.AudienceRule{Claim: "client_id", Values: []string{"c"}}}, true},
		"iat optional":          {verifier.Issuer{Audiences: []string{"a"}, Optional: []string{"iat"}}, true},
		"exp optional":          {verifier.Issuer{Audiences: []string{"a"}, Optional: []string{"exp"}}, false},
		"a rule without claim":  {verifier.Issuer{NoAudience: verifier.AudienceRule{Values: []string{"c"}}}, false},
	} {
		test.issuer.Name, test.issuer.Keys = "a.example", keys
		v, err := verifier.New(verifier.Config{Issuers: []verifier.Issuer{test.issuer}})
		if (err == nil) != test.good || err != nil && !errors.Is(err, verifier.ErrConfig) {
			t.Errorf("%s: New = %v; want an error: %v", name, err, !test.good)
		}
		if v != nil {
			_ = v.Close()
		}
	}
}

// TestAudiencesOfConfig: given once, and wherever it is needed.
func TestAudiencesOfConfig(t *testing.T) {
	keys := verifier.KeysStatic([]byte(`{"keys":[]}`))
	own := []verifier.Issuer{{Name: "a.example", Keys: keys, Audiences: []string{"a"}}}
	for name, test := range map[string]struct {
		cfg  verifier.Config
		good bool
	}{
		"one": {verifier.Config{Domain: "a.example", Audience: "a"}, true}, "a list": {verifier.Config{Domain: "a.example", Audiences: []string{"a", "b"}}, true},
		"both": {verifier.Config{Domain: "a.example", Audience: "a", Audiences: []string{"a"}}, false}, "none": {verifier.Config{Domain: "a.example"}, false},
		"of the issuer": {verifier.Config{Issuers: own}, true}, "of the issuer, and others by a resolver": {verifier.Config{Issuers: own, Domains: &looking{}}, false},
		"an empty one": {verifier.Config{Domain: "a.example", Audiences: []string{""}}, false},
	} {
		v, err := verifier.New(test.cfg)
		if (err == nil) != test.good || err != nil && !errors.Is(err, verifier.ErrConfig) {
			t.Errorf("%s: New = %v; want an error: %v", name, err, !test.good)
		}
		if v != nil {
			_ = v.Close()
		}
	}
}

// TestOwnLeewayReplacesThatOfConfig: its own, that of Config, or none.
func TestOwnLeewayReplacesThatOfConfig(t *testing.T) {
	w := newFuzzWorld(t, nil)
	late := change(t, fuzzClaims, "1767229200", "1767225570") // ended 30 s ago
	for _, test := range []struct {
		config, own time.Duration
		want        reason.Reason
	}{{0, 0, reason.Expired}, {time.Minute, 0, ""}, {0, time.Minute, ""}, {time.Minute, 10 * time.Second, reason.Expired}, {time.Minute, -1, reason.Expired}} {
		v, err := verifier.New(verifier.Config{
			Audience: fuzzAudience, Algorithms: []string{"EdDSA"}, Leeway: test.config, Clock: verifier.ClockFunc(func() time.Time { return time.Unix(fuzzNow, 0) }),
			Issuers: []verifier.Issuer{{Name: "tenant.example.com", Leeway: test.own, Keys: verifier.KeysStatic(w.jwks())}},
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = v.VerifyAccessToken(t.Context(), w.token(fuzzHeader, late))
		if got := reasonOf(t, err); got != test.want {
			t.Errorf("leeway of Config %v, of the issuer %v: %q; want %q", test.config, test.own, got, test.want)
		}
		_ = v.Close()
	}
}

// TestRequiredClaimsOfIssuersAreApart, also where those of all issuers are many.
func TestRequiredClaimsOfIssuersAreApart(t *testing.T) {
	w := newFuzzWorld(t, nil)
	keys := verifier.KeysStatic(w.jwks())
	var all []string
	for len(all) < 17 { // in Go, a copy of so many texts has room for one more
		all = append(all, "sub")
	}
	v, err := verifier.New(verifier.Config{
		Audience: fuzzAudience, Algorithms: []string{"EdDSA"}, RequiredClaims: all, Clock: verifier.ClockFunc(func() time.Time { return time.Unix(fuzzNow, 0) }),
		Issuers: []verifier.Issuer{{Name: "tenant.example.com", Keys: keys, RequiredClaims: []string{"one"}}, {Name: "b.example", Keys: keys, RequiredClaims: []string{"two"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	for claim, want := range map[string]reason.Reason{`"one":1,`: "", `"two":1,`: reason.ClaimMissing} {
		_, err := v.VerifyAccessToken(t.Context(), w.token(fuzzHeader, change(t, fuzzClaims, `"sub"`, claim+`"sub"`)))
		if got := reasonOf(t, err); got != want {
			t.Errorf("with %s: %q; want %q", claim, got, want)
		}
	}
}
