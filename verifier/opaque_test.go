package verifier_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/reason"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

const tokensAPI = "https://api.example.com/"

// desk is an Introspector that remembers what it was asked about.
type desk struct {
	mu     sync.Mutex
	asked  []verifier.IntrospectionRequest
	claims map[string]map[string]any
	err    error
	answer *verifier.Introspection // instead of claims
}

func (d *desk) Introspect(_ context.Context, req verifier.IntrospectionRequest) (verifier.Introspection, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = append(d.asked, req)
	if d.err != nil || d.answer != nil {
		if d.answer == nil {
			return verifier.Introspection{Active: true}, d.err
		}
		return *d.answer, d.err
	}
	claims, ok := d.claims[req.Token]
	if !ok {
		return verifier.Introspection{}, nil
	}
	data, err := json.Marshal(claims)
	return verifier.Introspection{Active: true, Claims: data}, err
}

func (d *desk) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.asked)
}

// office is an issuer with a desk, and a Verifier that knows both.
type office struct {
	*verifier.Verifier
	clock  *verifiertest.Clock
	issuer *verifiertest.Issuer
	desk   *desk
}

const officeName = "https://id.example.com/"

func newOffice(t *testing.T, change func(*verifier.Config)) *office {
	t.Helper()
	o := &office{clock: verifiertest.NewClock(time.Time{}), desk: &desk{claims: make(map[string]map[string]any)}}
	o.issuer = verifiertest.NewIssuer(t, verifiertest.WithURL(officeName), verifiertest.WithClock(o.clock), verifiertest.WithAlgorithm("ES256"))
	cfg := o.issuer.Config(tokensAPI)
	cfg.Domain, cfg.Issuers = "", []verifier.Issuer{{Name: officeName, Opaque: verifier.OpaqueTokens{Introspector: o.desk}}}
	if change != nil {
		change(&cfg)
	}
	v, err := verifier.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.Close() })
	o.Verifier = v
	return o
}

// opaque makes a token that the desk knows.
func (o *office) opaque(token string, extra map[string]any) string {
	o.desk.claims[token] = o.issuer.Claims(tokensAPI, extra)
	return token
}

func (o *office) verify(t *testing.T, token string, want verifier.Reason, opts ...verifier.VerifyOption) *verifier.Token {
	t.Helper()
	got, err := o.VerifyAccessToken(t.Context(), token, opts...)
	if r := reasonOf(t, err); r != want {
		t.Errorf("VerifyAccessToken(%.20q) = %q; want %q", token, r, want)
	}
	return got
}

func TestOpaqueToken(t *testing.T) {
	o := newOffice(t, nil)
	token := o.verify(t, o.opaque("abc-1", map[string]any{"scope": "read", "permissions": []string{"p"}}), "")
	if token == nil {
		t.Fatal("no token")
	}
	if token.IssuerName != officeName || token.Subject != "user-1" || !token.HasScope("read") || !token.HasPermission("p") || token.ClientID != "client-1" || token.Algorithm != "" {
		t.Errorf("the token is %v", token.Claims())
	}
	if got := o.desk.asked[0]; got.Issuer != officeName || got.Token != "abc-1" {
		t.Errorf("the desk was asked about %+v", got)
	}
	o.verify(t, "unknown", reason.TokenInactive)
}

func TestOpaqueTokenWithoutIntrospectorIsMalformed(t *testing.T) {
	o := newOffice(t, func(c *verifier.Config) { c.Issuers[0].Opaque = verifier.OpaqueTokens{} })
	o.verify(t, "abc", reason.TokenMalformed)
}

