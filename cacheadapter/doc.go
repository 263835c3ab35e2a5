// Package cacheadapter has decorators that work over any [verifier.Cache], and
// the guide for those who write one. The adapters that Portcullis ships are in
// its folders: memory (bigcache), redis (go-redis) and memcache (gomemcache),
// each a module of its own.
//
// # Decorators
//
//   - [Prefixed] keeps the users of one cache apart.
//   - [Tiered] puts a near cache in front of a far one.
//   - [Sealed] encrypts and authenticates values.
//   - [Timeout] bounds waiting, and stops asking a server that is frozen.
//   - [Observed] tells of every call.
//
// What they return keeps the contract of [verifier.Cache] if what they wrap
// does. It is a [verifier.Clearer] and a [verifier.ReplayStore] exactly when
// the wrapped cache is, so a type assertion tells the truth; the one exception
// is that Prefixed is never a Clearer. Nothing is closed: the caller owns what
// it hands in. All are safe for concurrent use, and keep no goroutine between
// calls but those that Timeout has given up.
//
// Around a shared server, from the inside out: Timeout, so that only the
// server's time counts; Sealed, so that the server sees nothing in clear;
// Tiered, whose near cache then holds values that were opened already; and
// Observed where the rates are to be measured.
//
// # Writing an adapter
//
// An adapter gives a client library the three methods of [verifier.Cache]. It
// need not import Portcullis: the signatures have types of the standard library
// only. The contract is on the interface. What each rule asks of an adapter:
//
// Presence. Turn the client's "not found" error into ok == false with a nil
// error, and every other error into an error: a backend that is down is not a
// miss. An empty value is a value; return a slice that is not nil for it.
//
// Time. A ttl <= 0 deletes; many servers take 0 for "for ever", -1 for "as
// before", or refuse it. Round up to the server's resolution: 300 ms are not 0
// seconds. Look for limits at the other end as well: memcached reads more than
// 30 days as a date. Libraries with one ttl for all entries need the end of
// each beside its value, checked in Get. Reading must not extend it.
//
// Keys. Any UTF-8 of up to 64 KiB, with spaces, line ends and NUL, compared
// byte by byte. Hash what the backend refuses, with SHA-256, and mark hashed
// keys so that no raw key can be the same; a raw key with the mark is hashed
// too. Do not escape or change case. Put a prefix in front that ends with a
// separator the prefix cannot hold.
//
// Values. Copy in Set what stays in memory, and in Get what comes from it: the
// caller owns its slices. Also copy when a call that was given up goes on in
// the background. Take a few KiB more than the 512 KiB of the contract, as
// Sealed adds [SealOverhead] bytes and Tiered nine. Refuse what is larger with
// an error that does not hold the value, and leave no half of it.
//
// Contexts. Look at ctx.Err() first, even where nothing can block. A client
// without contexts needs a goroutine for each call and a bound on them: once
// it is reached, calls fail at once. Do not queue on a mutex, which ignores
// deadlines.
//
// Retries. A client that repeats failed commands until its context is done
// holds requests for just as long. Switch that off, or keep it to once. Never
// repeat the write of a replay record on your own: the first may have landed,
// and the second then reports a replay that was none.
//
// Clear, if there is one, removes what is under the adapter's prefix, on every
// node, and takes the prefix literally if the server matches patterns. Never
// flush a server. Leave Clear out if the library cannot do that.
//
// Add, if there is one, is one atomic operation of the backend: SET with NX and
// a ttl, memcached's add, or a lock in one process. Looking and then writing is
// two. Its records live under a prefix of their own, which Clear does not
// touch. A cache that evicts is no store, however well it fits the signature:
// what it forgets can be replayed. An outcome that is unknown is an error.
//
// Bounds. Everything that grows has a bound: bytes or entries, calls in flight,
// connections.
//
// # Proving it
//
// Package conformance has every rule as a check:
//
//	func TestCache(t *testing.T) {
//		conformance.TestCache(t, conformance.CacheHarness{
//			New: func(env *conformance.Env) (verifier.Cache, error) {
//				return mycache.New(client, env.Namespace+":")
//			},
//			Shared: true, // caches with one Namespace see the same entries
//		})
//	}
//
// Run it against the real server, never a mock of it: the rules are about what
// servers and clients do. Give the harness Break and Hang, which kill and stop
// the server, or the checks of outages are skipped, and say so. A clock that
// Advance moves makes the checks of time instant. Optional interfaces are found
// and tested. The folders examples/otter, examples/golang-lru and
// examples/valkey have three adapters with their tests, and
// docs/plug-in-a-cache.md what the suite found in their first versions.
package cacheadapter

// The files, by what they do:
//
//   - prefixed.go, sealed.go, tiered.go, timeout.go, observed.go: the decorators
//   - assemble.go: no decorator has a method that what it wraps lacks
//   - circuit.go: whether a cache is worth being asked
//   - writes.go: which keys are being written
//   - stamp.go: a time in front of a value
//   - event.go: events, and how they are delivered
//   - errors.go, clock.go: errors without keys; the clock
