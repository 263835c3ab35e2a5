package lifecycle

import (
	"context"

	"github.com/portcullis-go/portcullis/internal/cachecontrol"
)

// Document says how one document of an issuer is got and read. Its methods are
// safe for concurrent use; a panic in Fetch or Parse counts as a failure.
type Document interface {
	// Kind names the document in cache keys, events and health.
	Kind() string
	// Fetch asks the source. before is the value of the document before it in
	// the chain, or nil for the first.
	Fetch(ctx context.Context, before any, held Reference) (Answer, error)
	// MayComeFrom reports whether Fetch could have asked this origin, in view
	// of the document before. Documents of another origin are not taken from
	// the shared cache, and one that is held is fetched again.
	MayComeFrom(before any, origin string) bool
	// Private reports that the document never goes through the shared cache.
	Private() bool
	// Parse validates a document.
	Parse(body []byte, stated string) (any, error)
	// Failed describes why Fetch or Parse failed. The result wraps err.
	Failed(before any, err error) error
	// Same reports whether two values have the same content.
	Same(a, b any) bool
	// Size estimates the bytes that a value takes in memory.
	Size(value any) int
}

// Reference names the document that is held.
type Reference struct {
	Origin string // "" when nothing is held
	ETag   string
}

// Answer is what a source returned.
type Answer struct {
	Body        []byte
	Stated      string // the issuer as the source states it, or ""
	Origin      string // where the document came from; "" keeps it out of the shared cache
	ETag        string
	NotModified bool
	Freshness   cachecontrol.Directives
	// Public says that the document is published to everybody, so that a
	// no-store answer may be shared for the floor (see Policy.ShareNoStore).
	Public bool
}

// Snapshot is an immutable document with its times.
type Snapshot struct {
	Value any
	// Stated is the issuer as the source stated it, or "".
	Stated string
	// Origin is where the document came from.
	Origin string
	// Generation is unique among the contents that this store has held.
	Generation uint64
	// Shared says that the document came from the shared cache, so that its
	// source may have a newer one.
	Shared bool

	life  lifetime
	etag  string
	body  []byte // nil when nobody needs it
	share sharing
	look  uint64 // the refresh of the entry that asked the source, or 0
}

// Body returns the document as it was received, or nil when it is not kept.
// The caller must not change it.
func (s *Snapshot) Body() []byte { return s.body }

// sharing says whether a fetched document goes to the shared cache.
type sharing uint8

const (
	shareNot      sharing = iota
	shareForFloor         // no longer than the floor
	shareForLife          // until its hard limit
)

// maxDocuments is the length of the longest chain: metadata and key set.
const maxDocuments = 2

// View is an immutable look at the documents of an issuer.
type View struct {
	docs [maxDocuments]*Snapshot
}

// Document returns the i-th document of the chain, or nil.
func (v *View) Document(i int) *Snapshot { return v.docs[i] }

// fresh reports whether the first n documents are.
func (v *View) fresh(now int64, n int) bool {
	if v == nil {
		return false
	}
	for _, s := range v.docs[:n] {
		if !s.fresh(now) {
			return false
		}
	}
	return true
}

// servable reports whether the first n documents are within the hard limit.
func (v *View) servable(now int64, n int) bool {
	if v == nil {
		return false
	}
	for _, s := range v.docs[:n] {
		if !s.servable(now) {
			return false
		}
	}
	return true
}

// fresh reports whether a document need not be refreshed. It also refuses one from
// the future: a clock that was set back must not keep it for longer than intended.
func (s *Snapshot) fresh(now int64) bool {
	return s != nil && now <= s.life.fresh && now >= s.life.fetched-clockSkew
}

func (s *Snapshot) servable(now int64) bool {
	return s != nil && now <= s.life.stale && now >= s.life.fetched-clockSkew
}

// fetchedAt returns when a document was fetched, or 0.
func (s *Snapshot) fetchedAt() int64 {
	if s == nil {
		return 0
	}
	return s.life.fetched
}
