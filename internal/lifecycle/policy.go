package lifecycle

import (
	"math/rand/v2"
	"time"

	"github.com/portcullis-go/portcullis/internal/cachecontrol"
)

// Policy holds the times and bounds of a Store. Every field is used as it is;
// DefaultPolicy is where to start from.
type Policy struct {
	TTL          time.Duration // freshness when the source states none, and the most it can state
	Floor        time.Duration // freshness is never shorter, whatever the source states
	Jitter       float64       // share of the freshness that is taken off at random, 0 to 1
	RefreshAhead float64       // share of the freshness at whose end a refresh is started early; 0 switches it off
	StaleIfError time.Duration // how long past freshness a document is served while it cannot be refreshed; 0 switches it off
	FetchTimeout time.Duration // deadline of one fetch
	StaleWait    time.Duration // how long a request waits for a refresh when it could be served something stale
	BackoffMin   time.Duration // pause after the first failure; doubles with each
	BackoffMax   time.Duration
	ForcedWindow time.Duration // window in which at most ForcedMax forced refreshes are attempted
	ForcedMax    int           // 0 switches forced refreshes off
	MaxMissing   int           // how many missing names are remembered per issuer
	MaxIssuers   int           // how many issuers are held
	CacheTimeout time.Duration // deadline of one call of the shared cache
	LeasePoll    time.Duration // pause between looks into the shared cache while another process fetches
}

// DefaultPolicy returns the documented defaults of this module.
func DefaultPolicy() Policy {
	return Policy{
		TTL:          10 * time.Minute,
		Floor:        time.Minute,
		Jitter:       0.1,
		RefreshAhead: 0.2,
		StaleIfError: time.Hour,
		FetchTimeout: 5 * time.Second,
		StaleWait:    500 * time.Millisecond,
		BackoffMin:   time.Second,
		BackoffMax:   30 * time.Second,
		ForcedWindow: 30 * time.Second,
		ForcedMax:    2,
		MaxMissing:   1000,
		MaxIssuers:   100,
		CacheTimeout: 500 * time.Millisecond,
		LeasePoll:    50 * time.Millisecond,
	}
}

// leaseRounds is how often a process that does not get the lease waits for
// another one to fetch before it fetches itself.
const leaseRounds = 2

// lifetime says until when a document fetched at a time may be used.
type lifetime struct {
	fetched, refresh, fresh, stale time.Time
}

// lifetime computes the times of a document from what its source said. The
// result of the source's statement alone, without jitter, is fresh and stale;
// jittered spreads the processes of a fleet.
func (p *Policy) lifetime(fetched time.Time, d cachecontrol.Directives) lifetime {
	fresh := p.TTL
	if d.HasMaxAge {
		// RFC 9111, Section 4.2: the age it arrived with is spent already.
		fresh = min(fresh, cachecontrol.Duration(max(0, d.MaxAge-d.Age)))
	}
	if d.NoStore {
		fresh = 0
	}
	fresh = max(fresh, p.Floor)
	return lifetime{fetched: fetched, fresh: fetched.Add(fresh), stale: fetched.Add(fresh + p.StaleIfError)}
}

// jittered takes a random part off the freshness, so that processes that
// fetched together do not refresh together, and sets when to refresh ahead.
func (p *Policy) jittered(l lifetime) lifetime {
	fresh := l.fresh.Sub(l.fetched)
	fresh -= time.Duration(p.Jitter * rand.Float64() * float64(fresh))
	l.fresh = l.fetched.Add(max(fresh, min(p.Floor, fresh)))
	l.refresh = l.fresh.Add(-time.Duration(p.RefreshAhead * float64(fresh)))
	return l
}

// clamp bounds times read from a shared cache to what this policy allows.
func (p *Policy) clamp(l lifetime) lifetime {
	if latest := l.fetched.Add(max(p.TTL, p.Floor)); l.fresh.After(latest) {
		l.fresh = latest
	}
	if latest := l.fresh.Add(p.StaleIfError); l.stale.After(latest) {
		l.stale = latest
	}
	return l
}

// backoff returns the pause after so many failures in a row: doubling, capped,
// and between half and all of that at random.
func (p *Policy) backoff(failures int) time.Duration {
	pause := p.BackoffMin << min(failures-1, 20)
	if pause <= 0 || pause > p.BackoffMax {
		pause = p.BackoffMax
	}
	return pause/2 + time.Duration(rand.Float64()*float64(pause/2))
}
