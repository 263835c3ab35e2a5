package exchange_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode"

	"github.com/portcullis-go/portcullis/internal/recorded"
)

// parityRules are all the reasons for which an outcome may differ from the
// recording, with the outcomes that are wanted instead. Which vectors differ by
// each, and what comes out of each, stands in testdata/parity_differences.json;
// docs/differences.md explains them.
var parityRules = []recorded.Rule{
	{Name: "white space and a scheme in a token", Quirk: "whitespace and a 'Bearer ' prefix", Wanted: []string{"400 get_access_token_for_connection_error"}, Because: "DESIGN 7: one rule for the tokens of every flow"},
	{Name: "no credentials", Wanted: []string{"construction refused"}, Because: "DESIGN 2: New refuses a client without credentials"},
	{Name: "an exception of discovery", Quirk: "a discovery failure", Wanted: []string{"502 discovery_error", "504 discovery_error"}, Because: "DESIGN 7: every failure is an error of the library"},
	{Name: "an exception of an error that is no object", Quirk: "an error response whose JSON is not an object", Wanted: []string{"400 connection_token_error", "400 token_exchange_error"}, Because: "DESIGN 7: every failure is an error of the library"},
	{Name: "an exception of an error that is no JSON", Quirk: "an error response labelled JSON", Wanted: []string{"400 connection_token_error"}, Because: "DESIGN 7: every failure is an error of the library"},
	{Name: "invalid JSON", Quirk: "invalid JSON from the token endpoint", Wanted: []string{"502 invalid_json"}, Because: "DESIGN 7: a malformed answer is 502 in every flow"},
	{Name: "an exception of an answer that is no object", Quirk: "a 200 response whose JSON is not an object", Wanted: []string{"502 invalid_json"}, Because: "DESIGN 7: every failure is an error of the library"},
	{Name: "a lenient expires_in", Quirk: "lenient int() coercion", Wanted: []string{"502 invalid_response"}, Because: "RFC 6749 5.1: expires_in is a whole number of seconds"},
	{Name: "an infinite expires_in", Quirk: "expires_in of infinity", Wanted: []string{"502 invalid_json"}, Because: "RFC 8259 6: Infinity is no JSON number"},
	{Name: "a negative expires_in", Quirk: "negative expires_in", Wanted: []string{"502 invalid_response"}, Because: "DESIGN 7: no token that has expired"},
	{Name: "a scheme before a tab", Quirk: "looks for a space only", Wanted: []string{"400 get_token_by_exchange_profile_error"}, Because: "DESIGN 7: the scheme before a token, whatever the white space"},
	{Name: "form-urlencoded credentials", Quirk: "form-urlencoding", Wanted: []string{"calls"}, Because: "RFC 6749 2.3.1: id and secret are form-encoded"},
	{Name: "nearly a reserved name", Quirk: "deny-list compares exact", Wanted: []string{"400 get_token_by_exchange_profile_error"}, Because: "DESIGN 7: reserved names, whatever is around them"},
	{Name: "texts of Python", Quirk: "Python text forms", Wanted: []string{"calls"}, Because: "Go's types: values are strings, true, false and null by their JSON names"},
	{Name: "a nested value", Wanted: []string{"inexpressible"}, Because: "Go's types: values are strings"},
	{Name: "an exception of the URL", Quirk: "raises httpx.InvalidURL", Wanted: []string{"502 network_error"}, Because: "DESIGN 7: every failure is an error of the library"},
	{Name: "a domain given as https", Quirk: "https://https://", Wanted: []string{"accepted"}, Because: "DESIGN 3: domains are normalised"},
	{Name: "an error that is no text", Quirk: "non-string error", Wanted: []string{"400 token_exchange_error"}, Because: "RFC 6749 5.2: a code is a text of legal characters"},
	{Name: "a blank access_token", Quirk: "blank access_token", Wanted: []string{"502 invalid_response"}, Because: "RFC 6749 A.12: a token that can be sent"},
	{Name: "an expires_in beyond 64 bits", Quirk: "beyond 64 bits", Wanted: []string{"accepted"}, Because: "RFC 8259 6: a number of any size is clamped"},
	{Name: "not a JSON number", Wanted: []string{"502 invalid_json"}, Because: "RFC 8259 6: NaN and Infinity are no JSON numbers"},
	{Name: "null is absence", Quirk: "optional members of the wrong type (null", Wanted: []string{"accepted"}, Because: "RFC 6749 5.1: null is absence"},
	{Name: "an exception of the client", Quirk: "httpx.HTTPStatusError escapes", Wanted: []string{"502 discovery_error"}, Because: "DESIGN 7: every failure is an error of the library"},
	{Name: "another issued_token_type", Quirk: "issued_token_type other than", Wanted: []string{"502 invalid_response"}, Because: "RFC 8693 2.2.1: the type asked for"},
	{Name: "a wrong member", Quirk: "optional members of the wrong type", Wanted: []string{"502 invalid_response"}, Because: "RFC 6749 5.1: members are strings"},
	{Name: "metadata of another issuer", Quirk: "discovery issuer is not compared", Wanted: []string{"502 discovery_error", "502 issuer"}, Because: "RFC 8414 3.3: the metadata is the issuer's own"},
	{Name: "a token endpoint over http", Quirk: "plain-http token_endpoint", Wanted: []string{"502 discovery_error"}, Because: "RFC 6749 3.2: TLS only"},
	{Name: "further: no credentials", When: withoutCredentials, Wanted: []string{"construction refused"}, Because: "DESIGN 2: New refuses a client without credentials"},
	{Name: "further: not JSON", When: notJSON, Wanted: []string{"502 invalid_json"}, Because: "RFC 8259 6: NaN and Infinity are no JSON numbers"},
	{Name: "further: byte order mark", When: byteOrderMark, Wanted: []string{"502 invalid_json"}, Because: "RFC 8259 8.1: no byte order mark"},
	{Name: "further: a token that cannot be sent", When: unsendable, Wanted: []string{"502 invalid_response"}, Because: "RFC 6749 A.12: a token that can be sent"},
	{Name: "further: another type of token", When: otherTokenType, Wanted: []string{"502 invalid_response"}, Because: "RFC 6749 7.1: a token type that is understood; RFC 8693 2.2.1: the type asked for"},
	{Name: "further: an illegal code", When: illegalCode, Wanted: []string{"400 ", "401 ", "403 ", "500 ", "502 "}, Because: "RFC 6749 5.2: a code is a text of legal characters"},
	{Name: "further: a parameter without name", When: namelessParameter, Wanted: []string{"400 get_token_by_exchange_profile_error"}, Because: "RFC 6749 8.2: a parameter has a name"},
	{Name: "further: Go's types", When: func(*recorded.Vector) bool { return true }, Wanted: []string{"inexpressible"}, Because: "Go's types"},
}

