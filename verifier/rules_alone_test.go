package verifier_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/reason"
)

// TestLeewayOfOneIssuer: it replaces that of Config, also by none.
func TestLeewayOfOneIssuer(t *testing.T) {
	j := newCourt(t, verifier.Config{Audience: "api", Leeway: time.Minute, Issuers: []verifier.Issuer{
		{Name: "https://a.example"}, {Name: "https://b.example", Leeway: -1}, {Name: "https://c.example", Leeway: 2 * time.Minute},
	}})
	for iss, want := range map[string][2]verifier.Reason{
		"https://a.example": {"", reason.Expired}, "https://b.example": {reason.Expired, reason.Expired}, "https://c.example": {"", ""},
	} {
		j.want(claims{"iss": iss, "exp": issuersNow - 30}, want[0])
		j.want(claims{"iss": iss, "exp": issuersNow - 90}, want[1])
		if want[0] != "" {
			j.want(claims{"iss": iss, "nbf": issuersNow + 30}, reason.NotYetValid)
		}
	}
}

// TestHostsOfKeysAreOfTheirIssuer: Config.KeyHosts are for issuers without Keys of their
// own, and the hosts of one issuer are for that one alone.
func TestHostsOfKeysAreOfTheirIssuer(t *testing.T) {
	jwks := string(newFuzzWorld(t, nil).jwks())
	for name, c := range map[string]struct {
		keys verifier.Keys
		host string
		ok   bool
	}{
		"no Keys":             {verifier.Keys{}, "all.example", true},
		"no Keys, other host": {verifier.Keys{}, "own.example", false},
		"own host":            {verifier.KeysDiscovery("own.example"), "own.example", true},
		"own host, capitals":  {verifier.KeysDiscovery("OWN.Example"), "own.example", true},
		"own host, of Config": {verifier.KeysDiscovery("own.example"), "all.example", false},
		"discovery":           {verifier.KeysDiscovery(), "all.example", false},
		"metadata":            {verifier.KeysMetadata("https://a.example/m"), "all.example", false},
		"metadata, own host":  {verifier.KeysMetadata("https://a.example/m", "own.example"), "own.example", true},
		"metadata, of Config": {verifier.KeysMetadata("https://a.example/m", "own.example"), "all.example", false},
		"of another issuer":   {verifier.KeysDiscovery("own.example"), "second.example", false},
	} {
		metadata := `{"issuer":"https://a.example","jwks_uri":"https://` + c.host + `/keys"}`
		d := &documents{bodies: map[string]string{
			"https://a.example/.well-known/openid-configuration": metadata, "https://a.example/m": metadata, "https://" + c.host + "/keys": jwks,
		}}
		v, err := verifier.New(verifier.Config{
			Audience: "api", Algorithms: []string{"EdDSA"}, Clock: verifier.ClockFunc(func() time.Time { return time.Unix(issuersNow, 0) }), Doer: d,
			KeyHosts: []string{"all.example"}, Issuers: []verifier.Issuer{
				{Name: "https://a.example", Keys: c.keys}, {Name: "https://b.example", Keys: verifier.KeysDiscovery("second.example")},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		token := (&court{t, v, newFuzzWorld(t, nil)}).token("", nil)
		_, err = v.VerifyAccessToken(t.Context(), token)
		if got := reasonOf(t, err); (got == "") != c.ok || !c.ok && got != reason.Keys {
			t.Errorf("%s: %v; want accepted %v", name, err, c.ok)
		}
		if asked := len(d.asked); asked != map[bool]int{true: 2, false: 1}[c.ok] {
			t.Errorf("%s: asked %v", name, d.asked)
		}
		_ = v.Close()
	}
}

// TestTypesAreMediaTypes: "application/" in front does not count before a value that
// has no other slash, and counts before one that has (RFC 7515, Section 4.1.9).
func TestTypesAreMediaTypes(t *testing.T) {
	j := newCourt(t, verifier.Config{Audience: "api", Issuers: []verifier.Issuer{{Name: "https://a.example", Types: []string{"x/jose", "y"}}}})
	for typ, want := range map[string]verifier.Reason{
		"x/jose": "", "X/JOSE": "", "application/x/jose": reason.TokenType, "y": "", "application/y": "", "application/application/y": reason.TokenType, "application/": reason.TokenType, "": reason.TokenType,
	} {
		_, err := j.VerifyAccessToken(t.Context(), j.token(`{"alg":"EdDSA","kid":"1","typ":"`+typ+`"}`, nil))
		if got := reasonOf(t, err); got != want {
			t.Errorf("typ %q: %q; want %q", typ, got, want)
		}
	}
}

// TestTypesOfOtherJWTs: no issuer can make another kind of JWT pass as an access token
// (RFC 8725, Section 3.12).
func TestTypesOfOtherJWTs(t *testing.T) {
	for _, typ := range []string{
		"dpop+jwt", "logout+jwt", "secevent+jwt", "statuslist+jwt", "token-introspection+jwt", "oauth-authz-req+jwt", "entity-statement+jwt", "client-authentication+jwt", "kb+jwt",
	} {
		for _, spelled := range []string{typ, strings.ToUpper(typ), "application/" + typ} {
			_, err := verifier.New(verifier.Config{Audience: "api", Issuers: []verifier.Issuer{{Name: "a.example", Types: []string{"JOSE", spelled}}}})
			var e *verifier.ConfigError
			if !errors.As(err, &e) || e.Field != "Issuers[0].Types[1]" {
				t.Errorf("Types with %q: %v; want it to be refused", spelled, err)
			}
		}
	}
}

// TestListsThatArePartlyGarbage: short or long, before the issuer or after it, such a
// list says that its resolver is broken.
func TestListsThatArePartlyGarbage(t *testing.T) {
	for _, length := range []int{2, 8, 9, 100} {
		for _, at := range []int{0, 1, length - 1} {
			list := make([]string, length)
			for i := range list {
				list[i] = fmt.Sprintf("%d.example", i)
			}
			list[(at+1)%length], list[at] = "a.example", "no domain"
			good := slices.Clone(list)
			good[at] = "b.example"
			for name, c := range map[string]struct {
				list []string
				want verifier.Reason
			}{"garbage": {list, reason.Resolver}, "good": {good, ""}} {
				j := newCourt(t, verifier.Config{
					Audience: "api", Issuers: []verifier.Issuer{{Name: "a.example"}},
					Domains: verifier.DomainResolverFunc(func(context.Context, verifier.ResolveRequest) ([]string, error) { return c.list, nil }),
				})
				for range 2 { // the second time the list is known
					if _, err := j.VerifyAccessToken(t.Context(), j.token("", nil)); reasonOf(t, err) != c.want {
						t.Errorf("%s at %d of %d: %v; want %q", name, at, length, err, c.want)
					}
				}
			}
		}
	}
}

// TestAnIssuerWithRulesIsNoMereName: what a resolver returns stands for the entry of
// Config.Issuers only if nothing but Name is set; one rule of its own, whichever, makes
// it an Issuer of its own. Here such a one has no keys that could be fetched.
func TestAnIssuerWithRulesIsNoMereName(t *testing.T) {
	nothing := &documents{}
	asked := verifier.IntrospectorFunc(func(context.Context, verifier.IntrospectionRequest) (verifier.Introspection, error) {
		return verifier.Introspection{Active: true}, nil
	})
	returned := &verifier.Issuer{}
	j := newCourt(t, verifier.Config{
		Audience: "api", Doer: nothing, Issuers: []verifier.Issuer{{Name: "a.example"}}, Decryption: verifier.DecryptionConfig{Keys: []verifier.DecryptionKey{{ID: "k", Private: tokensKey}}},
		Domains: &tenants{answer: func(verifier.ResolveRequest) (*verifier.Issuer, error) { return returned, nil }},
	})
	for name, rule := range map[string]verifier.Issuer{
		"Aliases": {Aliases: []string{"x"}}, "Keys": {Keys: verifier.KeysDiscovery()}, "Doer": {Doer: nothing}, "Audiences": {Audiences: []string{"api"}},
		"NoAudience": {NoAudience: verifier.AudienceRule{Claim: "azp", Values: []string{"x"}}}, "Algorithms": {Algorithms: []string{"EdDSA"}},
		"RequiredClaims": {RequiredClaims: []string{"sub"}}, "RequiredValues": {RequiredValues: map[string][]string{"sub": {"s"}}}, "Optional": {Optional: []string{"iat"}},
		"Types": {Types: []string{"x"}}, "Leeway": {Leeway: time.Second}, "no Leeway": {Leeway: -1}, "Profile": {Profile: verifier.ProfileJWT},
		"Claims.Scope": {Claims: verifier.ClaimNames{Scope: []string{"x"}}}, "Claims.ClientID": {Claims: verifier.ClaimNames{ClientID: []string{"x"}}},
		"Claims.Permissions": {Claims: verifier.ClaimNames{Permissions: []string{"x"}}}, "SubjectPrefix": {SubjectPrefix: "s://s/"},
		"Opaque": {Opaque: verifier.OpaqueTokens{Introspector: asked}}, "Encryption.Required": {Encryption: verifier.EncryptionRule{Required: true}},
		"Encryption.Keys": {Encryption: verifier.EncryptionRule{Keys: []string{"k"}}},
	} {
		rule.Name = "a.example"
		returned = &rule
		if token, err := j.VerifyAccessToken(t.Context(), j.token("", claims{"jti": name})); err == nil {
			t.Errorf("%s: accepted by the rules of Config.Issuers: %v", name, token.Claims())
		}
		returned = &verifier.Issuer{Name: "a.example"}
		j.want(claims{"jti": name}, "")
	}
}

// TestListsAreComparedInFull: a long list that differs from a known one in the middle
// alone is another one.
func TestListsAreComparedInFull(t *testing.T) {
	list := make([]string, 20)
	for i := range list {
		list[i] = fmt.Sprintf("%d.example", i)
	}
	with := slices.Clone(list)
	with[10] = "a.example"
	now := with
	j := newCourt(t, verifier.Config{
		Audience: "api", Issuers: []verifier.Issuer{{Name: "a.example"}},
		Domains: verifier.DomainResolverFunc(func(context.Context, verifier.ResolveRequest) ([]string, error) { return now, nil }),
	})
	for range 3 {
		now = with
		j.want(nil, "")
		now = list
		j.want(nil, reason.IssuerNotAllowed)
	}
}

// TestAnIssuerWithOtherRulesForARememberedToken: a token that is remembered under the
// rules of one tenant is judged anew under those of another one, though name and keys
// are the same.
func TestAnIssuerWithOtherRulesForARememberedToken(t *testing.T) {
	keys := verifier.KeysStatic(newFuzzWorld(t, nil).jwks())
	base := verifier.Issuer{Name: "https://a.example", Keys: keys}
	with := func(change func(*verifier.Issuer)) *verifier.Issuer {
		i := base
		change(&i)
		return &i
	}
	for name, c := range map[string]struct {
		other *verifier.Issuer
		want  verifier.Reason
	}{
		"audiences":  {with(func(i *verifier.Issuer) { i.Audiences = []string{"other"} }), reason.Audience},
		"algorithms": {with(func(i *verifier.Issuer) { i.Algorithms = []string{"RS256"} }), reason.Algorithm},
		"claims":     {with(func(i *verifier.Issuer) { i.RequiredClaims = []string{"org"} }), reason.ClaimMissing},
		"values":     {with(func(i *verifier.Issuer) { i.RequiredValues = map[string][]string{"sub": {"other"}} }), reason.ClaimValue},
		"profile":    {with(func(i *verifier.Issuer) { i.Profile = verifier.ProfileRFC9068 }), reason.ClaimMissing},
		"encryption": {with(func(i *verifier.Issuer) { i.Encryption.Required = true }), reason.TokenNotEncrypted},
		"prefix":     {with(func(i *verifier.Issuer) { i.SubjectPrefix = "s://s/" }), reason.ClaimValue},
		"none":       {with(func(i *verifier.Issuer) { i.Leeway = time.Second }), ""},
	} {
		returned := &base
		j := newCourt(t, verifier.Config{
			Audience: "api", TokenMemo: 10, Decryption: verifier.DecryptionConfig{Keys: []verifier.DecryptionKey{{ID: "k", Private: tokensKey}}},
			Domains: &tenants{answer: func(verifier.ResolveRequest) (*verifier.Issuer, error) { return returned, nil }},
		})
		token := j.token(`{"alg":"EdDSA","kid":"1","typ":"at+jwt"}`, nil)
		for range 3 {
			for _, step := range []struct {
				issuer *verifier.Issuer
				want   verifier.Reason
			}{{&base, ""}, {&base, ""}, {c.other, c.want}, {c.other, c.want}} {
				returned = step.issuer
				if _, err := j.VerifyAccessToken(t.Context(), token); reasonOf(t, err) != step.want {
					t.Errorf("%s: %v; want %q", name, err, step.want)
				}
			}
		}
	}
}
