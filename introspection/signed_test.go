package introspection_test

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/exchange"
	"github.com/portcullis-go/portcullis/introspection"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/reason"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

const (
	signedMedia = "application/token-introspection+jwt"
	signedFor   = "https://api.example.com/"
)

// scribe is a Doer that answers questions itself, and asks the issuer for documents.
type scribe struct {
	documents verifier.Doer
	media     string
	body      string
	accept    string // what was asked for
}

func (s *scribe) Do(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodPost {
		return s.documents.Do(r)
	}
	s.accept = r.Header.Get("Accept")
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {s.media}}, Body: io.NopCloser(strings.NewReader(s.body)), ContentLength: -1, Request: r}, nil
}

// signedAnswer is a good answer as a JWT; nil removes a claim or a header parameter.
func (w *world) signedAnswer(header, claims map[string]any) string {
	now := w.clock.Now().Unix()
	told := w.issuer.Claims(api, map[string]any{"active": true})
	h := map[string]any{"typ": "token-introspection+jwt"}
	all := map[string]any{"iss": "https://id.example.com/", "aud": signedFor, "iat": now, "token_introspection": told}
	maps.Copy(h, header)
	maps.Copy(all, claims)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	return w.issuer.SignWith(h, all)
}

func newScribe(t *testing.T, change func(*introspection.Config)) (*world, *scribe) {
	t.Helper()
	w := newWorld(t, nil)
	s := &scribe{documents: w.issuer.Client(), media: signedMedia}
	w.client = w.newClient(t, func(c *introspection.Config) {
		c.Doer, c.TTL, c.NegativeTTL = s, -1, -1
		if change != nil {
			change(c)
		}
	})
	return w, s
}

func wantSigned(c *introspection.Config) {
	c.SignedAnswers = introspection.SignedAnswers{Audience: signedFor, Algorithms: []string{"ES256"}}
}

// A signed answer that was not asked for is none, however good it is: nobody has
// checked it.
func TestJWTIsNoAnswerUnlessAskedFor(t *testing.T) {
	w, s := newScribe(t, nil)
	s.body = w.signedAnswer(nil, nil)
	for _, media := range []string{signedMedia, "application/json", "application/jwt"} {
		s.media = media
		if got, err := w.ask(t, "x"); !errors.Is(err, introspection.ErrInvalidResponse) || got.Active {
			t.Errorf("%s: Introspect = %v, %v; want ErrInvalidResponse", media, got.Active, err)
		}
		_, err := w.verifier(t, nil).VerifyAccessToken(t.Context(), "x")
		var e *verifier.Error
		if !errors.Is(err, verifier.ErrUnavailable) || !errors.As(err, &e) || e.Reason != reason.Introspection {
			t.Errorf("%s: VerifyAccessToken = %v; want 503", media, err)
		}
	}
	if s.accept != "application/json" {
		t.Errorf("the client asked for %q; want JSON", s.accept)
	}
}

