package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// statement is what a token says about one thing.
type statement struct{ name, value string }

// statements returns one for each of the few header parameters and claims that a
// verification compares with something. It shows what a token with good syntax says
// and judges nothing: texts are quoted and cut, and no other claim, key or signature is
// shown.
func statements(token string) []statement {
	var lines []statement
	for i, names := range [][]string{{"typ", "alg", "kid"}, {"iss", "aud", "client_id", "azp", "exp", "nbf", "iat", "cnf"}} {
		members := part(token, i)
		for _, name := range names {
			if raw, ok := members[name]; ok {
				lines = append(lines, statement{name, show(raw)})
			}
		}
	}
	return lines
}

// part returns the members of the header (0) or payload (1) of a token, by exact name.
func part(token string, i int) (members map[string]json.RawMessage) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil
	}
	data, err := base64.RawURLEncoding.DecodeString(parts[i])
	if err != nil || json.Unmarshal(data, &members) != nil {
		return nil
	}
	return members
}

// textOf returns a member that is a text, or "".
func textOf(members map[string]json.RawMessage, name string) string {
	var text string
	_ = json.Unmarshal(members[name], &text)
	return text
}

// show prints a value, or what kind of thing it is.
func show(raw json.RawMessage) string {
	var value any
	if json.Unmarshal(raw, &value) != nil {
		return "a value that cannot be shown"
	}
	switch v := value.(type) {
	case string:
		return fmt.Sprintf("%.200q", v)
	case float64:
		return showTime(v)
	case []any:
		items := make([]string, 0, 10)
		for _, item := range v[:min(len(v), cap(items))] {
			items = append(items, fmt.Sprintf("%.200q", fmt.Sprint(item)))
		}
		return fmt.Sprintf("%s (%d)", strings.Join(items, ", "), len(v))
	case map[string]any:
		// Of a confirmation, what it is about, and not the thumbprint.
		return fmt.Sprintf("an object of %.200q", slices.Sorted(maps.Keys(v)))
	default:
		return fmt.Sprintf("%.200q", fmt.Sprint(v))
	}
}

// showTime prints a NumericDate with its distance from now.
func showTime(seconds float64) string {
	const year10000 = 253402300800
	if seconds < 0 || seconds >= year10000 {
		return "a number that is no time"
	}
	at := time.Unix(int64(seconds), 0).UTC()
	if ago := time.Since(at).Round(time.Second); ago > 0 {
		return fmt.Sprintf("%s, %v ago", at.Format(time.RFC3339), ago)
	}
	return fmt.Sprintf("%s, in %v", at.Format(time.RFC3339), time.Until(at).Round(time.Second))
}
