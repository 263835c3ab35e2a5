// Package conformance holds the test suites that every implementation of a
// verifier interface must pass: [TestCache], [TestReplayStore],
// [TestDomainResolver], [TestKeyFetcher], [TestClock] and [TestDoer].
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