// What begins like a JWT is never shown to a server that is asked about tokens,
// however it fails.
func TestJWTThatFailedIsNotIntrospected(t *testing.T) {
	o := newOffice(t, nil)
	good := o.issuer.Sign(tokensAPI, nil)
	parts := strings.Split(good, ".")
	other := verifiertest.NewIssuer(t, verifiertest.WithURL("https://other.example.com/"), verifiertest.WithClock(o.clock), verifiertest.WithAlgorithm("ES256"))
	behind := func(space string) string { // a header with white space in front, which JSON allows
		return base64.RawURLEncoding.EncodeToString([]byte(space+`{"alg":"ES256"}`)) + "." + parts[1]
	}
	for name, token := range map[string]string{
		"blank in front":       behind(" "),
		"tab in front":         behind("\t"),
		"line feed in front":   behind("\n"),
		"return in front":      behind("\r"),
		"bad signature":        parts[0] + "." + parts[1] + "." + strings.Repeat("A", 86),
		"no signature":         parts[0] + "." + parts[1],
		"empty signature":      parts[0] + "." + parts[1] + ".",
		"four parts":           good + ".x",
		"six parts":            good + ".x.y.z",
		"encrypted":            o.issuer.Encrypt(verifiertest.Recipient{Key: tokensKey.Public()}, nil, good),
		"encrypted, cut":       parts[0] + "....",
		"header not canonical": parts[0] + "=." + parts[1] + "." + parts[2],
		"of another issuer":    other.Sign(tokensAPI, nil),
		"expired":              o.issuer.Sign(tokensAPI, map[string]any{"exp": 1}),
		"not an access token":  o.issuer.SignWith(map[string]any{"typ": "dpop+jwt"}, o.issuer.Claims(tokensAPI, nil)),
	} {
		if _, err := o.VerifyAccessToken(t.Context(), token); !errors.Is(err, verifier.ErrInvalidToken) {
			t.Errorf("%s: %v; want ErrInvalidToken", name, err)
		}
		if o.desk.count() > 0 {
			t.Fatalf("%s: was shown to the desk", name)
		}
	}
	o.verify(t, good, "")
	if o.desk.count() > 0 {
		t.Error("a good JWT was shown to the desk")
	}
}

// A token that its issuer encrypts to itself is opaque to everybody else, and some
// issuers make all of their opaque tokens so.
func TestTokenThatIsEncryptedToItsIssuerIsOpaque(t *testing.T) {
	secret := []byte("0123456789abcdef0123456789abcdef")
	for _, keys := range [][]verifier.DecryptionKey{nil, {{ID: "k1", Private: tokensKey}}} {
		o := newOffice(t, func(c *verifier.Config) { c.Decryption.Keys = keys })
		for _, algorithm := range []string{"dir", "A256KW", "A256GCMKW"} {
			token := o.issuer.Encrypt(verifiertest.Recipient{Key: secret, Algorithm: algorithm}, map[string]any{"cty": nil}, "id:user-1")
			o.verify(t, token, reason.TokenInactive)
			o.verify(t, o.opaque(token, nil), "")
		}
		asked := o.desk.count()
		want := reason.TokenMalformed
		if keys != nil {
			want = reason.TokenDecryption
		}
		o.verify(t, o.issuer.Encrypt(verifiertest.Recipient{Key: secret, Algorithm: "PBES2-HS256+A128KW"}, nil, "x"), want)
		if o.desk.count() != asked {
			t.Error("a token that a password opens was shown to the desk")
		}
	}
	nobody := newOffice(t, func(c *verifier.Config) {
		c.Issuers[0].Opaque = verifier.OpaqueTokens{}
		c.Decryption.Keys = []verifier.DecryptionKey{{ID: "k1", Private: tokensKey}}
	})
	nobody.verify(t, nobody.issuer.Encrypt(verifiertest.Recipient{Key: secret, Algorithm: "dir"}, nil, "x"), reason.TokenDecryption)
}

func TestOpaquePattern(t *testing.T) {
	o := newOffice(t, func(c *verifier.Config) {
		c.Issuers[0].Opaque.Prefix, c.Issuers[0].Opaque.MinLength, c.Issuers[0].Opaque.MaxLength = "pat_", 8, 12
	})
	for token, want := range map[string]verifier.Reason{
		"pat_1234": "", "pat_12345678": "", "pat_123": reason.TokenMalformed, "pat_123456789": reason.TokenMalformed, "tok_12345": reason.TokenMalformed,
		"pat_12 34": reason.TokenMalformed, "pat_12\n34": reason.TokenMalformed, "pat_1234é": reason.TokenMalformed, "": reason.TokenMalformed,
	} {
		before := o.desk.count()
		o.verify(t, o.opaque(token, nil), want)
		if want != "" && o.desk.count() > before {
			t.Errorf("%q was shown to the desk", token)
		}
	}
}

