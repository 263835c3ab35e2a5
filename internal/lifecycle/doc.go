// Package lifecycle keeps the documents of issuers (metadata, key sets)
// current. A document is fetched once by the first request that needs it,
// refreshed ahead of time, served stale for a bounded time while its source is
// down, never replaced by a bad answer, and shared by a fleet of processes
// through a cache.
//
// The documents of one issuer form a chain: the metadata says where the key set
// is. A chain has one refresh path, one lease and one deadline; each document
// in it keeps its own freshness and its own back-off. The warm path takes no
// lock, does no I/O and allocates nothing.
//
// A document is in one of these states:
//
//		          fetched                        refresh time passed
//		absent ────────────▶ fresh ──────────────────────────────────▶ ahead
//		  │                   ▲ ▲ ▲                                      │
//		  │                   │ │ └── fetched, in the background ────────┤
//		  │ failed            │ │                                        │ end of freshness
//		  ▼                   │ │ fetched                                ▼
//		backing off ──────────┘ └─────────────────────────────────── stale
//		  ▲ │  pause over, fetched                                       │
//		  │ └─ pause over, failed: a longer pause                        │
//		  └──────────────────────────────────────────────────── failed ──┘
//
//	  - absent: nothing is held. A request waits for the fetch.
//	  - fresh: served as it is.
//	  - ahead: served as it is; the first request starts a refresh in the
//	    background.
//	  - stale: a request waits for the refresh, but no longer than
//	    Policy.StaleWait, and is then served what is held. Past the hard limit of
//	    Policy.StaleIfError it is as good as absent.
//	  - backing off: the last attempt failed. Nothing is fetched until the pause
//	    is over. What is held is served while it is within the hard limit.
//	  - forced: a request misses a name (a kid) in a document that is held, in
//	    whatever state; see [Entry.Refetch]. The attempts are limited. The
//	    document goes to fresh or to backing off, as after every other fetch.
package lifecycle

// The files, by what they do:
//
//   - policy.go: the numbers: lifetimes, clamps, jitter, back-off
//   - document.go: a document, and a chain of them as a View
//   - store.go: Store and its Config, Unavailable
//   - entry.go: an issuer's entry: the warm path, waiting, refresh ahead of time
//   - run.go: one pass of fetches, and what its end changes
//   - forced.go: refetches for an unknown kid, and their limit
//   - shared.go: documents in the shared cache
//   - envelope.go: how a document is written there
//   - lease.go: who of a fleet fetches, and what the others learn
//   - evict.go: which issuer makes room
//   - observe.go: events and Health
