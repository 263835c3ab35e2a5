package lifecycle

import (
	"math/rand/v2"
	"time"

	"github.com/portcullis-go/portcullis/internal/cachecontrol"
)

// Policy holds the times and bounds of a Store. Every field is used as it is;
// start from DefaultPolicy.
type Policy struct {
	TTL          time.Duration // freshness when the source states none, and the most it can state
	Floor        time.Duration // freshness is never shorter, whatever the source states
	Jitter       float64       // share of the freshness that is taken off at random, 0 to 1
	RefreshAhead float64       // share of the freshness at whose end a refresh is started early; 0 switches it off
	StaleIfError time.Duration // how long past freshness a document is served while it cannot be refreshed; 0 switches it off
	FetchTimeout time.Duration // deadline of one fetch of all documents of an issuer, and of all waits for other processes
	StaleWait    time.Duration // how long a request waits for a refresh when it could be served something stale
	BackoffMin   time.Duration // pause after the first failure; doubles with each
	BackoffMax   time.Duration
	ForcedWindow time.Duration // window in which at most ForcedMax forced refreshes are attempted
	ForcedMax    int           // 0 switches forced refreshes off
	MaxMissing   int           // how many missing names are remembered per issuer
	MaxIssuers   int           // how many issuers outside of fixed lists are held; 0: as many as MaxBytes allows
	MaxBytes     int64         // how much memory they may take
	CacheTimeout time.Duration // deadline of one call of the shared cache or lease
	LeasePoll    time.Duration // longest pause between looks into the shared cache while another process fetches
	ShareNoStore bool          // share public documents marked no-store for the floor
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
		MaxMissing:   256,
		MaxBytes:     128 << 20,
		CacheTimeout: 500 * time.Millisecond,
		LeasePoll:    50 * time.Millisecond,
		ShareNoStore: true,
	}
}

// clockSkew is how much the clocks of a fleet may differ, and a clock be set
// back, without a document counting as one from the future.
const clockSkew = int64(2 * time.Minute)

// lifetime says until when a document may be used, in Unix nanoseconds.
type lifetime struct {
	fetched int64
	until   int64 // end of freshness as it is shared: without jitter
	refresh int64 // from here on a request starts a refresh
	fresh   int64 // up to here no request waits for one
	stale   int64 // the hard limit
}

// lifetime computes the times of a document from what its source said.
func (p *Policy) lifetime(fetched time.Time, d cachecontrol.Directives) lifetime {
	fresh := p.TTL
	if d.HasMaxAge {
		// RFC 9111, Section 4.2: the age it arrived with is spent already.
		fresh = min(fresh, cachecontrol.Duration(max(0, d.MaxAge-d.Age)))
	}
	if d.NoStore || d.NoCache {
		fresh = 0
	}
	fresh = max(fresh, p.Floor)
	at := fetched.UnixNano()
	return p.spread(lifetime{fetched: at, until: at + int64(fresh), stale: at + int64(fresh+p.StaleIfError)})
}

// spread takes a random part off the freshness, so that processes that fetched
// together do not refresh together, and sets when to refresh ahead. A document
// is not refreshed before its floor: one whose freshness is hardly longer is
// served for the share RefreshAhead beyond it while it is refreshed in the
// background (stale-while-revalidate), but never beyond TTL.
func (p *Policy) spread(l lifetime) lifetime {
	stated := l.until - l.fetched
	floor := min(int64(p.Floor), stated)
	jitter := p.Jitter * rand.Float64()
	fresh := stated - int64(jitter*float64(stated))
	ahead := int64(p.RefreshAhead * float64(fresh))
	if fresh-ahead < floor {
		fresh = max(min(floor+ahead+int64(jitter*float64(ahead)), int64(p.TTL)), min(stated, floor))
	}
	l.fresh = l.fetched + fresh
	l.refresh = l.fresh - ahead
	return l
}

// clamp bounds times read from a shared cache to what this policy allows.
func (p *Policy) clamp(l lifetime) lifetime {
	l.until = min(l.until, l.fetched+int64(max(p.TTL, p.Floor)))
	l.stale = min(l.stale, l.until+int64(p.StaleIfError))
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
