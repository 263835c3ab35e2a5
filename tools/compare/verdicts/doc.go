// Package verdicts compares verification with other implementations: whatever
// package verifier accepts, lestrrat-go/jwx accepts under the same rules (the
// same keys, algorithms, issuer, audience and time), and reads the same
// subject. The other direction does not hold and need not: package verifier
// refuses more.
//
// Of encrypted tokens and of the URLs of proofs the other direction is compared
// too. What is opened here, lestrrat-go/jwx opens to the same octets, and what it
// opens alone is refused here for a reason that has a name. What is one URL here is
// one by PuerkitoBio/purell, and what is one by purell alone is refused here, or
// told apart, for a reason that has a name.
//
// `make fuzz FUZZONLY=verdicts` runs the fuzz targets, and no others.
//
// It has no code of its own, only tests. They stand in a module apart, so that
// no user of Portcullis downloads what they need.
package verdicts
