// Package cachecontrol reads the freshness of an HTTP response
// (RFC 9111, Sections 4.2 and 5.2).
package cachecontrol

import (
	"math"
	"net/http"
	"strings"
	"time"
)

// maxHeader bounds what is read of a Cache-Control header; more is treated as
// if the header were absent.
const maxHeader = 4 << 10

// Directives are those directives of a response that matter to a cache of
// keys.
type Directives struct {
	MaxAge    int64 // seconds; meaningful when HasMaxAge
	HasMaxAge bool
	// NoStore forbids a shared cache to keep the response (RFC 9111, Section
	// 5.2.2.5).
	NoStore bool
	// NoCache demands that a kept response is validated before each use
	// (RFC 9111, Section 5.2.2.4); it may be kept. With a list of fields it
	// speaks of those alone and does not count.
	NoCache bool
	Age     int64
}

// Parse reads the Cache-Control and Age fields. Of repeated max-age directives
// the first counts (RFC 9111, Section 4.2.1); a malformed one counts as absent.
func Parse(h http.Header) Directives {
	var d Directives
	value := strings.Join(h.Values("Cache-Control"), ",")
	if len(value) <= maxHeader {
		d.parse(value)
	}
	d.Age, _ = deltaSeconds(strings.TrimSpace(h.Get("Age")))
	return d
}

// Duration converts delta-seconds without overflow.
func Duration(seconds int64) time.Duration {
	if seconds > math.MaxInt64/int64(time.Second) {
		return math.MaxInt64
	}
	return time.Duration(seconds) * time.Second
}

func (d *Directives) parse(value string) {
	seenMaxAge := false
	for value != "" {
		var name, argument string
		var hasArgument bool
		name, argument, hasArgument, value = next(value)
		switch {
		case strings.EqualFold(name, "max-age"):
			if seenMaxAge {
				continue
			}
			seenMaxAge = true
			d.MaxAge, d.HasMaxAge = deltaSeconds(argument)
		case strings.EqualFold(name, "no-store"):
			d.NoStore = true
		case strings.EqualFold(name, "no-cache"):
			d.NoCache = d.NoCache || !hasArgument
		}
	}
}

// next cuts the first directive off value, minding quoted strings. One that does
// not end takes all of the rest with it, and is none.
func next(value string) (name, argument string, hasArgument bool, rest string) {
	value = strings.TrimLeft(value, " \t,")
	end := strings.IndexAny(value, ",=")
	if end < 0 {
		return strings.TrimRight(value, " \t"), "", false, ""
	}
	name = value[:end]
	if value[end] == ',' {
		return strings.TrimRight(name, " \t"), "", false, value[end+1:]
	}
	value = value[end+1:]
	if !strings.HasPrefix(value, `"`) {
		argument, rest, _ = strings.Cut(value, ",")
		return name, strings.TrimRight(argument, " \t"), true, rest
	}
	var b strings.Builder
	for i := 1; i < len(value); i++ {
		switch c := value[i]; c {
		case '"':
			_, rest, _ = strings.Cut(value[i:], ",")
			return name, b.String(), true, rest
		case '\\':
			i++
			if i < len(value) {
				b.WriteByte(value[i])
			}
		default:
			b.WriteByte(c)
		}
	}
	return "", "", false, ""
}

// deltaSeconds reads 1*DIGIT (RFC 9111, Section 1.2.2); a number too large for
// an int64 is the largest one. Anything else is 0 and false.
func deltaSeconds(text string) (int64, bool) {
	if text == "" {
		return 0, false
	}
	var n int64
	for _, c := range []byte(text) {
		if c < '0' || c > '9' {
			return 0, false
		}
		digit := int64(c - '0')
		if n > (math.MaxInt64-digit)/10 {
			n = math.MaxInt64
			continue
		}
		n = n*10 + digit
	}
	return n, true
}
