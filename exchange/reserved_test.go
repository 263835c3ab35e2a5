package exchange_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/portcullis-go/portcullis/exchange"
)

var reservedNames = []string{
	"grant_type", "client_id", "client_secret", "client_assertion", "client_assertion_type", "subject_token", "subject_token_type",
	"requested_token_type", "actor_token", "actor_token_type", "subject_issuer", "audience", "aud", "resource", "resources",
	"resource_indicator", "scope", "connection", "login_hint", "organization", "assertion", "requested_token_use",
}

// TestReservedNames: whatever a common form parser reads as one of the names.
func TestReservedNames(t *testing.T) {
	c := answering(200, `{"access_token":"t"}`).client(t, nil)
	for _, name := range reservedNames {
		for _, spelling := range []string{
			"%", "%[]", "%[0]", "%[x]", "%[x][y]", "%[", "%]", "[%]", "%.x", "%.", ".%", "%..", "%(0)", "%{0}", "%:x", "%;x", "%,", "%*", "%*0", "%=", "%&x", "%%5B",
			" %", "% ", "\t%", "%\x00", "%\x00[]", "\ufeff%", "%\u200b", "%\u00a0", "_%", "%_", "-%", "!%", "$%", "@%", "+%", "%+", "%#", "%~", "%/x", "%\\x", "%|", "%\"", "%'",
		} {
			for _, text := range []string{name, strings.ToUpper(name), strings.ToUpper(name[:1]) + name[1:]} {
				extra := strings.Replace(spelling, "%", text, 1)
				r := profile("subject")
				r.Extra = url.Values{extra: {"x"}}
				if _, err := c.ExchangeProfile(t.Context(), r); !errors.Is(err, exchange.ErrArgument) {
					t.Errorf("%q was sent (%v)", extra, err)
				}
			}
		}
		for _, between := range []string{".", " ", "-", "[", "__", "", "+", "%5F", "\uff3f"} {
			if extra := strings.ReplaceAll(name, "_", between); !exchange.Reserved(extra) {
				t.Errorf("%q is not reserved", extra)
			}
		}
	}
	for _, odd := range []string{"", " ", "[]", "...", "\x00", "\u017fcope", "\uff53cope", "cl\u0131ent_id", "caf\u00e9", "a b", "a\x7f", "a!\x20b"} {
		if !exchange.Reserved(odd) {
			t.Errorf("%q is not reserved", odd)
		}
	}
	for _, free := range []string{"device", "metadata[team]", "x.audience", "authorization_details", "requested_issuer", "audience2", "scopes", "my_audience", "client_ip", "urn:example:x", "ui_locales", "foo[]", "audience-x", "audience9", "audience0", "audiencez", "audience_x", "az09AZ"} {
		if exchange.Reserved(free) {
			t.Errorf("%q is reserved", free)
		}
	}
}

// FuzzReservedNames: what is around a reserved name does not free it, as long as
// it is not of letters and digits.
func FuzzReservedNames(f *testing.F) {
	f.Add("audience", "", "[]")
	f.Add("client_id", "[", "]x")
	f.Add("scope", " ", ".a")
	f.Fuzz(func(t *testing.T, name, before, after string) {
		if !exchange.Reserved(name) {
			return
		}
		letter := func(r rune) bool {
			return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		}
		if strings.ContainsFunc(before, letter) || after != "" && (letter(rune(after[0])) || after[0] == '_' || after[0] == '-') {
			return
		}
		if !exchange.Reserved(before + name) {
			t.Errorf("%q before %q frees it", before, name)
		}
		for _, known := range reservedNames {
			if name == known && !exchange.Reserved(before+name+after) {
				t.Errorf("%q and %q around %q free it", before, after, name)
			}
		}
	})
}

// TestSchemesBeforeTokens: a header's value is no token, whatever its scheme.
func TestSchemesBeforeTokens(t *testing.T) {
	c := answering(200, `{"access_token":"t"}`).client(t, nil)
	for _, scheme := range []string{"Bearer", "bearer", "DPoP", "dPOP", "Basic", "Token", "MAC", "JWT", "GNAP", "x-custom.scheme", "Authorization:", "authorization: Bearer", "Authorization:Bearer", "1"} {
		for _, space := range []string{" ", "\t", "  ", "\u00a0", "\u3000", "\x1f", "\x1c", "\v"} {
			text := scheme + space + "abc.def.ghi"
			for name, err := range map[string]error{
				"subject":    second(c.ExchangeProfile(t.Context(), profile(text))),
				"actor":      second(c.ExchangeProfile(t.Context(), exchange.ProfileRequest{SubjectToken: "s", SubjectTokenType: "t", ActorToken: text, ActorTokenType: "t"})),
				"on behalf":  second(c.OnBehalfOf(t.Context(), exchange.OnBehalfOfRequest{AccessToken: text, Audience: backend})),
				"connection": second(c.ConnectionToken(t.Context(), exchange.ConnectionRequest{Connection: "c", AccessToken: text})),
				"refresh":    second(c.ConnectionToken(t.Context(), exchange.ConnectionRequest{Connection: "c", RefreshToken: text})),
				"assertion":  second(c.JWTBearer(t.Context(), exchange.JWTBearerRequest{Assertion: text})),
				"identity":   second(c.IDJAG(t.Context(), exchange.IDJAGRequest{SubjectToken: text, Audience: backend})),
			} {
				if !errors.Is(err, exchange.ErrArgument) {
					t.Errorf("%s %q: %v; want ErrArgument", name, text, err)
				}
			}
		}
	}
	for _, good := range []string{"Bearer", "Bearer.abc", "abc", "<saml:Assertion ID=\"x\">", "{\"a\": 1}", "Bearer/abc+x=="} {
		if _, err := c.ExchangeProfile(t.Context(), profile(good)); err != nil {
			t.Errorf("token %q: %v", good, err)
		}
	}
}

// second returns the error of a call.
func second[T any](_ T, err error) error { return err }
