package exchange_test

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode"
)

// parityDifferences are all the reasons for which an outcome may differ from
// the recording, by a part of the vector's own remark that the recording is
// wrong or by what the vector does, with what is wanted instead and what
// justifies it. docs/differences.md explains them.
var parityDifferences = []struct {
	quirk     string
	when      func(*parityVector) bool
	refused   bool // wanted: an error; otherwise a result
	justified string
}{
	{quirk: "whitespace and a 'Bearer ' prefix", refused: true, justified: "DESIGN 7: one rule for the tokens of every flow"},
	{quirk: "looks for a space only", refused: true, justified: "DESIGN 7: the scheme before a token, whatever the white space"},
	{quirk: "discovery issuer is not compared", refused: true, justified: "RFC 8414 3.3: the metadata is the issuer's own"},
	{quirk: "plain-http token_endpoint", refused: true, justified: "RFC 6749 3.2: TLS only"},
	{quirk: "https://https://", refused: false, justified: "DESIGN 3: domains are normalised"},
	{quirk: "invalid JSON from the token endpoint", refused: true, justified: "DESIGN 7: a malformed answer is 502 in every flow"},
	{quirk: "lenient int() coercion", refused: true, justified: "RFC 6749 5.1: expires_in is a whole number of seconds"},
	{quirk: "negative expires_in", refused: true, justified: "DESIGN 7: no token that has expired"},
	{quirk: "beyond 64 bits", refused: false, justified: "RFC 8259 6: a number of any size is clamped"},
	{when: notJSON, refused: true, justified: "RFC 8259 6: NaN and Infinity are no JSON numbers"},
	{quirk: "blank access_token", refused: true, justified: "RFC 6749 A.12: a token that can be sent"},
	{quirk: "optional members of the wrong type", justified: "RFC 6749 5.1: null is absence"},
	{quirk: "optional members of the wrong type", refused: true, justified: "RFC 6749 5.1: members are strings"},
	{quirk: "issued_token_type other than", refused: true, justified: "RFC 8693 2.2.1: the type asked for"},
	{quirk: "form-urlencoding", justified: "RFC 6749 2.3.1: id and secret are form-encoded"},
	{quirk: "Python text forms", justified: "Go's types: values are strings"},
	{quirk: "deny-list compares exact", refused: true, justified: "DESIGN 7: reserved names, whatever is around them"},
	{quirk: "non-string error", refused: true, justified: "RFC 6749 5.2: a code is a text of legal characters"},
	{when: byteOrderMark, refused: true, justified: "RFC 8259 8.1: no byte order mark"},
	{when: unsendable, refused: true, justified: "RFC 6749 A.12: a token that can be sent"},
	{when: otherTokenType, refused: true, justified: "RFC 6749 7.1: a token type that is understood; RFC 8693 2.2.1: the type asked for"},
	{when: illegalCode, refused: true, justified: "RFC 6749 5.2: a code is a text of legal characters"},
	{when: namelessParameter, refused: true, justified: "RFC 6749 8.2: a parameter has a name"},
	{when: withoutCredentials, refused: true, justified: "DESIGN 2: New refuses a client without credentials"},
}

func withoutCredentials(v *parityVector) bool {
	return v.Config.ClientID == "" || v.Config.ClientSecret == ""
}

// answers are the JSON objects that the token endpoint of a vector sends.
func answers(v *parityVector) (list []map[string]any) {
	for _, u := range v.Upstream {
		var document map[string]any
		if u.Method == http.MethodPost && u.Body != nil && json.Unmarshal([]byte(*u.Body), &document) == nil {
			list = append(list, document)
		}
	}
	return list
}

func anyAnswer(v *parityVector, member string, is func(text string) bool) bool {
	return slices.ContainsFunc(answers(v), func(document map[string]any) bool {
		text, ok := document[member].(string)
		return ok && is(text)
	})
}

func visible(r rune) bool { return r >= 0x20 && r <= 0x7e }

func unsendable(v *parityVector) bool {
	return anyAnswer(v, "access_token", func(text string) bool {
		return strings.TrimSpace(text) == "" || strings.ContainsFunc(text, func(r rune) bool { return !visible(r) })
	})
}

func otherTokenType(v *parityVector) bool {
	return anyAnswer(v, "token_type", func(text string) bool {
		return text != "" && !strings.EqualFold(text, "Bearer") && (v.Request == nil || v.Request.Operation == opOnBehalfOf || v.Request.RequestedTokenType != nil || !strings.EqualFold(text, "N_A"))
	}) || anyAnswer(v, "issued_token_type", func(text string) bool {
		return text != "" && v.Request != nil && v.Request.RequestedTokenType != nil && v.Request.RequestedTokenType != text
	})
}

func illegalCode(v *parityVector) bool {
	return anyAnswer(v, "error", func(text string) bool {
		return text == "" || len(text) > 128 || strings.ContainsFunc(text, func(r rune) bool { return !visible(r) || r == '"' || r == '\\' })
	})
}

func byteOrderMark(v *parityVector) bool {
	return slices.ContainsFunc(v.Upstream, func(u parityUpstream) bool { return u.Body != nil && strings.HasPrefix(*u.Body, "\ufeff") })
}

func namelessParameter(v *parityVector) bool {
	if v.Request == nil {
		return false
	}
	parameters, _ := v.Request.Extra.(map[string]any)
	return slices.ContainsFunc(slices.Collect(maps.Keys(parameters)), func(name string) bool {
		return strings.TrimFunc(name, func(r rune) bool { return !unicode.IsPrint(r) || unicode.IsSpace(r) }) == ""
	})
}

func notJSON(v *parityVector) bool {
	for _, u := range v.Upstream {
		if u.Body != nil && (strings.Contains(*u.Body, ":NaN") || strings.Contains(*u.Body, ":Infinity") || strings.Contains(*u.Body, ":-Infinity")) {
			return true
		}
	}
	return false
}

// parityDifference says why a vector may have this outcome, or "".
func parityDifference(v *parityVector, err error) string {
	if errors.Is(err, errNotExpressible) {
		return "Go's types"
	}
	for _, d := range parityDifferences {
		if d.refused == (err != nil) && (d.quirk == "" || strings.Contains(v.Quirk, d.quirk)) && (d.when == nil || d.when(v)) {
			return d.justified
		}
	}
	return ""
}
