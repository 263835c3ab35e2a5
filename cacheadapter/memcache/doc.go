// Package memcache keeps cache entries and replay records in memcached, through
// gomemcache.
//
//	client := gomemcache.New("10.0.0.1:11211", "10.0.0.2:11211")
//	client.MaxIdleConns = 50 // the default of 2 reconnects all the time
//	store, err := memcache.New(client, memcache.Config{Prefix: "orders-api"})
//	...
//	cfg.Cache = store
//
// A [Store] is a verifier.Cache, a verifier.ReplayStore and a
// verifier.Clearer. The client is the caller's. The package imports nothing but
// gomemcache and the standard library.
//
// # As a replay store
//
// memcached is a cache: it forgets everything when it restarts, and what was
// not used for longest when it is full, live replay records included. Proofs
// that were recorded by then can be replayed until they are too old
// (DPoPConfig.MaxAge). A server with -M answers with an error instead of
// evicting, which the Verifier turns into 503. Where a restart must not open
// that window, use Redis. With several servers, the list must be the same
// everywhere, and a server that is away makes the proofs that belong to it
// fail (503); a selector that moves its keys to other servers forgets them.
//
// # Time
//
// memcached counts in seconds and drops entries up to a second early, so
// records stay for up to two seconds longer than asked. Cache entries carry
// their exact time of expiry besides, by the clock of who wrote them: the
// clocks of a fleet must agree as well as entries are to be on time. Beyond 30
// days memcached takes dates, the last of which is in January 2038; a cache
// entry ends there, and a record that has to stay longer stays for as long as
// the server lives.
//
// # Keys and values
//
// A key that memcached or its client would not take as it is (too long, or with
// anything but visible ASCII) is replaced by its SHA-256, marked as such. The
// server must take items of a little more than the largest value: -I 1m, its
// default, is right for Config.MaxValueSize's.
//
// # Clear
//
// Entries carry a random generation, which is kept under a key of its own and
// read along with each Get and before each Set; Clear replaces it. So Clear
// counts for all processes at once and costs one write; what it made
// unreachable leaves by age or eviction. When the generation itself is lost, all
// entries are misses, and stay so. Config.GenerationTTL lets a process remember
// the generation for a time: calls then cost about half, and a Clear counts for
// that process after that time at the latest.
//
// # Client version
//
// gomemcache has no releases. go.mod asks for the snapshot of April 2026, the
// newest there is.
package memcache

// The files, by what they do:
//
//   - store.go: Store, Config and New
//   - cache.go, replay.go, clear.go: the methods of each interface
//   - call.go: how a call that cannot be cancelled is bounded
//   - generation.go: what Clear changes, and how long a generation is remembered
//   - key.go: names that memcached takes
//   - envelope.go: what stands in front of a value
//   - expiry.go: seconds, and dates beyond 30 days
//   - errors.go: errors without keys and values
