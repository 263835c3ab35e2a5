package strictjson

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// maxUnix is the last second of the year 9999; larger values are clamped to
// it, so that no arithmetic on times overflows.
const maxUnix = 253402300799

// Time returns a number value as a NumericDate (RFC 7519, Section 2): seconds
// since 1970-01-01T00:00:00Z, possibly with a fraction, exact to the
// nanosecond (further digits are cut off). Values outside the years 1 to 9999
// are clamped. ok is false for every other kind.
func (v Value) Time() (t time.Time, ok bool) {
	if v.kind != Number {
		return time.Time{}, false
	}
	if sec, err := strconv.ParseInt(v.raw, 10, 64); err == nil {
		return unix(sec, 0), true
	}
	sec, nsec, ok := decimal(v.raw)
	if !ok {
		// An exponent or a number of astronomic size: a float is exact enough, and an
		// infinity where the number is out of its range.
		f, _ := strconv.ParseFloat(v.raw, 64)
		f = max(-maxUnix, min(maxUnix, f))
		whole, frac := math.Modf(f)
		return unix(int64(whole), int64(frac*1e9)), true
	}
	return unix(sec, nsec), true
}

// decimal reads an optional sign, digits, a point and digits.
func decimal(raw string) (sec, nsec int64, ok bool) {
	whole, frac, _ := strings.Cut(raw, ".")
	if strings.ContainsAny(frac, "eE") { // perhaps behind more digits than count
		return 0, 0, false
	}
	sec, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return 0, 0, false
	}
	if len(frac) > 9 {
		frac = frac[:9]
	}
	nsec, err = strconv.ParseInt(frac+"000000000"[len(frac):], 10, 64)
	if err != nil {
		return 0, 0, false
	}
	if raw[0] == '-' {
		nsec = -nsec
	}
	return sec, nsec, true
}

func unix(sec, nsec int64) time.Time {
	const minUnix = -62135596800 // year 1
	return time.Unix(max(minUnix, min(maxUnix, sec)), nsec)
}
