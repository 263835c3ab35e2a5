// Package strangers holds small adapters for backends that Portcullis ships no
// adapter for. Their conformance tests show how far each backend goes, and what
// an author of an adapter must know. Nothing here is meant to be imported: copy
// what you need.
//
// The store keeps the contracts of verifier.Cache, verifier.Clearer and
// verifier.ReplayStore over a backend of five methods. It hashes every key, and
// keeps the end of a ttl in front of the value, so that no backend's own
// resolution of time counts.
package strangers