func TestOpaqueTokenIsShownToOneServerAlone(t *testing.T) {
	a, b := &desk{}, &desk{}
	two := []verifier.Issuer{
		{Name: "https://a.example.com/", Opaque: verifier.OpaqueTokens{Introspector: a}},
		{Name: "https://b.example.com/", Opaque: verifier.OpaqueTokens{Introspector: b}},
		{Name: "https://c.example.com/"},
	}
	if _, err := verifier.New(verifier.Config{Audience: tokensAPI, Issuers: two}); !errors.Is(err, verifier.ErrConfig) {
		t.Errorf("New = %v; want ErrConfig for two issuers that introspect", err)
	}
	for _, test := range []struct {
		name   string
		listed []string
		want   verifier.Reason
		a, b   int
	}{
		{"the first", []string{"https://a.example.com/", "https://c.example.com/"}, reason.TokenInactive, 1, 0},
		{"the second", []string{"b.example.com"}, reason.TokenInactive, 0, 1},
		{"both", []string{"https://a.example.com/", "https://b.example.com/"}, reason.Resolver, 0, 0},
		{"neither", []string{"https://c.example.com/"}, reason.TokenMalformed, 0, 0},
		{"none", nil, reason.Resolver, 0, 0},
	} {
		a.asked, b.asked = nil, nil
		v, err := verifier.New(verifier.Config{Audience: tokensAPI, Issuers: two, Domains: verifier.DomainResolverFunc(
			func(context.Context, verifier.ResolveRequest) ([]string, error) { return test.listed, nil })})
		if err != nil {
			t.Fatal(err)
		}
		_, err = v.VerifyAccessToken(t.Context(), "opaque")
		if got := reasonOf(t, err); got != test.want || a.count() != test.a || b.count() != test.b {
			t.Errorf("%s: %q, asked %d and %d times; want %q, %d and %d", test.name, got, a.count(), b.count(), test.want, test.a, test.b)
		}
		_ = v.Close()
	}
}

// byHost is a resolver that brings the rules too.
type byHost map[string]*verifier.Issuer

func (b byHost) ResolveDomains(context.Context, verifier.ResolveRequest) ([]string, error) {
	return nil, errors.New("not used")
}

func (b byHost) ResolveIssuer(_ context.Context, req verifier.ResolveRequest) (*verifier.Issuer, error) {
	if i := b[req.Header().Get("Host")]; i != nil {
		return i, nil
	}
	return nil, verifier.ErrNotAllowed
}

