package exchange_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/portcullis-go/portcullis/exchange"
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
		{"x": {"a", "b"}}, {"x": {"a" + zeros + "b"}}, {"x": {"a" + strings.Repeat("\x00", 7) + "\x01b"}},
		{"zy": {"b"}, "zz": {"zzd"}}, {"zy": {"b", "zz"}, "zzd": nil}, {"zy": {"b", "zz", "zzd"}},
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
