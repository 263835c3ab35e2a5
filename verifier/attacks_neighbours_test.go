package verifier_test

import (
	"bytes"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/portcullis-go/portcullis/internal/recorded"
	"github.com/portcullis-go/portcullis/verifier"
)

// neighbour changes a good case so that it must be refused, or returns false
// where the change does not apply.
type neighbour struct {
	name   string
	change func(t *testing.T, c *attackCase) bool
}

// textHeader returns a header of a case that is one plain string.
func textHeader(c *attackCase, name string) (value string, set func(value any), ok bool) {
	for field, v := range c.Headers {
		text, isText := v.(string)
		if isText && strings.EqualFold(field, name) {
			return text, func(value any) { c.Headers[field] = value }, true
		}
	}
	return "", nil, false
}

// replaceAt changes one character of a base64url text into another one.
func replaceAt(text string, i int) string {
	b := []byte(text)
	if b[i] == 'A' {
		b[i] = 'Q'
	} else {
		b[i] = 'A'
	}
	return string(b)
}

// inToken returns a change of a compact JWS in a header.
func inToken(header string, change func(token string) string) func(*testing.T, *attackCase) bool {
	return func(_ *testing.T, c *attackCase) bool {
		value, set, ok := textHeader(c, header)
		if !ok || strings.Count(value, ".") != 2 {
			return false
		}
		scheme, token := "", strings.TrimSpace(value)
		if i := strings.LastIndexAny(token, " \t"); i >= 0 {
			scheme, token = token[:i+1], token[i+1:]
		}
		changed := change(token)
		set(scheme + changed)
		return changed != token
	}
}

// decodeDocument returns a document that is a JSON object, or nil.
func decodeDocument(raw json.RawMessage) map[string]any {
	object, _ := recorded.Members{"document": raw}.Value("document").(map[string]any)
	return object
}

