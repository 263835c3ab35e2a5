package exchange_test

import (
	"strings"
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
	{quirk: "Python text forms", when: nested, refused: true, justified: "Go's types: values are strings"},
	{quirk: "deny-list compares exact", refused: true, justified: "DESIGN 7: reserved names, whatever is around them"},
	{quirk: "non-string error", refused: true, justified: "RFC 6749 5.2: a code is a text of legal characters"},
	{when: withoutCredentials, refused: true, justified: "DESIGN 2: New refuses a client without credentials"},
}

func withoutCredentials(v *parityVector) bool {
	return v.Config.ClientID == "" || v.Config.ClientSecret == ""
}

func notJSON(v *parityVector) bool {
	for _, u := range v.Upstream {
		if u.Body != nil && (strings.Contains(*u.Body, ":NaN") || strings.Contains(*u.Body, ":Infinity") || strings.Contains(*u.Body, ":-Infinity")) {
			return true
		}
	}
	return false
}

// nested reports whether a parameter has a list in a list.
func nested(v *parityVector) bool {
	for _, value := range v.Request.Extra {
		list, _ := value.([]any)
		for _, element := range list {
			switch element.(type) {
			case []any, map[string]any:
				return true
			}
		}
	}
	return false
}

// parityDifference says why a vector may have this outcome, or "".
func parityDifference(v *parityVector, err error) string {
	for _, d := range parityDifferences {
		if d.refused == (err != nil) && (d.quirk == "" || strings.Contains(v.Quirk, d.quirk)) && (d.when == nil || d.when(v)) {
			return d.justified
		}
	}
	return ""
}
