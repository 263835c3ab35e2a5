package exchange

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/portcullis-go/portcullis/internal/foreign"
	"github.com/portcullis-go/portcullis/internal/seal"
	"github.com/portcullis-go/portcullis/verifier"
)

// results keeps what exchanges brought, for equal requests.
type results struct {
	cache  verifier.Cache
	sealer *seal.Sealer // nil: the cache is private
	skew   time.Duration
	ttl    time.Duration
	fault  func(error)
}

const (
	// cacheTimeout bounds one call of the cache, which is faster than the
	// issuer or of no use.
	cacheTimeout = 500 * time.Millisecond
	// maxEntry is the largest result kept, below what every cache takes.
	maxEntry = 256 << 10
)

// errEntry says that a result in the cache is not one of ours.
var errEntry = errors.New("exchange: a cached result is not one of this client's")

// entry is a result as it is kept. Key repeats under what it is kept, so that
// one moved to another place is not taken for another user's.
type entry struct {
	Key             string  `json:"key"`
	Until           int64   `json:"until"` // Unix nanoseconds; not served from then on
	Stored          int64   `json:"stored"`
	ExpiresAt       int64   `json:"expires_at"` // Unix seconds
	Members         members `json:"members"`
	AccessToken     string  `json:"access_token"`
	TokenType       string  `json:"token_type"`
	IssuedTokenType string  `json:"issued_token_type"`
	Scope           string  `json:"scope"`
	IDToken         string  `json:"id_token"`
	RefreshToken    string  `json:"refresh_token"`
}

// get returns the result of an equal request, or nil.
func (r *results) get(ctx context.Context, key string, now time.Time) *Tokens {
	bounded, cancel := context.WithTimeout(ctx, cacheTimeout)
	defer cancel()
	type found struct {
		value []byte
		ok    bool
	}
	kept, err := foreign.Call(bounded, func() (found, error) {
		value, ok, err := r.cache.Get(bounded, key)
		return found{value, ok}, err
	})
	if err != nil {
		if ctx.Err() == nil { // a caller who left is no fault of the cache
			r.fault(err)
		}
		return nil
	}
	if !kept.ok {
		return nil
	}
	e, err := r.open(key, kept.value)
	if err != nil {
		r.fault(err)
		return nil
	}
	// A clock that was set back must not keep a result longer than intended.
	if at := now.UnixNano(); at >= e.Until || at < e.Stored-int64(time.Minute) {
		return nil
	}
	t := &Tokens{IDToken: e.IDToken, RefreshToken: e.RefreshToken, Token: Token{
		AccessToken: e.AccessToken, TokenType: e.TokenType, IssuedTokenType: e.IssuedTokenType, Scope: e.Scope,
		ExpiresAt: time.Unix(e.ExpiresAt, 0), present: e.Members,
	}}
	t.ExpiresIn = max(0, t.ExpiresAt.Sub(now))
	return t
}

func (r *results) open(key string, value []byte) (*entry, error) {
	if r.sealer != nil {
		opened, err := r.sealer.Open(value, key)
		if err != nil {
			return nil, errEntry
		}
		value = opened
	}
	var e entry
	if json.Unmarshal(value, &e) != nil || e.Key != key || !usable(e.AccessToken) {
		return nil, errEntry
	}
	return &e, nil
}

// put keeps a result, for as long as it and the tokens it was got for are good;
// one of which that is not known, not at all.
func (r *results) put(ctx context.Context, key string, subjects []string, t *Tokens, now time.Time) {
	until := now.Add(r.ttl)
	ends := []time.Time{t.ExpiresAt}
	for _, token := range append([]string{t.AccessToken, t.IDToken}, subjects...) {
		if end, ok := expiry(token); ok {
			ends = append(ends, end)
		}
	}
	for _, end := range ends {
		if end = end.Add(-r.skew); end.Before(until) {
			until = end
		}
	}
	ttl := until.Sub(now)
	if ttl <= 0 {
		return // not good for a while, or not known to be
	}
	value, _ := json.Marshal(entry{ // texts and numbers can always be written
		Key: key, Until: until.UnixNano(), Stored: now.UnixNano(), ExpiresAt: t.ExpiresAt.Unix(), Members: t.present,
		AccessToken: t.AccessToken, TokenType: t.TokenType, IssuedTokenType: t.IssuedTokenType, Scope: t.Scope,
		IDToken: t.IDToken, RefreshToken: t.RefreshToken,
	})
	if len(value) > maxEntry {
		return
	}
	if r.sealer != nil {
		value = r.sealer.Seal(value, key)
	}
	// Whoever waited has the result; it is worth keeping even so.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cacheTimeout)
	defer cancel()
	if _, err := foreign.Call(ctx, func() (struct{}, error) { return struct{}{}, r.cache.Set(ctx, key, value, ttl) }); err != nil {
		r.fault(err)
	}
}
