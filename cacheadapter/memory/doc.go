// Package memory keeps cache entries in the memory of one process, in
// bigcache, and replay records in a bounded table beside it.
//
//	store, err := memory.New(nil, memory.Config{MaxBytes: 32 << 20})
//	...
//	cfg.Cache = store
//
// A [Store] is a verifier.Cache, a verifier.ReplayStore and a
// verifier.Clearer. The package imports nothing but bigcache and the standard
// library. It starts no goroutine and needs no close.
//
// # What it is for
//
// The Verifier keeps parsed keys itself. A Store adds to that when several
// Verifiers or exchange clients live in one process, as the near part of a
// tiered cache, and in tests. Replay records of one process stop replays in
// that process only, and a restart forgets them: a fleet needs a shared store,
// and a single process is open to replays of proofs of its last life for as
// long as they are fresh (DPoPConfig.MaxAge).
//
// # Time
//
// Every entry carries its own time of expiry, to the nanosecond, which is read
// on Get. The life window of bigcache, which is one for all entries and counts
// in seconds, plays no part in a cache that New makes.
//
// # Memory
//
// Cache entries are bounded by Config.MaxBytes and, if given, MaxEntries; the
// oldest make room for new ones. On top of MaxBytes bigcache keeps an index of
// about 20 bytes an entry and, per shard (at most 64), a buffer as large as the
// largest entry so far.
//
// Replay records are never dropped to make room: a full table is an error,
// which the Verifier answers with 503. They are kept as hashes, about 120 bytes
// each.
//
// # Client version
//
// go.mod asks for bigcache v3.1.0, the latest. No advisory covers v3.0.0
// either, but it drops live entries when the clock steps back, and requires
// itself.
package memory
