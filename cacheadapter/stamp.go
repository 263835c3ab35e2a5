package cacheadapter

import (
	"encoding/binary"
	"time"
)

// stampSize is the length of a point in time in front of a value:
// microseconds since 1970, big endian.
const stampSize = 8

// appendStamp rounds up, so that the shortest ttl is not shorter than none.
func appendStamp(b []byte, t time.Time) []byte {
	micros := t.UnixMicro()
	if t.Nanosecond()%1000 != 0 {
		micros++
	}
	return binary.BigEndian.AppendUint64(b, uint64(micros))
}

// cutStamp needs at least stampSize bytes.
func cutStamp(b []byte) (time.Time, []byte) {
	return time.UnixMicro(int64(binary.BigEndian.Uint64(b))), b[stampSize:]
}

// live reports whether something that expires then is still to be served.
func live(now, expires time.Time) bool { return now.Before(expires) }