func TestSignedAnswers(t *testing.T) {
	now := start.Unix()
	type m = map[string]any
	told := func(extra m) m {
		all := m{"active": true, "iss": "https://id.example.com/", "sub": "user-1", "aud": api, "iat": now, "exp": now + 60}
		maps.Copy(all, extra)
		return m{"token_introspection": all}
	}
	stranger := verifiertest.NewIssuer(t, verifiertest.WithURL("https://id.example.com/"), verifiertest.WithAlgorithm("ES256"))
	rsa := verifiertest.NewIssuer(t, verifiertest.WithURL("https://id.example.com/"))
	for name, test := range map[string]struct {
		header, claims m
		media          string
		body           func(*world) string // instead
		want           verifier.Reason
	}{
		"good":                      {want: accepted},
		"type with application/":    {header: m{"typ": signedMedia}, want: accepted},
		"media type with parameter": {media: signedMedia + "; charset=utf-8", want: accepted},
		"aud in a list":             {claims: m{"aud": []string{"x", signedFor}}, want: accepted},
		"a domain without slash":    {claims: m{"iss": "https://id.example.com"}, want: accepted},
		"made a minute ago":         {claims: m{"iat": now - 60}, want: accepted},
		"not active":                {claims: m{"token_introspection": m{"active": false}}, want: reason.TokenInactive},
		"the token has ended":       {claims: told(m{"exp": now}), want: reason.Expired},
		"of another audience":       {claims: told(m{"aud": "https://other.example.com/"}), want: reason.Audience},
		"a refresh token":           {claims: told(m{"token_type": "refresh_token"}), want: reason.TokenType},

		"an access token":              {header: m{"typ": "at+jwt"}, want: undecidable},
		"type JWT":                     {header: m{"typ": "JWT"}, want: undecidable},
		"no type":                      {header: m{"typ": nil}, want: undecidable},
		"critical":                     {header: m{"crit": []string{"x"}, "x": 1}, want: undecidable},
		"alg none":                     {header: m{"alg": "none"}, want: undecidable},
		"another alg of the same key":  {header: m{"alg": "ES384"}, want: undecidable},
		"an alg that is not allowed":   {body: func(w *world) string { return rsa.SignWith(m{"typ": "token-introspection+jwt"}, nil) }, want: undecidable},
		"an unknown kid":               {header: m{"kid": "none"}, want: undecidable},
		"another issuer":               {claims: m{"iss": "https://evil.example.com/"}, want: undecidable},
		"no issuer":                    {claims: m{"iss": nil}, want: undecidable},
		"another audience":             {claims: m{"aud": "https://other.example.com/"}, want: undecidable},
		"another audience in a list":   {claims: m{"aud": []any{"x", 1}}, want: undecidable},
		"no audience":                  {claims: m{"aud": nil}, want: undecidable},
		"the audience's first letters": {claims: m{"aud": signedFor + "x"}, want: undecidable},
		"no iat":                       {claims: m{"iat": nil}, want: undecidable},
		"too old":                      {claims: m{"iat": now - 61}, want: undecidable},
		"of the future":                {claims: m{"iat": now + 61}, want: undecidable},
		"no answer inside":             {claims: m{"token_introspection": nil}, want: undecidable},
		"text inside":                  {claims: m{"token_introspection": `{"active":true}`}, want: undecidable},
		"answer beside":                {claims: m{"token_introspection": nil, "active": true}, want: undecidable},
		"active is text":               {claims: told(m{"active": "true"}), want: undecidable},
		"media type JSON":              {media: "application/json", want: undecidable},
		"media type JWT":               {media: "application/jwt", want: undecidable},
		"media type that is none":      {media: "x", want: undecidable},
		"media type with half a field": {media: signedMedia + "; charset", want: undecidable},
		"signed by another": {body: func(w *world) string {
			return stranger.SignWith(m{"typ": "token-introspection+jwt"}, m{"iss": "https://id.example.com/", "aud": signedFor, "iat": now, "token_introspection": told(nil)["token_introspection"]})
		}, want: undecidable},
		"signature changed": {body: func(w *world) string { return strings.TrimRight(w.signedAnswer(nil, nil), "AQgw") + "AAAA" }, want: undecidable},
		"signature cut": {body: func(w *world) string {
			text := w.signedAnswer(nil, nil)
			return text[:strings.LastIndexByte(text, '.')+1]
		}, want: undecidable},
		"white space after it":    {body: func(w *world) string { return w.signedAnswer(nil, nil) + "\n" }, want: undecidable},
		"plain JSON":              {body: func(*world) string { return claims() }, want: undecidable},
		"plain JSON, and says so": {media: "application/json", body: func(*world) string { return claims() }, want: undecidable},
		"encrypted": {body: func(w *world) string {
			return w.issuer.Encrypt(verifiertest.Recipient{Key: []byte("0123456789abcdef0123456789abcdef"), Algorithm: "dir"}, nil, w.signedAnswer(nil, nil))
		}, want: undecidable},
		"nothing": {body: func(*world) string { return "" }, want: undecidable},
	} {
		t.Run(name, func(t *testing.T) {
			w, s := newScribe(t, wantSigned)
			if test.body != nil {
				s.body = test.body(w)
			} else {
				s.body = w.signedAnswer(test.header, test.claims)
			}
			if test.media != "" {
				s.media = test.media
			}
			got, err := w.verifier(t, nil).VerifyAccessToken(t.Context(), "opaque")
			var e *verifier.Error
			errors.As(err, &e)
			switch {
			case test.want == accepted && (err != nil || got.Subject != "user-1"):
				t.Errorf("VerifyAccessToken = %v, %v; want a token", got, err)
			case test.want != accepted && (e == nil || e.Reason != test.want):
				t.Errorf("VerifyAccessToken = %v; want %s", err, test.want)
			case (test.want == undecidable) != errors.Is(err, verifier.ErrUnavailable):
				t.Errorf("VerifyAccessToken = %v; an answer that says nothing must be 503, and any other not", err)
			}
			if s.accept != signedMedia {
				t.Errorf("the client asked for %q; want a signed answer", s.accept)
			}
		})
	}
}

