package keys

import (
	"context"
	"errors"
	"time"

	"github.com/portcullis-go/portcullis/internal/discovery"
	"github.com/portcullis-go/portcullis/internal/keyset"
	"github.com/portcullis-go/portcullis/internal/lifecycle"
)

// Config says how a Store keeps documents and with whose help. Policy and Now
// are required.
type Config struct {
	Policy  lifecycle.Policy
	Now     func() time.Time
	Cache   lifecycle.Cache
	Lease   lifecycle.Lease
	Observe func(lifecycle.Event)
}

// Store keeps the documents of sources. It is safe for concurrent use.
type Store struct {
	documents *lifecycle.Store
	now       func() time.Time
}

// New returns an empty Store. Close must be called.
func New(cfg Config) *Store {
	return &Store{now: cfg.Now, documents: lifecycle.New(lifecycle.Config{
		Policy: cfg.Policy, Now: cfg.Now, Cache: cfg.Cache, Lease: cfg.Lease, Unusable: keyset.ErrNoUsable, Observe: cfg.Observe,
	})}
}

// Close ends the fetches under way and waits for them. What is held is still
// served while it is fresh.
func (s *Store) Close() { s.documents.Close() }

// Health returns the state of the documents held, in no particular order.
func (s *Store) Health() []lifecycle.Health { return s.documents.Health() }

// Pin returns the entry of a source of a fixed list, which is never evicted.
func (s *Store) Pin(src *Source) *Entry {
	return s.entry(src, true)
}

// Entry returns the entry of a source. It may be kept; but entries that verify
// nothing for long lose their documents to others when the memory is used up.
func (s *Store) Entry(src *Source) *Entry {
	return s.entry(src, false)
}

func (s *Store) entry(src *Source, pinned bool) *Entry {
	key := lifecycle.Key{Issuer: src.name, Source: src.identity, Instance: src.instance}
	return (*Entry)(s.documents.Entry(key, src.docs, pinned))
}

// Find returns the entry of an issuer whose source has this identity, or nil.
// It allocates nothing.
func (s *Store) Find(name, identity string) *Entry {
	return (*Entry)(s.documents.Find(lifecycle.Key{Issuer: name, Source: identity}))
}

// Entry is the place of one source in a Store. It may be kept for as long as
// that.
type Entry lifecycle.Entry

// Held is the key set of an issuer as one verification found it.
type Held struct {
	// Set is never nil.
	Set *keyset.Set
	// Generation is unique among the sets that the store has held: it changes
	// when a refresh brought other keys.
	Generation uint64
	// Stated is the issuer as its documents state it, or "" when they do not.
	Stated string
	// Waited says that the set was fetched from its source while the request
	// waited, so that it has all there is.
	Waited bool

	view *lifecycle.View
}

// Keys returns the key set of the issuer, which must be allowed. The warm path
// takes no lock, does no I/O and allocates nothing. now is the time on the
// store's clock. The error is a *lifecycle.Unavailable, or matches
// keyset.ErrNoUsable: the issuer has a key set in which no key can be used.
func (e *Entry) Keys(ctx context.Context, now time.Time) (Held, error) {
	view, waited, err := (*lifecycle.Entry)(e).Get(ctx, now)
	if err != nil {
		return Held{}, err
	}
	return e.held(view, waited), nil
}

func (e *Entry) held(view *lifecycle.View, waited bool) Held {
	n := (*lifecycle.Entry)(e).Documents()
	last := view.Document(n - 1)
	h := Held{Set: last.Value.(*keyset.Set), Generation: last.Generation, Stated: last.Stated, Waited: waited && !last.Shared, view: view}
	if n > 1 {
		h.Stated = view.Document(0).Value.(*metadata).Issuer // whose keys these are now
	}
	return h
}

// Outcome says what came of a refetch.
type Outcome = lifecycle.Outcome

// The outcomes of Refetch.
const (
	// Refreshed: the set was fetched since the kid was seen first. A kid that
	// it does not have does not exist.
	Refreshed = lifecycle.Refreshed
	// Limited: no attempt was allowed, and none was made since the kid was seen
	// first. It could not be decided whether the kid exists.
	Limited = lifecycle.Limited
	// Failed: the attempt failed, or the source is known to fail.
	Failed = lifecycle.Failed
)

// ErrLimited says that a kid was not looked for because too many were looked for
// before it.
var ErrLimited = errors.New("keys: too many unknown kids, this one was not looked for")

// Refetch fetches the key set again because a token names a kid that it does
// not have, and returns what is held then. The attempts are limited per issuer.
// want reports whether a set has the kid. For a token without kid whose one
// fitting key does not verify it, kid is any text that tells that token from
// others. The error is that of ctx.
func (e *Entry) Refetch(ctx context.Context, kid string, held Held, want func(*keyset.Set) bool) (Held, Outcome, error) {
	if (*lifecycle.Entry)(e).Last().(*keySetDocument).kind == byStatic {
		return held, Refreshed, nil // it has all there is
	}
	view, outcome, err := (*lifecycle.Entry)(e).Refetch(ctx, kid, held.view, func(value any) bool { return want(value.(*keyset.Set)) })
	return e.held(view, held.Waited || outcome == Refreshed), outcome, err
}

// LimitedFor returns how long refetches stay limited, at most.
func (e *Entry) LimitedFor(now time.Time) time.Duration {
	return (*lifecycle.Entry)(e).LimitedFor(now)
}

// Used notes that a signature was verified with a key of this entry. Nothing
// else counts as use.
func (e *Entry) Used() { (*lifecycle.Entry)(e).Used() }

// Name returns the issuer that the entry's source was made for.
func (e *Entry) Name() string { return (*lifecycle.Entry)(e).Issuer() }

// Metadata returns the metadata of an issuer whose source discovers. With raw, Raw is the
// document as it was received; the caller must not change it.
func (e *Entry) Metadata(ctx context.Context, now time.Time, raw bool) (discovery.Document, error) {
	if (*lifecycle.Entry)(e).Kind(0) != metadataKind {
		return discovery.Document{}, ErrNoMetadata
	}
	snap, err := (*lifecycle.Entry)(e).First(ctx, now, raw)
	if err != nil {
		return discovery.Document{}, err
	}
	document := snap.Value.(*metadata).Document
	document.Raw = snap.Body()
	return document, nil
}
