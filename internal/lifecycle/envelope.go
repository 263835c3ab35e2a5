package lifecycle

import (
	"bytes"
	"encoding/json"
	"errors"
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
)

// envelope is the first line of a cache entry; the document follows as it was
// received.
type envelope struct {
	Version int    `json:"version"`
	Name    string `json:"name"`
	Issuer  string `json:"issuer"` // whose document this is, as normalised by us
	Stated  string `json:"stated"` // the issuer as its source states it
	ETag    string `json:"etag,omitempty"`
	Fetched int64  `json:"fetched"` // Unix milliseconds
	Fresh   int64  `json:"fresh"`
	Stale   int64  `json:"stale"`
}

func encodeEnvelope[T any](name, issuer string, s *Snapshot[T]) ([]byte, error) {
	head, err := json.Marshal(envelope{
		Version: envelopeVersion, Name: name, Issuer: issuer, Stated: s.Stated, ETag: s.etag,
		Fetched: s.life.fetched.UnixMilli(), Fresh: s.life.fresh.UnixMilli(), Stale: s.life.stale.UnixMilli(),
	})
	if err != nil {
		return nil, errEnvelope
	}
	if len(head)+1+len(s.body) > maxEnvelope {
		return nil, errEnvelopeLarge
	}
	return append(append(head, '\n'), s.body...), nil
}

// decodeEnvelope reads an entry that anybody may have written. The times must
// be in order, and not from the future.
func decodeEnvelope[T any](name, issuer string, value []byte, now time.Time) (*Snapshot[T], error) {
	head, body, found := bytes.Cut(value, []byte{'\n'})
	if !found || len(value) > maxEnvelope {
		return nil, errEnvelope
	}
	var e envelope
	if err := json.Unmarshal(head, &e); err != nil {
		return nil, errEnvelope
	}
	life := lifetime{fetched: time.UnixMilli(e.Fetched), fresh: time.UnixMilli(e.Fresh), stale: time.UnixMilli(e.Stale)}
	switch {
	case e.Version != envelopeVersion, e.Name != name, e.Issuer != issuer:
		return nil, errEnvelope
	case life.fresh.Before(life.fetched), life.stale.Before(life.fresh), life.fetched.After(now.Add(clockSkew)):
		return nil, errEnvelope
	}
	return &Snapshot[T]{Stated: e.Stated, life: life, etag: e.ETag, body: bytes.Clone(body)}, nil
}
