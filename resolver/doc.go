// Package resolver has the implementations of [verifier.DomainResolver] that
// most programs need: a fixed list, a function, a map by host, a chain, and a
// cache over any of them.
//
// # Security
//
// A resolver decides whose signatures count. What it sees comes from the
// client and is not verified: the issuer of the token, the URL, the Host and
// every other header. Never return the unverified issuer, or a domain built
// from request data, unless it is looked up in an allow-list that the program
// owns: else whoever runs an issuer can sign tokens for this API. Host and
// forwarding headers choose among configured tenants only behind a proxy that
// overwrites them; a client that can set them can choose the tenant, though
// never an issuer outside the configuration.
package resolver

// The files, by what they do:
//
//   - resolver.go: fixed lists, functions, lists and Issuers by host
//   - chain.go: one resolver after the other
//   - cached.go: answers that are remembered
//   - template.go: the issuers of a product's tenants, by a pattern
//   - rules.go: the rules of Issuers, checked early
