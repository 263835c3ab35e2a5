// Package conformance holds the test suites that every implementation of a
// verifier interface must pass: [TestCache], [TestReplayStore],
// [TestDomainResolver], [TestIssuerResolver], [TestKeyFetcher], [TestClock],
// [TestDoer], [TestSignatureAlgorithm], [TestIntrospector],
// [TestRevocationChecker], [TestRevocationStore] and [TestKeyDecrypter].
//
// A harness tells a suite how to make the implementation, and what the backend
// can: its resolution of time, whether instances share it, how to make it fail
// or hang. A limit is stated, and never exempts from a rule; a check that
// cannot be run is skipped with the reason.
//
// Each check is data, a [Check] with the sentence of the contract that it
// enforces, and can be run without a test. It gets a fresh environment, a
// random prefix for its keys and a deadline. One that panics or hangs fails
// and is named, and the others still run. Optional interfaces, such as
// [verifier.Clearer], are found and tested.
//
// Without a way to advance time, a suite waits for short ttls; such checks run
// side by side, and the functions of the harness are then called by several
// goroutines at once.
package conformance

// The files. The suite of each interface has the interface's name: harness, entry
// point, case. Its checks are beside it, by subject:
//
//   - cache.go, and cache_presence.go, cache_values.go, cache_keys.go, cache_slices.go,
//     cache_time.go (each ttl ends in time), cache_lives.go (exactly at the end,
//     between two steps of a clock, second lives, room that comes back),
//     cache_concurrency.go, cache_faults.go, cache_recovery.go (after a fault),
//     cache_shared.go (a second process), cache_clear.go
//   - replay.go, and replay_adds.go, replay_lives.go, replay_faults.go (and errors that
//     tell keys)
//   - resolver.go and issuerresolver.go, and resolver_case.go (what both have in common),
//     resolver_checks.go, resolver_neighbours.go (issuers and hosts that look alike),
//     resolver_static.go, resolver_request.go (requests, and copies of them)
//   - fetcher.go, and fetcher_checks.go, fetcher_conditional.go
//   - doer.go, and doer_checks.go, doer_manners.go (what it must leave alone: requests,
//     Retry-After, caching)
//   - algorithm.go, and algorithm_checks.go
//   - revocationstore.go, and revocationstore_checks.go, revocationstore_keys.go (keys,
//     ttls, slices)
//   - introspector.go, and introspector_checks.go
//   - keydecrypter.go, and keydecrypter_checks.go
//   - clock.go, revocationchecker.go
//
// What they share:
//
//   - check.go: Check, skips and doubts
//   - run.go: how a suite runs; foundations.go: which checks rest on which
//   - options.go: Options and profiles
//   - report.go, show.go: results; values that are printed, and secrets that must not be
//   - env.go: what a harness is given, and the calls in flight; guard.go: panics
//   - goroutines.go: those that a check has started
//   - manners.go: contexts and faults of the interfaces about tokens
//   - context.go: contexts that are done, or end during a call
//   - pace.go: how time passes; patience.go: how long is too long
//   - hostile.go, weak.go: keys that are hard to keep; keys that collide in weak hashes
//   - bench.go: benchmarks of an implementation