func TestOpaqueTokenOfTheIssuerThatAResolverReturns(t *testing.T) {
	a, b := &desk{}, &desk{}
	v, err := verifier.New(verifier.Config{Audience: tokensAPI, Domains: byHost{
		"a.example.com": {Name: "https://id.a.example.com/", Opaque: verifier.OpaqueTokens{Introspector: a}},
		"b.example.com": {Name: "https://id.b.example.com/", Opaque: verifier.OpaqueTokens{Introspector: b}},
		"c.example.com": {Name: "https://id.c.example.com/"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	for host, want := range map[string]verifier.Reason{
		"a.example.com": reason.TokenInactive, "b.example.com": reason.TokenInactive, "c.example.com": reason.TokenMalformed, "d.example.com": reason.IssuerNotAllowed,
	} {
		_, err := v.VerifyRequest(t.Context(), verifier.Request{Method: "GET", URL: "https://" + host + "/", Host: host, Header: http.Header{"Authorization": {"Bearer opaque"}}})
		if got := reasonOf(t, err); got != want {
			t.Errorf("%s: %q; want %q", host, got, want)
		}
	}
	if a.count() != 1 || a.asked[0].Issuer != "https://id.a.example.com/" || b.count() != 1 {
		t.Errorf("the desks were asked %+v and %+v", a.asked, b.asked)
	}
}

// An answer without aud or iss is judged by the rules of the issuer.
func TestAnswerIsJudgedByTheIssuersRules(t *testing.T) {
	bare := map[string]any{"iss": nil, "aud": nil, "iat": nil}
	o := newOffice(t, nil)
	o.verify(t, o.opaque("bare", bare), reason.ClaimMissing)
	o.verify(t, o.opaque("another aud", map[string]any{"aud": "https://other.example.com/"}), reason.TokenMalformed) // has a blank
	o.verify(t, o.opaque("another-aud", map[string]any{"aud": "https://other.example.com/"}), reason.Audience)
	rules := newOffice(t, func(c *verifier.Config) {
		c.Issuers[0].NoAudience = verifier.AudienceRule{Claim: "client_id", Values: []string{"client-1"}}
		c.Issuers[0].Optional = []string{"iat"}
		c.Issuers[0].RequiredClaims = []string{"tenant"}
	})
	rules.verify(t, rules.opaque("bare", bare), reason.ClaimMissing)
	bare["tenant"] = "t"
	rules.verify(t, rules.opaque("good", bare), "")
	bare["client_id"] = "client-2"
	rules.verify(t, rules.opaque("other", bare), reason.Audience)
	rules.verify(t, rules.opaque("call", map[string]any{"tenant": "t", "aud": nil}), reason.Audience, verifier.WithAudience(tokensAPI))
	rules.verify(t, rules.opaque("has-aud", map[string]any{"tenant": "t", "aud": "https://other.example.com/"}), reason.Audience)
}

// Types of the issuer are values of typ, in an answer as in a header, and of nothing
// else.
func TestTypesOfAnAnswer(t *testing.T) {
	o := newOffice(t, func(c *verifier.Config) { c.Issuers[0].Types = []string{"x-access+jwt"} })
	for name, test := range map[string]struct {
		extra map[string]any
		want  verifier.Reason
	}{
		"typ":             {map[string]any{"typ": "application/x-access+jwt"}, ""},
		"typ-of-another":  {map[string]any{"typ": "y-access+jwt"}, reason.TokenType},
		"in-token_type":   {map[string]any{"token_type": "x-access+jwt"}, reason.TokenType},
		"in-token_use":    {map[string]any{"token_use": "x-access+jwt"}, reason.TokenType},
		"beside-a-refuse": {map[string]any{"typ": "x-access+jwt", "token_use": "refresh"}, reason.TokenType},
	} {
		o.verify(t, o.opaque(name, test.extra), test.want)
	}
}

// One answer serves several calls, each of which demands what it does.
func TestAnswerIsJudgedAtEachUse(t *testing.T) {
	o := newOffice(t, nil)
	token := o.opaque("abc", map[string]any{"aud": []string{tokensAPI, "https://orders.example.com/"}})
	o.verify(t, token, "", verifier.WithAudience("https://orders.example.com/"))
	o.verify(t, token, reason.Audience, verifier.WithAudience("https://invoices.example.com/"))
	o.verify(t, token, reason.ClaimMissing, verifier.WithRequiredClaims("acr"))
	o.clock.Advance(2 * time.Hour)
	o.verify(t, token, reason.Expired)
}

func TestIntrospectorThatCannotSay(t *testing.T) {
	for name, d := range map[string]*desk{
		"error":             {err: errors.New("down")},
		"error and an yes":  {err: errors.New("down"), answer: &verifier.Introspection{Active: true}},
		"active, no claims": {answer: &verifier.Introspection{Active: true}},
		"active, no object": {answer: &verifier.Introspection{Active: true, Claims: []byte("[]")}},
		"active, and not":   {answer: &verifier.Introspection{Active: true, Claims: []byte(`{"active":false}`)}},
		"too much":          {answer: &verifier.Introspection{Active: true, Claims: []byte(`{"x":"` + strings.Repeat("x", 64<<10) + `"}`)}},
	} {
		o := newOffice(t, func(c *verifier.Config) { c.Issuers[0].Opaque.Introspector = d })
		_, err := o.VerifyAccessToken(t.Context(), "abc")
		if got := reasonOf(t, err); got != reason.Introspection || !errors.Is(err, verifier.ErrUnavailable) {
			t.Errorf("%s: %v; want 503", name, err)
		}
	}
	o := newOffice(t, func(c *verifier.Config) {
		c.Issuers[0].Opaque.Introspector = verifier.IntrospectorFunc(func(context.Context, verifier.IntrospectionRequest) (verifier.Introspection, error) { panic("boom") })
	})
	o.verify(t, "abc", reason.Introspection)
}

// An opaque token can be bound to a key as a JWT can.
func TestOpaqueTokenWithProof(t *testing.T) {
	o := newOffice(t, nil)
	client := verifiertest.NewDPoPClient(t, o.clock, "")
	token := o.opaque("bound", map[string]any{"cnf": client.Confirmation(), "token_type": "DPoP"})
	request := func(scheme, proof string) error {
		h := http.Header{"Authorization": {scheme + " " + token}}
		if proof != "" {
			h.Set("DPoP", proof)
		}
		_, err := o.VerifyRequest(t.Context(), verifier.Request{Method: "GET", URL: tokensAPI, Header: h})
		return err
	}
	if err := request("DPoP", client.Proof("GET", tokensAPI, token)); err != nil {
		t.Errorf("with its proof: %v", err)
	}
	if got := reasonOf(t, request("Bearer", "")); got != reason.BoundTokenAsBearer {
		t.Errorf("as Bearer: %q", got)
	}
	other := verifiertest.NewDPoPClient(t, o.clock, "")
	if got := reasonOf(t, request("DPoP", other.Proof("GET", tokensAPI, token))); got == "" {
		t.Error("with the proof of another key: accepted")
	}
}

func TestJWTsThatAreAskedAbout(t *testing.T) {
	for _, memo := range []int{0, 10} {
		o := newOffice(t, func(c *verifier.Config) { c.Issuers[0].Opaque.JWTs, c.TokenMemo = true, memo })
		token := o.issuer.Sign(tokensAPI, map[string]any{"cnf": map[string]any{"jkt": strings.Repeat("A", 43)}})
		answers := []struct {
			name   string
			answer verifier.Introspection
			want   verifier.Reason
		}{
			{"yes", verifier.Introspection{Active: true}, ""},
			{"yes, and says so", verifier.Introspection{Active: true, Claims: []byte(`{"active":true,"sub":"user-1","aud":"https://api.example.com/","iss":"https://id.example.com/"}`)}, ""},
			{"no", verifier.Introspection{}, reason.TokenInactive},
			{"another subject", verifier.Introspection{Active: true, Claims: []byte(`{"sub":"user-2"}`)}, reason.ClaimValue},
			{"another issuer", verifier.Introspection{Active: true, Claims: []byte(`{"iss":"https://other.example.com/"}`)}, reason.IssuerMismatch},
			{"another audience", verifier.Introspection{Active: true, Claims: []byte(`{"aud":"https://other.example.com/"}`)}, reason.Audience},
			{"another binding", verifier.Introspection{Active: true, Claims: []byte(`{"cnf":{"jkt":"` + strings.Repeat("B", 42) + `A"}}`)}, reason.Confirmation},
			{"ended", verifier.Introspection{Active: true, Claims: []byte(`{"exp":1}`)}, reason.Expired},
			{"refresh token", verifier.Introspection{Active: true, Claims: []byte(`{"token_type":"refresh_token"}`)}, reason.TokenType},
			{"nonsense", verifier.Introspection{Active: true, Claims: []byte(`{`)}, reason.Introspection},
			{"yes again", verifier.Introspection{Active: true}, ""},
		}
		for i, test := range answers {
			o.desk.answer = &test.answer
			_, err := o.VerifyAccessToken(t.Context(), token)
			if got := reasonOf(t, err); got != test.want {
				t.Errorf("memo of %d, %s: %q; want %q", memo, test.name, got, test.want)
			}
			if o.desk.count() != i+1 {
				t.Errorf("memo of %d, %s: asked %d times; want %d", memo, test.name, o.desk.count(), i+1)
			}
		}
	}
}

func TestOpaqueConfig(t *testing.T) {
	for name, opaque := range map[string]verifier.OpaqueTokens{
		"no Introspector": {JWTs: true}, "Prefix alone": {Prefix: "x"}, "nil pointer": {Introspector: (*desk)(nil)},
		"negative": {Introspector: &desk{}, MinLength: -1}, "crossed": {Introspector: &desk{}, MinLength: 9, MaxLength: 8},
	} {
		_, err := verifier.New(verifier.Config{Audience: tokensAPI, Issuers: []verifier.Issuer{{Name: officeName, Opaque: opaque}}})
		if !errors.Is(err, verifier.ErrConfig) {
			t.Errorf("%s: New = %v; want ErrConfig", name, err)
		}
	}
}
