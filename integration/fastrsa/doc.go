// Package fastrsa checks signatures of RS256, RS384 and RS512 in less time than
// the standard library: about two thirds of it.
//
//	verifier.Config{..., SignatureAlgorithms: fastrsa.Algorithms()}
//
// It saves what crypto/rsa does anew for each signature: preparing the modulus
// for arithmetic. Here that is done once per key. The arithmetic is that of
// filippo.io/bigmod, which is the standard library's own, published by its
// author; it has no version 1 and is outside of the Go project's security
// policy.
//
// A signature is accepted when its public-key operation gives exactly the one
// encoded message that is right for the token (RFC 8017, Section 8.2.2): that
// is built and compared, and nothing of the signature is parsed. Whatever is
// not accepted, crypto/rsa decides.
//
// It steps aside, and crypto/rsa does all, in FIPS 140-3 mode and in programs
// built with BoringCrypto, and for keys whose size is not 2048, 3072 or 4096
// bits or whose exponent is not 65537.
package fastrsa
