package jws_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/portcullis-go/portcullis/internal/jws"
	"github.com/portcullis-go/portcullis/internal/strictjson"
)

func encode(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func compact(header, payload string) string { return encode(header) + "." + encode(payload) + ".c2ln" }

func TestParse(t *testing.T) {
	token, err := jws.Parse(compact(`{"alg":"RS256","kid":"k","typ":"JWT","x":1,"jwk":{"kty":"EC"}}`, `{"iss":"i"}`), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	h := token.Header
	if h.Algorithm != "RS256" || h.KeyID != "k" || !h.HasKeyID || h.Type != "JWT" || !h.HasType || h.JWK.Kind() != strictjson.Object {
		t.Errorf("header %+v", h)
	}
	if token.Payload != `{"iss":"i"}` || len(token.Members) != 1 || string(token.Signature) != "sig" || strings.Count(token.SigningInput, ".") != 1 {
		t.Errorf("token %+v", token)
	}
	good := compact(`{"alg":"RS256"}`, `{}`)
	for name, c := range map[string]struct {
		token string
		want  error
	}{
		"nothing":                {"", jws.ErrCompact},
		"one part":               {encode("{}"), jws.ErrCompact},
		"two parts":              {encode("{}") + "." + encode("{}"), jws.ErrCompact},
		"four parts":             {good + ".x", jws.ErrCompact},
		"five parts":             {good + ".x.y", jws.ErrCompact},
		"no header":              {"." + encode("{}") + ".c2ln", jws.ErrCompact},
		"no payload":             {encode("{}") + "..c2ln", jws.ErrCompact},
		"no signature":           {encode(`{"alg":"none"}`) + "." + encode("{}") + ".", jws.ErrCompact},
		"padding":                {good + "=", jws.ErrCompact},
		"standard alphabet":      {encode("{}") + "." + encode("{}") + ".a+/b", jws.ErrCompact},
		"not canonical":          {encode("{}") + "." + encode("{}") + ".c2lh" + "ab", jws.ErrCompact},
		"line break inside":      {good[:5] + "\n" + good[5:], jws.ErrCompact},
		"carriage return at end": {good + "\r", jws.ErrCompact},
		"header is a list":       {compact(`[]`, `{}`), jws.ErrHeader},
		"header twice a name":    {compact(`{"alg":"RS256","alg":"none"}`, `{}`), jws.ErrHeader},
		"alg a number":           {compact(`{"alg":1}`, `{}`), jws.ErrHeader},
		"kid a number":           {compact(`{"alg":"RS256","kid":1}`, `{}`), jws.ErrHeader},
		"typ null":               {compact(`{"alg":"RS256","typ":null}`, `{}`), jws.ErrHeader},
		"enc":                    {compact(`{"alg":"RS256","enc":"A128GCM"}`, `{}`), jws.ErrHeader},
		"zip":                    {compact(`{"alg":"RS256","zip":"DEF"}`, `{}`), jws.ErrHeader},
		"crit":                   {compact(`{"alg":"RS256","crit":[]}`, `{}`), jws.ErrCritical},
		"b64":                    {compact(`{"alg":"RS256","b64":true}`, `{}`), jws.ErrCritical},
		"payload is text":        {compact(`{"alg":"RS256"}`, `"x"`), jws.ErrPayload},
		"payload twice a name":   {compact(`{"alg":"RS256"}`, `{"a":1,"a":1}`), jws.ErrPayload},
		"payload is no UTF-8":    {compact(`{"alg":"RS256"}`, "{\"a\":\"\xff\"}"), jws.ErrPayload},
		"payload and more":       {compact(`{"alg":"RS256"}`, `{} {}`), jws.ErrPayload},
	} {
		if _, err := jws.Parse(c.token, nil, nil); !errors.Is(err, c.want) {
			t.Errorf("%s: %v; want %v", name, err, c.want)
		}
	}
}

func TestHeadersAreBoundedAndEqual(t *testing.T) {
	headers := jws.NewHeaders(4)
	for i := range 100 {
		token := compact(`{"alg":"RS256","kid":"`+strings.Repeat("k", i)+`"}`, `{}`)
		first, err := jws.Parse(token, headers, nil)
		if err != nil {
			t.Fatal(err)
		}
		headers.Remember(first.Header)
		second, err := jws.Parse(token, headers, nil)
		if err != nil || second.Header != first.Header {
			t.Fatalf("%d: a remembered header was parsed again, %v", i, err)
		}
		if n := headers.Len(); n < 1 || n > 4 {
			t.Fatalf("%d headers remembered; want at most 4", n)
		}
	}
}

// FuzzParse: nothing panics, and what is accepted is canonical: encoding the
// parts again gives the token, so that one token has one text.
func FuzzParse(f *testing.F) {
	f.Add(compact(`{"alg":"RS256","kid":"k"}`, `{"iss":"i","n":1.5e3}`))
	f.Add(compact(`{"alg":"ES256","typ":"dpop+jwt","jwk":{"kty":"EC","crv":"P-256"}}`, `{"htu":"\u00e9"}`))
	f.Add("..")
	f.Fuzz(func(t *testing.T, text string) {
		token, err := jws.Parse(text, nil, nil)
		if err != nil {
			return
		}
		part, err := base64.RawURLEncoding.Strict().DecodeString(token.Header.Segment)
		if err != nil {
			t.Fatalf("header: %v", err)
		}
		again := base64.RawURLEncoding.EncodeToString(part) + "." + encode(token.Payload) + "." + base64.RawURLEncoding.EncodeToString(token.Signature)
		if again != text {
			t.Errorf("%q is read as %q", text, again)
		}
		remembered := jws.NewHeaders(1)
		remembered.Remember(token.Header)
		other, err := jws.Parse(text, remembered, nil)
		if err != nil || other.Header != token.Header || other.Payload != token.Payload {
			t.Errorf("with a remembered header: %v", err)
		}
	})
}

// TestLongHeadersCountMore: what is remembered is bounded in bytes too.
func TestLongHeadersCountMore(t *testing.T) {
	headers := jws.NewHeaders(8)
	long := strings.Repeat("x", 2500) // in base64url more than 3 KiB
	for i := range 9 {
		parsed, err := jws.Parse(compact(`{"alg":"RS256","kid":"`+string(rune('a'+i))+long+`"}`, `{}`), headers, nil)
		if err != nil {
			t.Fatal(err)
		}
		headers.Remember(parsed.Header)
		if got := headers.Len(); got > 2 {
			t.Fatalf("%d headers of %d bytes are remembered; want 2 at most", got, len(parsed.Header.Segment))
		}
	}
}
