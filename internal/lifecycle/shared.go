package lifecycle

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/portcullis-go/portcullis/internal/foreign"
)

// sharedCache is the second level, as far as one store has come to know it.
type sharedCache struct {
	cache    Cache
	timeout  time.Duration
	probe    string      // tells this store's probes from those of others
	writable atomic.Bool // the last write worked
}

var errProbe = errors.New("lifecycle: the shared cache does not keep what is written")

// accepts reports whether the shared cache keeps what this process writes. A
// process that cannot write must not take a lease: others would wait for
// nothing.
func (c *sharedCache) accepts(ctx context.Context, ttl time.Duration) error {
	if c.writable.Load() {
		return nil
	}
	key := keyPrefix + "probe:" + c.probe
	if err := c.set(ctx, key, []byte(c.probe), ttl); err != nil {
		return err
	}
	value, ok, err := c.get(ctx, key)
	if err != nil {
		return err
	}
	if !ok || string(value) != c.probe {
		return errProbe
	}
	c.writable.Store(true)
	return nil
}

func (c *sharedCache) get(ctx context.Context, key string) ([]byte, bool, error) {
	type found struct {
		value []byte
		ok    bool
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	r, err := foreign.Within(ctx, func(ctx context.Context) (found, error) {
		value, ok, err := c.cache.Get(ctx, key)
		return found{value, ok}, err
	})
	return r.value, r.ok, err
}

func (c *sharedCache) set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	_, err := foreign.Within(ctx, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, c.cache.Set(ctx, key, value, ttl)
	})
	if err != nil {
		c.writable.Store(false)
	}
	return err
}

const keyPrefix = "portcullis:1:" // 1 is envelopeVersion

func (e *Entry) cacheKey(i int) string {
	return "portcullis:" + strconv.Itoa(envelopeVersion) + ":" + e.docs[i].Kind() + ":" + e.key.Issuer
}

// load looks for what is due in the shared cache. What can be served replaces
// what is held; what suffices is no longer due.
func (r *run) load(ctx context.Context) {
	for i := range r.entry.docs {
		if r.due&(1<<i) == 0 {
			continue
		}
		if i > 0 && r.docs[i-1] == nil {
			return // where it would be from is not known yet
		}
		r.loadOne(ctx, i)
	}
}

func (r *run) loadOne(ctx context.Context, i int) {
	r.loaded |= 1 << i
	snap := r.read(ctx, i)
	if snap == nil {
		return
	}
	r.docs[i] = snap
	if r.suffices(i, snap) {
		r.due &^= 1 << i
	}
}

// read returns what the shared cache has, if that is newer than what is held,
// can be served and is of a source that this process would have asked. Whatever
// goes wrong is a miss and an event.
func (r *run) read(ctx context.Context, i int) *Snapshot {
	e := r.entry
	s := e.store
	if s.shared.cache == nil || r.down || e.docs[i].Private() {
		return nil
	}
	value, ok, err := s.shared.get(ctx, e.cacheKey(i))
	if err == nil && !ok {
		return nil
	}
	var snap *Snapshot
	if err == nil {
		snap, err = r.open(i, value)
	}
	switch {
	case errors.Is(err, errOtherSource):
		e.observe(EventOtherSource, i, err)
		return nil
	case err != nil:
		r.fault(i, err)
		return nil
	case snap == nil:
		return nil
	}
	e.observe(EventCacheHit, i, nil)
	return snap
}

// fault reports a failure of the shared cache or the lease. One that does not
// answer in time is not asked again in this run.
func (r *run) fault(i int, err error) {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		r.down = true
	}
	r.entry.observe(EventCacheFault, i, err)
}

// open reads an entry of the shared cache. It returns nil for one that is not
// newer than what is held, or cannot be served any more.
func (r *run) open(i int, value []byte) (*Snapshot, error) {
	s := r.entry.store
	d := r.entry.docs[i]
	snap, err := decodeEnvelope(d.Kind(), r.entry.key.Issuer, value, s.cfg.Now())
	if err != nil {
		return nil, err
	}
	if snap.Origin == "" || !d.MayComeFrom(r.before(i), snap.Origin) {
		return nil, errOtherSource
	}
	snap.life = s.cfg.Policy.spread(s.cfg.Policy.clamp(snap.life))
	held := r.docs[i]
	if held != nil && snap.life.fetched <= held.life.fetched && d.MayComeFrom(r.before(i), held.Origin) || !snap.servable(s.now()) {
		return nil, nil
	}
	snap.Shared = true
	if snap.Value, err = parse(d, snap.body, snap.Stated); err != nil {
		return nil, errEnvelope
	}
	return snap, nil
}

// save writes a fetched document to the shared cache and reports whether that
// worked. It is finished even when the store is being closed, in the time that
// a call of the cache may take: what was fetched is worth keeping for other
// processes.
func (e *Entry) save(i int, snap *Snapshot) bool {
	s := e.store
	until := snap.life.stale
	if snap.share == shareForFloor {
		until = min(until, snap.life.fetched+int64(s.cfg.Policy.Floor))
	}
	ttl := time.Duration(until - s.now())
	if ttl <= 0 {
		return false
	}
	value, err := encodeEnvelope(e.docs[i].Kind(), e.key.Issuer, snap)
	if err == nil {
		err = s.shared.set(context.WithoutCancel(s.ctx), e.cacheKey(i), value, ttl)
	}
	if err != nil {
		e.observe(EventCacheFault, i, err)
		return false
	}
	s.shared.writable.Store(true)
	return true
}
