package exchange

import (
	"encoding/base64"
	"math"
	"math/big"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/portcullis-go/portcullis/internal/fetch"
	"github.com/portcullis-go/portcullis/internal/strictjson"
)

// maxLifetime is what larger ones are taken for, so that no time overflows.
const maxLifetime = math.MaxInt64 / int64(time.Second)

// parseTokens reads a successful answer (RFC 6749, Section 5.1; RFC 8693,
// Section 2.2.1). Its content type is not looked at: what parses is JSON.
func parseTokens(reply *fetch.Reply, now time.Time) (*Tokens, error) {
	if reply.TooLarge {
		return nil, invalidResponse(codeInvalidResponse, "the answer is larger than 1 MiB", nil)
	}
	document, err := strictjson.Parse(string(reply.Body), nil)
	if err != nil {
		return nil, invalidResponse(codeInvalidJSON, "the answer is not a JSON object", nil)
	}
	t := &Tokens{}
	var ok bool
	if t.AccessToken, ok = strictjson.Find(document, "access_token").Text(); !ok || !usable(t.AccessToken) {
		return nil, invalidResponse(codeInvalidResponse, "the answer has no usable access_token", nil)
	}
	if ok = t.setLifetime(strictjson.Find(document, "expires_in"), now); !ok {
		return nil, invalidResponse(codeInvalidResponse, "expires_in is not a whole number of seconds", nil)
	}
	texts := [...]*string{&t.Scope, &t.TokenType, &t.IssuedTokenType, &t.IDToken, &t.RefreshToken}
	for i, name := range optional {
		value := strictjson.Find(document, name)
		switch value.Kind() {
		case strictjson.Invalid, strictjson.Null: // null says no more than absence
		case strictjson.String:
			*texts[i], _ = value.Text()
			t.present |= 1 << i
		default:
			return nil, invalidResponse(codeInvalidResponse, name+" is not a string", nil)
		}
	}
	return t, nil
}

// usable reports whether a text can be an access token: visible ASCII and
// spaces (RFC 6749, Appendix A.12), and not blank. Anything else could not be
// sent in a header.
func usable(token string) bool {
	return strings.Trim(token, " ") != "" && !strings.ContainsFunc(token, func(r rune) bool { return r < 0x20 || r > 0x7e })
}

// later adds without overflow.
func later(t time.Time, d time.Duration) time.Time {
	if end := t.Add(d); end.After(t) || d == 0 {
		return end
	}
	return t
}

// setLifetime sets ExpiresIn and ExpiresAt from expires_in, which may be absent,
// and from the token itself, which may be a JWT: the earlier end counts. The
// result is false when expires_in is malformed.
func (t *Tokens) setLifetime(expiresIn strictjson.Value, now time.Time) bool {
	if expiresIn.Kind() != strictjson.Invalid {
		seconds, ok := lifetime(expiresIn)
		if !ok {
			return false
		}
		t.ExpiresAt = later(now.Truncate(time.Second), time.Duration(seconds)*time.Second)
	}
	if end, isJWT := expiry(t.AccessToken); isJWT && (t.ExpiresAt.IsZero() || end.Before(t.ExpiresAt)) {
		t.ExpiresAt = end // zero, and so unknown, where exp is no time
	}
	if !t.ExpiresAt.IsZero() {
		t.ExpiresIn = max(0, t.ExpiresAt.Sub(now.Truncate(time.Second)))
	}
	return true
}

// expiry returns the exp claim of a token that looks like a JWT; ok is false
// when it does not, or has none. Nothing is verified, since it can only make a
// result live shorter, and so the reading is wide: of several exp claims the
// earliest counts, and one that is not a time is the zero time.
func expiry(token string) (end time.Time, ok bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return time.Time{}, false
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return time.Time{}, false
	}
	members, err := strictjson.ParseDocument(string(payload), nil)
	if err != nil {
		return time.Time{}, false
	}
	for _, m := range members {
		if m.Name != "exp" {
			continue
		}
		at, _ := m.Value.Time()
		if !ok || at.Before(end) {
			end = at
		}
		ok = true
	}
	return end, ok
}

// lifetime reads expires_in: a whole number that is not negative, or text that
// is one, which some servers send.
func lifetime(v strictjson.Value) (seconds int64, ok bool) {
	switch v.Kind() {
	case strictjson.Number:
		return wholeNumber(v.Raw())
	case strictjson.String:
		text, _ := v.Text()
		digits := strings.TrimPrefix(strings.TrimPrefix(text, "+"), "-")
		if digits == "" || len(digits) > maxDigits || strings.Trim(digits, "0123456789") != "" {
			return 0, false
		}
		return wholeNumber(text)
	default:
		return 0, false
	}
}

const (
	maxDigits   = 400
	maxExponent = 400
)

