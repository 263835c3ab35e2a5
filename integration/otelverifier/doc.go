// Package otelverifier records what a Verifier and an exchange.Client do as
// OpenTelemetry metrics and traces.
//
//   - [NewObserver] makes metrics of the Verifier's events, for
//     verifier.Config.Observer.
//   - [NewVerifier] wraps a Verifier and makes a span of each verification; the
//     wrapper goes into verifier.Middleware in the Verifier's place.
//   - [NewDoer] wraps what sends the Verifier's requests, for
//     verifier.Config.Doer, and makes a span of each.
//   - [NewExchangeObserver] makes metrics of token exchanges, for
//     exchange.Config.Observer.
//
// Each works without the others.
//
// # Metrics
//
//	portcullis.verifications              {verification}  outcome, scheme, error.type
//	portcullis.verification.duration      s               outcome, scheme, error.type
//	portcullis.document.fetches           {fetch}         document, outcome, error.type
//	portcullis.document.fetch.duration    s               document, outcome, error.type
//	portcullis.document.rotations         {rotation}      document
//	portcullis.document.stale_uses        {use}           document
//	portcullis.document.limited_refetches {refetch}       document
//	portcullis.cache.hits                 {hit}           document
//	portcullis.cache.faults               {fault}         document
//	portcullis.replay.detections          {proof}
//	portcullis.replay.faults              {fault}
//	portcullis.exchanges                  {exchange}      flow, outcome, error.type
//	portcullis.exchange.duration          s               flow, outcome, error.type
//	portcullis.exchange.cache.faults      {fault}
//
// The durations are histograms, the rest are counters.
//
// # Attributes
//
//   - portcullis.outcome: accepted, refused, undecided (503) or error (500) of a
//     verification; succeeded or failed of a fetch; exchanged, shared (with an
//     equal request that was under way), cached or failed of an exchange.
//   - portcullis.scheme: Bearer or DPoP; absent when there is none.
//   - portcullis.document: discovery or jwks.
//   - portcullis.flow: the Flow of an exchange.Event.
//   - error.type: the Reason of a verification, the Problem of a fetch or of an
//     exchange; absent on success.
//   - portcullis.issuer: see Config.Issuers; absent by default.
//
// Every attribute of a metric has a fixed set of values, and what is not in it is
// recorded as "_OTHER". Neither clients nor issuers can add one. No attribute,
// name or status of a span or metric holds any part of a token, proof, key,
// claim or header.
//
// # Why a module of its own
//
// The package is a part of the product, released and tested with it, and no
// example: its metric names are a contract with dashboards. It is a module of
// its own, outside the workspace, since the core has no dependency but go-jose,
// and since the versions that OpenTelemetry brings along must not lift those of
// anybody who does not use it. Its code needs the API of OpenTelemetry alone;
// the SDK is for its tests.
package otelverifier

// The files, by what they do:
//
//   - config.go: Config, and the words that attributes have
//   - verifier.go: spans and durations of verifications
//   - observer.go: metrics of a Verifier's events
//   - exchange.go: metrics of token exchange
//   - doer.go: the requests for documents