// An answer is signed with an algorithm that is allowed, RS256 unless configured
// otherwise, whatever keys the issuer has.
func TestAlgorithmsOfSignedAnswers(t *testing.T) {
	for _, test := range []struct {
		allowed []string
		ok      bool
	}{{[]string{"ES256"}, true}, {[]string{"RS256", "ES256"}, true}, {nil, false}, {[]string{"RS256", "ES384"}, false}} {
		w, s := newScribe(t, func(c *introspection.Config) {
			c.SignedAnswers = introspection.SignedAnswers{Audience: signedFor, Algorithms: test.allowed}
		})
		s.body = w.signedAnswer(nil, nil)
		if got, err := w.ask(t, "x"); got.Active != test.ok || (err == nil) != test.ok || err != nil && !errors.Is(err, introspection.ErrInvalidResponse) {
			t.Errorf("allowed %v: Introspect = %v, %v; want an answer: %v", test.allowed, got.Active, err, test.ok)
		}
	}
}

// The issuer of a signed answer may be spelled as it is configured.
func TestIssuerOfSignedAnswers(t *testing.T) {
	for iss, ok := range map[string]bool{
		"https://ID.example.com/": true, "https://id.example.com/": true, "https://id.example.com": true, "https://Id.example.com/": false, "ID.example.com": false,
	} {
		w, s := newScribe(t, func(c *introspection.Config) {
			wantSigned(c)
			c.Domain = "https://ID.example.com/"
		})
		s.body = w.signedAnswer(nil, map[string]any{"iss": iss})
		if got, err := w.ask(t, "x"); got.Active != ok || (err == nil) != ok {
			t.Errorf("iss %q: Introspect = %v, %v; want an answer: %v", iss, got.Active, err, ok)
		}
	}
}

// RS256 is allowed where nothing else is configured (RFC 9701, Section 6).
func TestDefaultAlgorithmOfSignedAnswers(t *testing.T) {
	w, s := newScribe(t, nil)
	w.issuer = verifiertest.NewIssuer(t, verifiertest.WithURL("https://id.example.com/"), verifiertest.WithClock(w.clock))
	s.documents, s.body = w.issuer.Client(), w.signedAnswer(nil, nil)
	w.client = w.newClient(t, func(c *introspection.Config) {
		c.Doer, c.SignedAnswers.Audience = s, signedFor
	})
	if got, err := w.ask(t, "x"); err != nil || !got.Active {
		t.Errorf("Introspect = %v, %v; want an answer", got.Active, err)
	}
}

// What keeps an answer from being checked is told.
func TestWhyASignedAnswerIsNotChecked(t *testing.T) {
	w, s := newScribe(t, wantSigned)
	s.body = w.signedAnswer(map[string]any{"kid": "none"}, nil)
	if _, err := w.ask(t, "x"); !errors.Is(err, introspection.ErrInvalidResponse) || errors.Unwrap(err) == nil {
		t.Errorf("Introspect = %v; want ErrInvalidResponse with its cause", err)
	}
}