// wholeNumber reads a JSON number of any size: 3600, 3600.0 and 36e2 are one.
func wholeNumber(text string) (seconds int64, ok bool) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return min(n, maxLifetime), n >= 0
	}
	mantissa, exponent, _ := strings.Cut(strings.ToLower(text), "e")
	if len(mantissa) > maxDigits {
		return 0, false
	}
	if exponent != "" {
		if e, err := strconv.Atoi(exponent); err != nil || e > maxExponent || e < -maxExponent {
			return 0, false
		}
	}
	n, parsed := new(big.Rat).SetString(text)
	if !parsed || !n.IsInt() || n.Sign() < 0 {
		return 0, false
	}
	if !n.Num().IsInt64() {
		return maxLifetime, true
	}
	return min(n.Num().Int64(), maxLifetime), true
}

// checkTypes refuses tokens of another type than the one asked for.
func (k *call) checkTypes(t *Tokens, bound bool) error {
	if k.requested != "" && t.IssuedTokenType != "" && t.IssuedTokenType != k.requested {
		// RFC 8693, Section 2.2.1
		return invalidResponse(codeInvalidResponse, "another issued_token_type than the one asked for", ErrTokenType)
	}
	if k.flow.typeStated && t.IssuedTokenType != k.requested {
		return invalidResponse(codeInvalidResponse, "the type of token that was issued is not stated", ErrTokenType)
	}
	plain := t.TokenType == "" || strings.EqualFold(t.TokenType, "Bearer")
	// RFC 8693, Section 2.2.1: N_A says that it is no access token.
	other := strings.EqualFold(t.TokenType, "N_A") && k.requested != TypeAccessToken
	switch {
	case other && k.requested == TypeIDJAG:
		return nil // a grant, which no proof goes with, and nothing to call an API with
	case bound && !strings.EqualFold(t.TokenType, "DPoP"):
		// RFC 9449, Section 5: any other type means that it is not bound.
		return invalidResponse(codeInvalidResponse, "the token is not bound to the DPoP key", ErrTokenType)
	case bound, plain, other:
		return nil
	default:
		// RFC 6749, Section 7.1: a type that is not understood is not used.
		return invalidResponse(codeInvalidResponse, "a token_type that this client cannot use", ErrTokenType)
	}
}

// refused is the error of an answer with a status other than 200 (RFC 6749,
// Section 5.2).
func (k *call) refused(r *tokenRequest, reply *fetch.Reply, now time.Time) *Error {
	e := &Error{Code: k.flow.failureCode, Status: reply.Status, Description: "the token endpoint refused the request", kind: ErrRefused}
	// Bodies of proxies and error pages are not the issuer's words.
	if strings.Contains(strings.ToLower(reply.Header.Get("Content-Type")), "json") {
		if document, err := strictjson.Parse(string(reply.Body), nil); err == nil {
			if code, _ := strictjson.Find(document, "error").Text(); legal(code, maxCode) && !r.betrays(code) {
				e.Code = code
			}
			if text, _ := strictjson.Find(document, "error_description").Text(); legal(text, maxDescription) && !r.betrays(text) {
				e.server = &text
			}
		}
	}
	if reply.Status == http.StatusTooManyRequests || reply.Status == http.StatusServiceUnavailable {
		e.RetryAfter = retryAfter(reply.Header.Get("Retry-After"), now)
	}
	if reply.Status == http.StatusTooManyRequests {
		e.kind, e.Description = ErrRateLimited, "the token endpoint asked to wait"
		e.RetryAfter = max(e.RetryAfter, time.Second)
	}
	return e
}

const (
	maxCode        = 128
	maxDescription = 512
)

// legal reports whether a text keeps to the characters of error and
// error_description (RFC 6749, Section 5.2), and to a length.
func legal(text string, maxLength int) bool {
	return text != "" && len(text) <= maxLength && !strings.ContainsFunc(text, func(r rune) bool {
		return r < 0x20 || r > 0x7e || r == '"' || r == '\\'
	})
}

// minSecret is the length below which a text is in others by chance.
const minSecret = 8

// betrays reports whether a text of the endpoint repeats a token or secret that
// was sent.
func (r *tokenRequest) betrays(text string) bool {
	for _, secret := range r.secrets {
		if len(secret) >= minSecret && strings.Contains(text, secret) || secret == text {
			return true
		}
	}
	return false
}

// maxRetryAfter bounds what a wrong header can do.
const maxRetryAfter = 24 * time.Hour

// retryAfter reads the header of RFC 9110, Section 10.2.3.
func retryAfter(text string, now time.Time) time.Duration {
	text = strings.TrimSpace(text)
	if seconds, err := strconv.ParseUint(text, 10, 32); err == nil {
		return min(time.Duration(seconds)*time.Second, maxRetryAfter)
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, min(at.Sub(now), maxRetryAfter))
	}
	return 0
}