func encodeDocument(t *testing.T, object map[string]any) json.RawMessage {
	t.Helper()
	data, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// later returns a time in whole seconds after another one.
func later(t *testing.T, now json.Number, seconds int64) json.Number {
	t.Helper()
	whole, _, _ := strings.Cut(now.String(), ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return json.Number(strconv.FormatInt(n+seconds, 10))
}

// segment returns where a part of a compact JWS begins and ends.
func segment(token string, n int) (from, to int) {
	first := strings.IndexByte(token, '.')
	second := first + 1 + strings.IndexByte(token[first+1:], '.')
	switch n {
	case 0:
		return 0, first
	case 1:
		return first + 1, second
	default:
		return second + 1, len(token)
	}
}

func neighbours(other *rsa.PublicKey) []neighbour {
	list := []neighbour{
		{"no Authorization", func(_ *testing.T, c *attackCase) bool {
			for field := range c.Headers {
				if strings.EqualFold(field, "Authorization") {
					delete(c.Headers, field)
				}
			}
			return true
		}},
		{"Authorization twice", func(_ *testing.T, c *attackCase) bool {
			value, set, ok := textHeader(c, "Authorization")
			if ok {
				set([]any{value, value})
			}
			return ok
		}},
		{"DPoP twice", func(_ *testing.T, c *attackCase) bool {
			value, set, ok := textHeader(c, "DPoP")
			if ok {
				set([]any{value, value})
			}
			return ok
		}},
		{"two credentials in one line", func(_ *testing.T, c *attackCase) bool {
			value, set, ok := textHeader(c, "Authorization")
			if ok {
				set(value + ", " + value)
			}
			return ok
		}},
		{"two proofs in one line", func(_ *testing.T, c *attackCase) bool {
			value, set, ok := textHeader(c, "DPoP")
			if ok {
				set(value + ", " + value)
			}
			return ok
		}},
		{"no proof", func(_ *testing.T, c *attackCase) bool {
			for field := range c.Headers {
				if strings.EqualFold(field, "DPoP") {
					delete(c.Headers, field)
					return true
				}
			}
			return false
		}},
		{"the other scheme", func(_ *testing.T, c *attackCase) bool {
			value, set, ok := textHeader(c, "Authorization")
			scheme, rest, found := strings.Cut(value, " ")
			if !ok || !found {
				return false
			}
			if strings.EqualFold(scheme, "Bearer") {
				set("DPoP " + rest)
			} else {
				set("Bearer " + rest)
			}
			return true
		}},
		{"another scheme", func(_ *testing.T, c *attackCase) bool {
			value, set, ok := textHeader(c, "Authorization")
			if ok {
				_, rest, _ := strings.Cut(value, " ")
				set("Token " + rest)
			}
			return ok
		}},
		{"another method", func(_ *testing.T, c *attackCase) bool {
			_, _, ok := textHeader(c, "DPoP")
			c.Method += "X"
			return ok
		}},
		{"another path", func(_ *testing.T, c *attackCase) bool {
			_, _, ok := textHeader(c, "DPoP")
			end := len(c.URL)
			if i := strings.IndexAny(c.URL, "?#"); i >= 0 {
				end = i
			}
			c.URL = c.URL[:end] + "x" + c.URL[end:]
			return ok
		}},
		{"another host", func(_ *testing.T, c *attackCase) bool {
			_, _, ok := textHeader(c, "DPoP")
			c.URL = strings.Replace(c.URL, "api.example.com", "api.example.org", 1)
			return ok && strings.Contains(c.URL, "example.org")
		}},
		{"another scheme of the URL", func(_ *testing.T, c *attackCase) bool {
			_, _, ok := textHeader(c, "DPoP")
			rest, found := strings.CutPrefix(c.URL, "https://")
			c.URL = "http://" + rest
			return ok && found
		}},
		{"another audience", func(_ *testing.T, c *attackCase) bool {
			c.Config.Audience = "https://another.example.com/"
			return true
		}},
		{"another issuer", func(_ *testing.T, c *attackCase) bool {
			c.Config.Domains = []string{"another.example.com"}
			return true
		}},
		{"another algorithm", func(_ *testing.T, c *attackCase) bool {
			c.Config.Algs = []string{"RS384"}
			return true
		}},
		{"another algorithm of proofs", func(_ *testing.T, c *attackCase) bool {
			_, _, ok := textHeader(c, "DPoP")
			c.Config.DPoPAlgs = []string{"ES384"}
			return ok
		}},
		{"two hundred years later", func(t *testing.T, c *attackCase) bool { c.Now = later(t, c.Now, 200*366*86400); return true }},
		{"a day earlier", func(t *testing.T, c *attackCase) bool {
			_, _, ok := textHeader(c, "DPoP")
			c.Now = later(t, c.Now, -86400)
			return ok
		}},
		{"another key of the same kid", func(t *testing.T, c *attackCase) bool {
			set := decodeDocument(c.JWKS)
			keys, ok := set["keys"].([]any)
			if !ok || len(c.Responses) != 0 {
				return false
			}
			var mine map[string]any
			if err := json.Unmarshal(publicJWKS(other, "x"), &mine); err != nil {
				t.Fatal(err)
			}
			var changed []any
			for _, key := range keys {
				fake := map[string]any{}
				for name, value := range mine["keys"].([]any)[0].(map[string]any) {
					fake[name] = value
				}
				fake["kid"] = "none"
				if k, ok := key.(map[string]any); ok && k["kid"] != nil {
					fake["kid"] = k["kid"]
				}
				delete(fake, "alg")
				changed = append(changed, fake)
			}
			c.JWKS = encodeDocument(t, map[string]any{"keys": changed})
			return true
		}},
		{"no key", func(_ *testing.T, c *attackCase) bool {
			c.JWKS = json.RawMessage(`{"keys":[]}`)
			return len(c.Responses) == 0
		}},
		{"metadata of another issuer", func(t *testing.T, c *attackCase) bool {
			document := decodeDocument(c.Discovery)
			if document == nil || len(c.Responses) != 0 {
				return false
			}
			document["issuer"] = "https://another.example.com/"
			c.Discovery = encodeDocument(t, document)
			return true
		}},
		{"keys elsewhere", func(t *testing.T, c *attackCase) bool {
			document := decodeDocument(c.Discovery)
			if document == nil || len(c.Responses) != 0 {
				return false
			}
			document["jwks_uri"] = "https://evil.example/jwks.json"
			c.Discovery = encodeDocument(t, document)
			c.Responses = map[string]attackResponse{"https://evil.example/jwks.json": {Status: 200, Body: c.JWKS}}
			c.MustNot = []string{"https://evil.example/jwks.json"}
			return true
		}},
	}
	for _, header := range []string{"Authorization", "DPoP"} {
		for part, name := range []string{"header", "payload", "signature"} {
			for _, at := range []int{0, 1, 2, 3, 4} {
				list = append(list, neighbour{header + " " + name + " changed", inToken(header, func(token string) string {
					from, to := segment(token, part)
					return replaceAt(token, from+(to-1-from)*at/4)
				})})
			}
			for what, insert := range map[string]string{"padding": "=", "space": " A", "dot": ".", "plus": "+", "null": "%00", "letter": "A"} {
				list = append(list, neighbour{header + " " + name + " with " + what, inToken(header, func(token string) string {
					_, to := segment(token, part)
					return token[:to] + insert + token[to:]
				})})
			}
			list = append(list, neighbour{header + " without " + name, inToken(header, func(token string) string {
				from, to := segment(token, part)
				return token[:from] + token[to:]
			})})
		}
		list = append(list,
			neighbour{header + " shortened", inToken(header, func(token string) string { return token[:len(token)-1] })},
			neighbour{header + " in capitals", inToken(header, strings.ToUpper)},
			neighbour{header + " in quotes", inToken(header, func(token string) string { return `"` + token + `"` })},
			neighbour{header + " too large", inToken(header, func(token string) string { return token + strings.Repeat("A", 1<<20) })},
		)
	}
	return list
}

// TestManyNeighboursOfGoodCases takes every case that must be accepted and spoils
// one thing of it.
func TestManyNeighboursOfGoodCases(t *testing.T) {
	server := newAttackServer(t)
	list := neighbours(&testKey(t).PublicKey)
	count := 0
	for _, c := range readAttacks(t) {
		if c.Expect != "accept" || len(c.Sequence) > 0 {
			continue
		}
		original, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range list {
			var changed attackCase
			decoder := json.NewDecoder(bytes.NewReader(original))
			decoder.UseNumber()
			if err := decoder.Decode(&changed); err != nil {
				t.Fatal(err)
			}
			if !n.change(t, &changed) {
				continue
			}
			count++
			changed.Expect, changed.Illegal, changed.Reason = "reject", true, "discovery|jwks"
			if result := runAttack(t, server, &changed); result.problem != "" {
				t.Errorf("%s, %s: %s", c.ID, n.name, result.problem)
			}
		}
	}
	t.Logf("%d neighbours", count)
	if count == 0 {
		t.Error("no case was changed")
	}
}

// TestAnswersAreErrorsOfOurs: whatever comes in, what comes out is an *Error.
func TestAnswersAreErrorsOfOurs(t *testing.T) {
	v, err := verifier.New(verifier.Config{Domain: "tenant.example.com", Audience: "a", Doer: &attackWorld{}})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	for _, req := range []verifier.Request{
		{},
		{Header: http.Header{"Authorization": nil}},
		{Header: http.Header{"authorization": {"Bearer a.b.c"}, "AUTHORIZATION": {}}},
		{Header: http.Header{"Authorization": {"DPoP a.b.c"}, "Dpop": {"a.b.c"}}},
		{Header: http.Header{"Authorization": {"Bearer \x00"}}, URL: "\x00", Method: "\x00", Host: "\x00"},
	} {
		_, err := v.VerifyRequest(t.Context(), req)
		var e *verifier.Error
		if !errors.As(err, &e) || e.Status < 400 || e.Status > 503 {
			t.Errorf("VerifyRequest(%+v) = %v; want an *Error", req, err)
		}
	}
}
