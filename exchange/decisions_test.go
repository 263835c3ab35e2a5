package exchange_test

import (
	"bytes"
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/exchange"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// TestWhatServersMaySay: the bounds of error and error_description, and what they
// must not repeat.
func TestWhatServersMaySay(t *testing.T) {
	for name, test := range map[string]struct{ token, code, description, wantCode, want string }{
		"plain":                           {"subject-token", "invalid_grant", "no", "invalid_grant", "no"},
		"all characters":                  {"subject-token", "a!~", " !#[]~", "a!~", " !#[]~"},
		"the longest":                     {"subject-token", strings.Repeat("c", 128), strings.Repeat("d", 512), strings.Repeat("c", 128), strings.Repeat("d", 512)},
		"longer":                          {"subject-token", strings.Repeat("c", 129), strings.Repeat("d", 513), "token_exchange_error", ""},
		"a backslash":                     {"subject-token", `a\\b`, `a\\b`, "token_exchange_error", ""},
		"DEL":                             {"subject-token", `a\u007fb`, `a\u007fb`, "token_exchange_error", ""},
		"a control character":             {"subject-token", `a\u001fb`, `a\u001fb`, "token_exchange_error", ""},
		"a token of 8 characters in it":   {"12345678", "x12345678", "no 12345678 here", "token_exchange_error", ""},
		"a token of 7 characters in it":   {"1234567", "x1234567", "no 1234567 here", "x1234567", "no 1234567 here"},
		"a token of 7 characters, itself": {"1234567", "1234567", "1234567", "token_exchange_error", ""},
	} {
		c := answering(400, `{"error":"`+test.code+`","error_description":"`+test.description+`"}`).client(t, nil)
		_, err := c.ExchangeProfile(t.Context(), profile(test.token))
		var e *exchange.Error
		if !errors.As(err, &e) || e.Code != test.wantCode || e.ServerDescription() != test.want {
			t.Errorf("%s: %v, code %.20q, description %.20q; want %.20q and %.20q", name, err, e.Code, e.ServerDescription(), test.wantCode, test.want)
		}
	}
}

// TestKeysOfOddTexts: no text and no list runs into the next, whatever is in it.
func TestKeysOfOddTexts(t *testing.T) {
	c := answering(200, `{"access_token":"t"}`).client(t, nil)
	zeros := strings.Repeat("\x00", 8)
	seen := make(map[string]url.Values)
	for _, extra := range []url.Values{
		{"x": {"a"}}, {"y": {"a"}}, {"x": {"a", "b"}}, {"x": {"a" + zeros + "b"}}, {"x": {"a" + strings.Repeat("\x00", 7) + "\x01b"}},
		{"zy": {"b"}, "zz": {"zzd"}}, {"zy": {"b", "zz"}, "zzd": nil}, {"zy": {"b", "zz", "zzd"}},
		{"zy": {"b", "zz"}, "zzd": {"e"}}, {"zy": {"b"}, "zz": {"zzd", "e"}},
	} {
		r := profile("subject")
		r.Extra = extra
		key, err := c.Key(r)
		if err != nil {
			t.Logf("%q is refused: %v", extra, err)
			continue
		}
		if other, has := seen[key]; has {
			t.Errorf("%q and %q have one key", extra, other)
		}
		seen[key] = extra
	}
}

// hoarder is a cache that keeps everything for ever.
type hoarder struct{ values map[string][]byte }

func (h *hoarder) Get(_ context.Context, key string) ([]byte, bool, error) {
	value, ok := h.values[key]
	return bytes.Clone(value), ok, nil
}

func (h *hoarder) Set(_ context.Context, key string, value []byte, _ time.Duration) error {
	h.values[key] = bytes.Clone(value)
	return nil
}

func (h *hoarder) Delete(_ context.Context, key string) error {
	delete(h.values, key)
	return nil
}

// TestCacheThatKeepsTooLong: the time of a result is looked at when it is used, and
// a token that could not be sent is no result.
func TestCacheThatKeepsTooLong(t *testing.T) {
	clock := verifiertest.NewClock(time.Unix(1_750_000_000, 0))
	cache := &hoarder{make(map[string][]byte)}
	e := answering(200, `{"access_token":"token","expires_in":3600}`)
	c := e.client(t, func(cfg *exchange.Config) {
		cfg.Clock, cfg.Cache, cfg.CachePrivate, cfg.CacheTTL = clock, cache, true, 10*time.Minute
	})
	ask := func(requests int) {
		t.Helper()
		before := e.count()
		if got, err := c.ExchangeProfile(t.Context(), profile("subject")); err != nil || got.AccessToken != "token" {
			t.Errorf("ExchangeProfile = %v", err)
		}
		if got := e.count() - before; got != requests {
			t.Errorf("%d requests; want %d", got, requests)
		}
	}
	ask(1)
	ask(0)
	clock.Advance(10*time.Minute - 1)
	ask(0)
	clock.Advance(1)
	ask(1)
	ask(0)
	for _, odd := range []string{`"access_token":""`, `"access_token":"a\nb"`, `"access_token":" "`} {
		for key, value := range cache.values {
			cache.values[key] = bytes.Replace(value, []byte(`"access_token":"token"`), []byte(odd), 1)
		}
		ask(1)
	}
}
