// Package keys gets and keeps the metadata and key sets of issuers, below the
// verifier and the token exchange.
//
// A [Source] is a checked, immutable value that says where the documents of one
// issuer come from. A [Store] keeps the documents of many sources. An [Entry] is
// the place of one source in a store: whoever holds it reaches the keys without
// a look-up, a lock or an allocation. Several issuers may share a source.
//
// Package lifecycle has the rules by which documents are fetched, refreshed,
// served stale, shared and evicted.
package keys

// The files, by what they do:
//
//   - source.go: Source: where documents come from, checked
//   - host.go: which hosts documents and key sets may come from, and where http is allowed
//   - documents.go: metadata and key set as documents of a chain
//   - store.go: Store, and Entry, an issuer's place in it
//   - signed.go: signatures of JWTs that are no access tokens
//   - failure.go: why a document could not be had
