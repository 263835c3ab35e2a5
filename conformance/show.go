package conformance

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// show quotes a key or a value, shortened.
func show[T string | []byte](text T) string {
	const most = 48
	if len(text) <= most {
		return strconv.Quote(string(text))
	}
	return fmt.Sprintf("%q... (%d bytes)", string(text[:most]), len(text))
}

// leaks reports whether an error shows a secret, or a part of it that is long
// enough to be no accident, plainly or encoded.
func leaks(err error, secret string) bool {
	text := fmt.Sprintf("%v %+v %s", err, err, chain(err))
	quoted := strconv.Quote(secret)
	forms := []string{
		secret, quoted[1 : len(quoted)-1], hex.EncodeToString([]byte(secret)), strings.ToUpper(hex.EncodeToString([]byte(secret))),
		base64.RawStdEncoding.EncodeToString([]byte(secret)), base64.RawURLEncoding.EncodeToString([]byte(secret)),
		base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString([]byte(secret)),
		strings.Trim(fmt.Sprint([]byte(secret)), "[]"), strings.Trim(fmt.Sprintf("%#v", []byte(secret)), "[]byte{}"),
		strings.ToUpper(secret), url.QueryEscape(secret),
	}
	for _, form := range forms {
		const part = 14
		for i := 0; i == 0 || i+part <= len(form); i++ {
			if strings.Contains(text, form[i:min(i+part, len(form))]) {
				return true
			}
		}
	}
	return false
}

// chain is the text of all errors that an error wraps.
func chain(err error) string {
	switch wrapped := err.(type) {
	case interface{ Unwrap() error }:
		if inner := wrapped.Unwrap(); inner != nil {
			return inner.Error() + " " + chain(inner)
		}
	case interface{ Unwrap() []error }:
		var b strings.Builder
		for _, inner := range wrapped.Unwrap() {
			b.WriteString(inner.Error() + " " + chain(inner) + " ")
		}
		return b.String()
	}
	return ""
}
