package lifecycle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"math/bits"
	"strconv"
	"time"

	"github.com/portcullis-go/portcullis/internal/foreign"
)

// What the holder of a lease says in the end. It is written to the shared
// cache, under the name of the lease.
const (
	holderShared  = "shared"  // the documents are in the shared cache
	holderNothing = "nothing" // it has them, and will not share them
	holderFailed  = "failed"  // it could not fetch them
	holderSilent  = ""        // it said nothing in time
)

// maxRounds bounds for how many holders of a lease one run waits.
const maxRounds = 3

// awaitLease returns when nothing is due any more, because another process
// shared its documents, or when this process is to fetch: it got the lease, or
// there is nothing to wait for. All its waits end with ctx.
func (r *run) awaitLease(ctx context.Context) {
	s := r.entry.store
	if s.cfg.Lease == nil || s.shared.cache == nil || r.down || r.entry.Last().Private() {
		return
	}
	if err := s.shared.accepts(ctx, s.cfg.Policy.FetchTimeout); err != nil {
		r.fault(0, err)
		return
	}
	for round := 0; round < maxRounds && r.due != 0 && !r.down; round++ {
		key := r.leaseKey()
		added, err := r.take(ctx, key)
		if err != nil {
			r.fault(0, err)
			return
		}
		if added {
			r.lease = key
			r.load(ctx) // another process may have finished between our look and the lease
			return
		}
		before := r.version()
		said := r.listen(ctx, key)
		if said == holderSilent {
			return
		}
		r.load(ctx)
		switch {
		case said == holderNothing:
			return
		case r.version() == before:
			r.attempt++ // the next holder is of another attempt
		}
	}
}

func (r *run) take(ctx context.Context, key string) (bool, error) {
	s := r.entry.store
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Policy.CacheTimeout)
	defer cancel()
	return foreign.Within(ctx, func(ctx context.Context) (bool, error) {
		return s.cfg.Lease.Add(ctx, key, s.cfg.Policy.FetchTimeout)
	})
}

// leaseKey names the fetch that replaces the documents held, and which attempt
// at it this is. So the lease needs no release, and no process waits for its own:
// what comes after a success or a failure has another name.
func (r *run) leaseKey() string {
	sum := sha256.Sum256([]byte(r.entry.key.Issuer + "\x00" + r.version()))
	return "lease." + hex.EncodeToString(sum[:]) + "." + strconv.Itoa(r.attempt)
}

// version tells what is replaced: the last document that is due. Its
// predecessor may be in the shared cache before it.
func (r *run) version() string {
	last := bits.Len(r.due) - 1
	if last < 0 {
		return ""
	}
	return r.entry.docs[last].Kind() + "\x00" + strconv.FormatInt(r.docs[last].fetchedAt()/int64(time.Millisecond), 10)
}

// listen waits until the holder of a lease says how its fetch ended.
func (r *run) listen(ctx context.Context, key string) string {
	s := r.entry.store
	for pause := s.cfg.Policy.LeasePoll / 8; ; pause = min(2*pause, s.cfg.Policy.LeasePoll) {
		value, ok, err := s.shared.get(ctx, markKey(key))
		if err != nil {
			if ctx.Err() == nil {
				r.fault(0, err)
			}
			return holderSilent
		}
		if ok {
			return string(value)
		}
		select {
		case <-ctx.Done():
			return holderSilent
		case <-time.After(max(pause, time.Millisecond)):
		}
	}
}

func markKey(lease string) string { return keyPrefix + lease }

// announce tells those who wait for this process how its fetch ended. It is
// done even when the store is being closed.
func (r *run) announce() {
	if r.lease == "" {
		return
	}
	said := holderShared
	for i := range r.entry.docs {
		switch {
		case r.errs[i] != nil:
			said = holderFailed
		case r.refused[i] && said != holderFailed:
			said = holderNothing
		}
	}
	s := r.entry.store
	if err := s.shared.set(context.WithoutCancel(s.ctx), markKey(r.lease), []byte(said), 2*s.cfg.Policy.FetchTimeout); err != nil {
		r.entry.observe(EventCacheFault, 0, err)
	}
}
