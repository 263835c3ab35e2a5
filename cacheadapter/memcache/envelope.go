package memcache

import (
	"bytes"
	"encoding/binary"
	"time"
)

const (
	envelopeVersion = 1
	generationSize  = 16
	envelopeSize    = 1 + generationSize + 8
)

// seal puts version, generation and time of expiry in front of a value.
func seal(generation []byte, expires int64, value []byte) []byte {
	envelope := make([]byte, 0, envelopeSize+len(value))
	envelope = append(envelope, envelopeVersion)
	envelope = append(envelope, generation...)
	envelope = binary.LittleEndian.AppendUint64(envelope, uint64(expires))
	return append(envelope, value...)
}

// of reports whether an envelope is of a generation.
func of(envelope, generation []byte) bool {
	return len(envelope) >= envelopeSize && envelope[0] == envelopeVersion && len(generation) == generationSize &&
		bytes.Equal(envelope[1:1+generationSize], generation)
}

// open returns the value, unless it is of another generation, has expired, or
// is nothing of ours.
func open(envelope, generation []byte, now time.Time) (value []byte, ok bool) {
	if !of(envelope, generation) {
		return nil, false
	}
	expires := int64(binary.LittleEndian.Uint64(envelope[1+generationSize:]))
	return envelope[envelopeSize:], now.UnixNano() < expires
}