// The keys of answers live as those of tokens do: a new one is found, and an outage
// decides nothing.
func TestKeysOfSignedAnswers(t *testing.T) {
	w, s := newScribe(t, wantSigned)
	want := func(what string, ok bool) {
		t.Helper()
		s.body = w.signedAnswer(nil, nil)
		if got, err := w.ask(t, "x"); got.Active != ok || (err == nil) != ok || err != nil && !errors.Is(err, introspection.ErrInvalidResponse) {
			t.Errorf("%s: Introspect = %v, %v", what, got.Active, err)
		}
	}
	want("first", true)
	w.issuer.RotateKeys()
	want("after a rotation", true)
	w.issuer.RotateKeys()
	w.issuer.FailNext(-1, http.StatusServiceUnavailable)
	want("new key in an outage", false)
	w.issuer.Recover()
	w.clock.Advance(time.Minute)
	want("after the outage", true)
}

// A client that wants signed answers takes none from a cache that another client has
// filled without.
func TestSignedAnswersAreApart(t *testing.T) {
	cache := verifiertest.NewCache(verifiertest.NewClock(start), 0)
	private := func(c *introspection.Config) { c.Cache, c.CachePrivate, c.TTL = cache, true, time.Minute }
	w, s := newScribe(t, private)
	s.media, s.body = "application/json", claims()
	if got, err := w.ask(t, "x"); err != nil || !got.Active {
		t.Fatalf("Introspect = %v, %v", got.Active, err)
	}
	w.client = w.newClient(t, func(c *introspection.Config) {
		private(c)
		wantSigned(c)
		c.Doer = s
	})
	if got, err := w.ask(t, "x"); !errors.Is(err, introspection.ErrInvalidResponse) {
		t.Errorf("Introspect = %v, %v; want a question of its own", got.Active, err)
	}
}

func TestSignedAnswersConfig(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*introspection.Config)
		ok     bool
	}{
		"audience": {func(c *introspection.Config) { c.SignedAnswers.Audience = "orders" }, true},
		"endpoint": {func(c *introspection.Config) {
			c.SignedAnswers.Audience, c.Endpoint = "orders", "https://id.example.com/i"
		}, true},
		"key set": {func(c *introspection.Config) {
			c.SignedAnswers.Audience, c.SignedAnswers.JWKSURL = "orders", "https://id.example.com/k"
		}, true},
		"no audience":             {func(c *introspection.Config) { c.SignedAnswers.JWKSURL = "https://id.example.com/k" }, false},
		"no audience, one host":   {func(c *introspection.Config) { c.SignedAnswers.KeyHosts = []string{"k.example.com"} }, false},
		"no audience, algorithms": {func(c *introspection.Config) { c.SignedAnswers.Algorithms = []string{"ES256"} }, false},
		"symmetric": {func(c *introspection.Config) {
			c.SignedAnswers.Audience, c.SignedAnswers.Algorithms = "orders", []string{"HS256"}
		}, false},
		"none": {func(c *introspection.Config) {
			c.SignedAnswers.Audience, c.SignedAnswers.Algorithms = "orders", []string{"none"}
		}, false},
		"keys over http": {func(c *introspection.Config) {
			c.SignedAnswers.Audience, c.SignedAnswers.JWKSURL = "orders", "http://id.example.com/k"
		}, false},
		"hosts beside a key set": {func(c *introspection.Config) {
			c.SignedAnswers = introspection.SignedAnswers{Audience: "orders", JWKSURL: "https://id.example.com/k", KeyHosts: []string{"k.example.com"}}
		}, false},
		"a name without metadata": {func(c *introspection.Config) {
			c.SignedAnswers.Audience, c.Domain, c.Endpoint = "orders", "did:web:id.example.com", "https://id.example.com/i"
		}, false},
	} {
		cfg := introspection.Config{Domain: "id.example.com", ClientID: "orders", Auth: exchange.ClientSecretBasic("s")}
		test.change(&cfg)
		c, err := introspection.New(cfg)
		var problem *introspection.ConfigError
		if (err == nil) != test.ok || err != nil && (!errors.As(err, &problem) || problem.Field != "SignedAnswers") {
			t.Errorf("%s: New = %v; want an error of SignedAnswers: %v", name, err, !test.ok)
		}
		if c != nil {
			_ = c.Close()
		}
	}
}
