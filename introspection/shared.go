package introspection

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"time"

	"github.com/portcullis-go/portcullis/internal/foreign"
	"github.com/portcullis-go/portcullis/internal/seal"
	"github.com/portcullis-go/portcullis/verifier"
)

// shared keeps positive answers where other processes find them.
type shared struct {
	cache  verifier.Cache
	sealer *seal.Sealer // nil: the cache is private or seals by itself
	fault  func(error)

	lookups chan struct{} // one for each under way
}

const (
	// keyPrefix keeps answers apart from whatever else is in a cache.
	keyPrefix = "portcullis:introspection:1:"
	// cacheTimeout bounds one call of the cache, which is faster than the issuer or of
	// no use.
	cacheTimeout = 500 * time.Millisecond
)

// errEntry says that an answer in the cache is not one of ours.
var errEntry = errors.New("introspection: a cached answer is not one of this client's")

// entry is an answer as it is kept. Key repeats under what it is kept, so that one
// that was moved is not taken for another token's.
type entry struct {
	Key    string          `json:"key"`
	Stored int64           `json:"stored"`
	Until  int64           `json:"until"`
	Claims json.RawMessage `json:"claims"`
}

func name(k key) string { return keyPrefix + base64.RawURLEncoding.EncodeToString(k[:]) }

// get returns the answer about an active token and for how long it is good, or one
// that is not active. Look-ups are bounded apart from questions to the issuer, so
// that an issuer that hangs takes nothing from what is in the cache; what is too
// much is not looked up.
func (s *shared) get(ctx context.Context, k key, now time.Time) (answer, span) {
	if s == nil {
		return answer{}, span{}
	}
	select {
	case s.lookups <- struct{}{}:
		defer func() { <-s.lookups }()
	default:
		return answer{}, span{}
	}
	bounded, cancel := context.WithTimeout(ctx, cacheTimeout)
	defer cancel()
	type found struct {
		value []byte
		ok    bool
	}
	f, err := foreign.Call(bounded, func() (f found, err error) {
		f.value, f.ok, err = s.cache.Get(bounded, name(k))
		return f, err
	})
	if err != nil {
		if ctx.Err() == nil { // a caller who left is no fault of the cache
			s.fault(err)
		}
		return answer{}, span{}
	}
	if !f.ok {
		return answer{}, span{}
	}
	a, at, err := s.open(name(k), f.value)
	if err != nil {
		s.fault(err)
		return answer{}, span{}
	}
	if !at.holds(now) {
		return answer{}, span{}
	}
	return a, at
}

func (s *shared) open(name string, value []byte) (answer, span, error) {
	if s.sealer != nil {
		opened, err := s.sealer.Open(value, name)
		if err != nil {
			return answer{}, span{}, errEntry
		}
		value = opened
	}
	var e entry
	if json.Unmarshal(value, &e) != nil || e.Key != name {
		return answer{}, span{}, errEntry
	}
	a, ok := parseAnswer(e.Claims)
	if !ok || !a.active {
		return answer{}, span{}, errEntry
	}
	return a, span{e.Stored, e.Until}, nil
}

func (s *shared) put(ctx context.Context, k key, claims []byte, at span) {
	if s == nil {
		return
	}
	value, err := json.Marshal(entry{name(k), at.stored, at.until, claims})
	if err != nil {
		return
	}
	if s.sealer != nil {
		value = s.sealer.Seal(value, name(k))
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cacheTimeout)
	defer cancel()
	ttl := time.Duration(at.until - at.stored)
	if _, err := foreign.Call(ctx, func() (struct{}, error) { return struct{}{}, s.cache.Set(ctx, name(k), value, ttl) }); err != nil {
		s.fault(err)
	}
}
