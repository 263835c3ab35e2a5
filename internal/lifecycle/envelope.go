package lifecycle

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"time"
)

const (
	// envelopeVersion is part of each key and entry; entries of another version
	// are misses.
	envelopeVersion = 1
	// maxEnvelope is the size that every cache takes.
	maxEnvelope = 512 << 10
)

var (
	errEnvelope      = errors.New("lifecycle: cache entry is not valid")
	errEnvelopeLarge = errors.New("lifecycle: document is too large for the cache")
	errOtherSource   = errors.New("lifecycle: cache entry is of another source")
)

// envelope is the first line of a cache entry; the document follows as it was
// received.
type envelope struct {
	Version int    `json:"version"`
	Name    string `json:"name"`
	Issuer  string `json:"issuer"` // whose document this is, as normalised by us
	Stated  string `json:"stated"` // the issuer as its source states it
	Origin  string `json:"origin"` // where it came from
	ETag    string `json:"etag,omitempty"`
	Fetched int64  `json:"fetched"` // Unix milliseconds
	Fresh   int64  `json:"fresh"`
	Stale   int64  `json:"stale"`
}

func encodeEnvelope(name, issuer string, s *Snapshot) ([]byte, error) {
	head, _ := json.Marshal(envelope{ // texts and numbers can always be written
		Version: envelopeVersion, Name: name, Issuer: issuer, Stated: s.Stated, Origin: s.Origin, ETag: s.etag,
		Fetched: millis(s.life.fetched), Fresh: millis(s.life.until), Stale: millis(s.life.stale),
	})
	if len(head)+1+len(s.body) > maxEnvelope {
		return nil, errEnvelopeLarge
	}
	return append(append(head, '\n'), s.body...), nil
}

func millis(nanos int64) int64 { return nanos / int64(time.Millisecond) }

// decodeEnvelope reads an entry that anybody may have written. The times must
// be in order, and not from the future.
func decodeEnvelope(name, issuer string, value []byte, now time.Time) (*Snapshot, error) {
	head, body, found := bytes.Cut(value, []byte{'\n'})
	if !found || len(value) > maxEnvelope {
		return nil, errEnvelope
	}
	var e envelope
	if err := json.Unmarshal(head, &e); err != nil {
		return nil, errEnvelope
	}
	latest := now.UnixMilli() + clockSkew/int64(time.Millisecond)
	switch {
	case e.Version != envelopeVersion, e.Name != name, e.Issuer != issuer:
		return nil, errEnvelope
	case e.Fetched < 0, e.Fresh < e.Fetched, e.Stale < e.Fresh, e.Fetched > latest, e.Stale > math.MaxInt64/int64(time.Millisecond):
		return nil, errEnvelope
	}
	const ms = int64(time.Millisecond)
	return &Snapshot{
		Stated: e.Stated, Origin: e.Origin, etag: e.ETag, body: bytes.Clone(body),
		life: lifetime{fetched: e.Fetched * ms, until: e.Fresh * ms, stale: e.Stale * ms},
	}, nil
}
