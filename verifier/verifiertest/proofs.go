package verifiertest

import (
	"time"

	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/reason"
)

// ProofOption makes a proof other than the good one. Options are applied in
// order.
type ProofOption func(*proofDraft)

type proofDraft struct {
	client         *DPoPClient
	signer         signingKey
	header, claims map[string]any
}

func set(to map[string]any, name string, value any) {
	if value == nil {
		delete(to, name)
		return
	}
	to[name] = value
}

// ProofClaim sets a claim; nil removes it.
func ProofClaim(name string, value any) ProofOption {
	return func(d *proofDraft) { set(d.claims, name, value) }
}

// ProofHeader sets a header parameter; nil removes it. An alg is written only:
// it does not change how the proof is signed.
func ProofHeader(name string, value any) ProofOption {
	return func(d *proofDraft) { set(d.header, name, value) }
}

// ProofNonce sets the nonce that the server gave (RFC 9449, Section 9).
func ProofNonce(nonce string) ProofOption { return ProofClaim("nonce", nonce) }

// ProofID sets the jti. Two proofs with one jti for the same method and URL are
// a replay.
func ProofID(jti string) ProofOption { return ProofClaim("jti", jti) }

// ProofAge makes the proof this old; a negative age is in the future.
func ProofAge(age time.Duration) ProofOption {
	return func(d *proofDraft) { d.claims["iat"] = d.client.clock.Now().Add(-age).Unix() }
}

// ProofSignedBy signs with the key of another client, which must have the same
// algorithm, under the jwk of this one.
func ProofSignedBy(other *DPoPClient) ProofOption {
	return func(d *proofDraft) { d.signer = other.key }
}

// ProofUnsigned has the algorithm "none" and no signature.
func ProofUnsigned() ProofOption { return ProofHeader("alg", "none") }

// ProofPrivateKey gives the private key away in the jwk header.
func ProofPrivateKey() ProofOption {
	return func(d *proofDraft) { d.header["jwk"] = d.client.key.private() }
}

// ProofFault is a way for a client to misbehave, and how a Verifier refuses it.
type ProofFault struct {
	// Name says what is wrong, in a few words.
	Name string
	// Options that make it so.
	Options []ProofOption
	// Reason of the refusal.
	Reason verifier.Reason
}

// ProofFaults returns proofs that no API may accept, whatever its
// configuration, for the table of a test. Two faults need more than one
// request: repeat a good proof, or use [ProofID] twice, for a replay
// ([reason.ProofReplayed]); and let another client prove the
// possession of its own key ([reason.BindingMismatch]).
func ProofFaults() []ProofFault {
	fault := func(name string, reason verifier.Reason, options ...ProofOption) ProofFault {
		return ProofFault{Name: name, Options: options, Reason: reason}
	}
	return []ProofFault{
		fault("of another type", reason.ProofType, ProofHeader("typ", "JWT")),
		fault("without typ", reason.ProofType, ProofHeader("typ", nil)),
		fault("unsigned", reason.ProofMalformed, ProofUnsigned()),
		fault("symmetric", reason.ProofAlgorithm, ProofHeader("alg", "HS256")),
		fault("with a private key", reason.ProofKey, ProofPrivateKey()),
		fault("without a key", reason.ProofKey, ProofHeader("jwk", nil)),
		fault("signed by another key", reason.ProofSignature, func(d *proofDraft) {
			d.signer = d.client.key.another(d.client.t)
		}),
		fault("without jti", reason.ProofClaim, ProofClaim("jti", nil)),
		fault("without htm", reason.ProofClaim, ProofClaim("htm", nil)),
		fault("without htu", reason.ProofClaim, ProofClaim("htu", nil)),
		fault("without iat", reason.ProofClaim, ProofClaim("iat", nil)),
		fault("without ath", reason.ProofClaim, ProofClaim("ath", nil)),
		fault("for another method", reason.ProofMethod, ProofClaim("htm", "PATCHY")),
		fault("for another URL", reason.ProofURL, ProofClaim("htu", "https://elsewhere.example.org/")),
		fault("for another token", reason.ProofTokenHash, ProofClaim("ath", "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU")),
		fault("a day old", reason.ProofIssuedAt, ProofAge(24*time.Hour)),
		fault("from tomorrow", reason.ProofIssuedAt, ProofAge(-24*time.Hour)),
	}
}