func withoutCredentials(v *recorded.Vector) bool {
	id, _ := v.Config.Text("client_id")
	secret, _ := v.Config.Text("client_secret")
	return id == "" || secret == ""
}

// answers are the JSON objects that the token endpoint of a vector sends.
func answers(v *recorded.Vector) (list []map[string]any) {
	for _, u := range v.Upstream {
		var document map[string]any
		if u.Method == http.MethodPost && u.Body != nil && json.Unmarshal([]byte(*u.Body), &document) == nil {
			list = append(list, document)
		}
	}
	return list
}

func anyAnswer(v *recorded.Vector, member string, is func(text string) bool) bool {
	return slices.ContainsFunc(answers(v), func(document map[string]any) bool {
		text, ok := document[member].(string)
		return ok && is(text)
	})
}

func visible(r rune) bool { return r >= 0x20 && r <= 0x7e }

func unsendable(v *recorded.Vector) bool {
	return anyAnswer(v, "access_token", func(text string) bool {
		return strings.TrimSpace(text) == "" || strings.ContainsFunc(text, func(r rune) bool { return !visible(r) })
	})
}

func otherTokenType(v *recorded.Vector) bool {
	return anyAnswer(v, "token_type", func(text string) bool {
		return text != "" && !strings.EqualFold(text, "Bearer") && (v.Request == nil || v.Request.Operation == opOnBehalfOf || v.Request.Value("requested_token_type") != nil || !strings.EqualFold(text, "N_A"))
	}) || anyAnswer(v, "issued_token_type", func(text string) bool {
		return text != "" && v.Request != nil && v.Request.Value("requested_token_type") != nil && v.Request.Value("requested_token_type") != text
	})
}

func illegalCode(v *recorded.Vector) bool {
	return anyAnswer(v, "error", func(text string) bool {
		return text == "" || len(text) > 128 || strings.ContainsFunc(text, func(r rune) bool { return !visible(r) || r == '"' || r == '\\' })
	})
}

func byteOrderMark(v *recorded.Vector) bool {
	return slices.ContainsFunc(v.Upstream, func(u recorded.Upstream) bool { return u.Body != nil && strings.HasPrefix(*u.Body, "\ufeff") })
}

func namelessParameter(v *recorded.Vector) bool {
	if v.Request == nil {
		return false
	}
	parameters, _ := v.Request.Value("extra").(map[string]any)
	return slices.ContainsFunc(slices.Collect(maps.Keys(parameters)), func(name string) bool {
		return strings.TrimFunc(name, func(r rune) bool { return !unicode.IsPrint(r) || unicode.IsSpace(r) }) == ""
	})
}

func notJSON(v *recorded.Vector) bool {
	for _, u := range v.Upstream {
		if u.Body != nil && (strings.Contains(*u.Body, ":NaN") || strings.Contains(*u.Body, ":Infinity") || strings.Contains(*u.Body, ":-Infinity")) {
			return true
		}
	}
	return false
}
