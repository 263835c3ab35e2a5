package exchange_test

import (
	"errors"
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
