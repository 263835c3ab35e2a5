package memcache

import (
	"math"
	"time"
)

// maxRelative is the longest time that memcached takes as such; larger numbers
// are dates to it.
const maxRelative = 30 * 24 * 60 * 60

// expiration returns what makes memcached keep an item for at least a positive
// ttl: the number of seconds, or a Unix time when they are too many. It never
// returns 0, which means for ever, or a negative number, which means not at
// all. When the date cannot be told, it returns the last one and false.
func expiration(now time.Time, ttl time.Duration) (seconds int32, exact bool) {
	// One second more, because the clock of memcached stands still for one:
	// of the last second of an item any part can be missing.
	relative := int64((ttl-1)/time.Second) + 2
	if relative <= maxRelative {
		return int32(relative), true
	}
	date := now.Unix() + 1 + relative
	if date > math.MaxInt32 {
		return math.MaxInt32, false
	}
	return int32(date), true
}

// deadline returns now plus a positive ttl in Unix nanoseconds, or the last
// instant that they can tell.
func deadline(now time.Time, ttl time.Duration) int64 {
	at := now.UnixNano()
	if int64(ttl) > math.MaxInt64-max(at, 0) {
		return math.MaxInt64
	}
	return at + int64(ttl)
}
