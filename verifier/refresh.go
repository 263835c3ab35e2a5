package verifier

import (
	"math"
	"time"

	"github.com/portcullis-go/portcullis/internal/lifecycle"
)

// RefreshConfig tunes how discovery documents and key sets are kept. Zero
// means the default; a negative value switches off what can be switched off.
type RefreshConfig struct {
	// Floor is the shortest freshness, whatever the source states. Default 1
	// minute; negative: none.
	Floor time.Duration
	// Jitter is the share of the freshness, 0 to 0.5, that is taken off at
	// random. Default 0.1; negative: none.
	Jitter float64
	// Ahead is the share of the freshness, 0 to 0.9, at whose end a refresh is
	// started in the background. Default 0.2; negative: none.
	Ahead float64
	// StaleIfError is how long past its freshness a document is served while
	// it cannot be refreshed. It is also how long a revoked key can live on.
	// Default 1 hour; negative: none.
	StaleIfError time.Duration
	// FetchTimeout bounds one fetch. Default 5 s.
	FetchTimeout time.Duration
	// ObeyNoStore keeps documents that their source marks no-store out of
	// Config.Cache. By default they are shared for no longer than Floor, so that
	// a fleet fetches them once: metadata and keys are published to everybody.
	// What a KeyFetcher marks so is never shared.
	ObeyNoStore bool
	// MaxMemory bounds, in bytes, the documents of issuers that are not in a
	// fixed list. An issuer with a key set of 5 KB takes about 4 KiB, and 11 KiB
	// with Config.Cache. Default 128 MiB: more than 10,000 issuers.
	MaxMemory int64
	// MaxIssuers bounds their number, too. Default: MaxMemory alone counts.
	MaxIssuers int
	// UnknownKeyAttempts is how many refetches tokens with unknown kids can
	// cause per issuer and UnknownKeyWindow. Defaults 2 and 30 s; negative
	// attempts: none.
	UnknownKeyAttempts int
	UnknownKeyWindow   time.Duration
	// CacheTimeout bounds one call of Config.Cache and Config.Lease. Default
	// 500 ms.
	CacheTimeout time.Duration
}

const (
	minCacheTTL = time.Second
	maxCacheTTL = 24 * time.Hour
	maxIssuers  = 1_000_000
	minMemory   = 1 << 20
)

// newRefreshPolicy translates what the configuration says about keeping
// documents.
func newRefreshPolicy(m *mistakes, ttl time.Duration, r *RefreshConfig) lifecycle.Policy {
	p := lifecycle.DefaultPolicy()
	p.TTL = m.duration("CacheTTL", ttl, bounds{p.TTL, minCacheTTL, maxCacheTTL, false})
	p.Floor = m.duration("Refresh.Floor", r.Floor, bounds{min(p.Floor, p.TTL), leastUnit, time.Hour, true})
	p.StaleIfError = m.duration("Refresh.StaleIfError", r.StaleIfError, bounds{p.StaleIfError, leastUnit, 24 * time.Hour, true})
	p.FetchTimeout = m.duration("Refresh.FetchTimeout", r.FetchTimeout, bounds{p.FetchTimeout, 10 * time.Millisecond, time.Minute, false})
	p.ForcedWindow = m.duration("Refresh.UnknownKeyWindow", r.UnknownKeyWindow, bounds{p.ForcedWindow, time.Second, time.Hour, false})
	p.CacheTimeout = m.duration("Refresh.CacheTimeout", r.CacheTimeout, bounds{p.CacheTimeout, time.Millisecond, 10 * time.Second, false})
	if p.Floor > p.TTL {
		m.add("Refresh.Floor", "is longer than Config.CacheTTL; make it as long at most")
	}
	p.Jitter = m.share("Refresh.Jitter", r.Jitter, p.Jitter, 0.5)
	p.RefreshAhead = m.share("Refresh.Ahead", r.Ahead, p.RefreshAhead, 0.9)
	p.MaxIssuers = m.size("Refresh.MaxIssuers", r.MaxIssuers, p.MaxIssuers, 1, maxIssuers)
	p.MaxBytes = int64(m.size("Refresh.MaxMemory", int(r.MaxMemory), int(p.MaxBytes), minMemory, math.MaxInt))
	p.ForcedMax = m.size("Refresh.UnknownKeyAttempts", max(r.UnknownKeyAttempts, 0), p.ForcedMax, 1, 100)
	if r.UnknownKeyAttempts < 0 {
		p.ForcedMax = 0
	}
	p.ShareNoStore = !r.ObeyNoStore
	return p
}

// shared checks what a fleet shares.
func (m *mistakes) shared(cache Cache, lease ReplayStore) {
	if lease != nil && cache == nil {
		m.add("Lease", "needs Config.Cache, through which the documents are shared")
	}
	if cache != nil && isNil(cache) {
		m.add("Cache", "is a nil pointer")
	}
	if lease != nil && isNil(lease) {
		m.add("Lease", "is a nil pointer")
	}
}
