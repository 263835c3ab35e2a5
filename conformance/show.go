package conformance

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
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

// leaks reports whether an error shows a secret, plainly or encoded.
func leaks(err error, secret string) bool {
	text := fmt.Sprintf("%v %+v", err, err)
	quoted := strconv.Quote(secret)
	forms := []string{
		secret, quoted[1 : len(quoted)-1], hex.EncodeToString([]byte(secret)),
		strings.ToUpper(hex.EncodeToString([]byte(secret))),
		base64.RawStdEncoding.EncodeToString([]byte(secret)), base64.RawURLEncoding.EncodeToString([]byte(secret)),
		strings.Trim(fmt.Sprint([]byte(secret)), "[]"),
	}
	for _, form := range forms {
		if strings.Contains(text, form) {
			return true
		}
	}
	return false
}
