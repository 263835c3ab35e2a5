package main

import (
	"slices"

	"github.com/portcullis-go/portcullis/verifier"
)

// step is a part of a verification. The Verifier stops at the first one that
// fails and says why with a Reason; so the steps before the one that has the
// Reason have passed. A test makes sure that the order is the Verifier's.
type step struct {
	name    string
	proof   bool // only with a DPoP proof
	reasons []verifier.Reason
}

// steps returns the steps in the order of the Verifier.
func steps(withProof bool) []step {
	all := []step{
		{"authorization header", false, []verifier.Reason{
			verifier.ReasonNoCredentials, verifier.ReasonUnsupportedScheme, verifier.ReasonMultipleCredentials,
		}},
		{"proof syntax", true, []verifier.Reason{
			verifier.ReasonProofMissing, verifier.ReasonProofMultiple, verifier.ReasonProofTooLarge, verifier.ReasonProofMalformed,
		}},
		{"token size", false, []verifier.Reason{verifier.ReasonTokenTooLarge}},
		{"token syntax", false, []verifier.Reason{verifier.ReasonTokenMalformed, verifier.ReasonTokenCritical}},
		{"token type", false, []verifier.Reason{verifier.ReasonTokenType}},
		{"types of claims", false, []verifier.Reason{verifier.ReasonClaimMalformed, verifier.ReasonIssuerMissing}},
		{"issuer allowed", false, []verifier.Reason{verifier.ReasonIssuerMalformed, verifier.ReasonIssuerNotAllowed, verifier.ReasonResolver}},
		{"algorithm allowed", false, []verifier.Reason{verifier.ReasonAlgorithm}},
		{"claims present", false, []verifier.Reason{verifier.ReasonClaimMissing}},
		{"exp and nbf", false, []verifier.Reason{verifier.ReasonExpired, verifier.ReasonNotYetValid}},
		{"audience", false, []verifier.Reason{verifier.ReasonAudience}},
		{stepDiscovery, false, []verifier.Reason{verifier.ReasonDiscovery}},
		{stepKeys, false, []verifier.Reason{verifier.ReasonKeys, verifier.ReasonNoUsableKey}},
		{"key of the token", false, []verifier.Reason{verifier.ReasonKeyUnknown}},
		{"signature", false, []verifier.Reason{verifier.ReasonSignature}},
		{"issuer of the keys", false, []verifier.Reason{verifier.ReasonIssuerMismatch}},
		{"confirmation", false, []verifier.Reason{verifier.ReasonConfirmation}},
		{"binding", false, []verifier.Reason{
			verifier.ReasonBoundTokenAsBearer, verifier.ReasonBindingMissing, verifier.ReasonProofUnexpected,
		}},
		{"client certificate", false, []verifier.Reason{
			verifier.ReasonCertificateMissing, verifier.ReasonCertificate, verifier.ReasonCertSource,
		}},
		{"proof type and key", true, []verifier.Reason{verifier.ReasonProofType, verifier.ReasonProofAlgorithm, verifier.ReasonProofKey}},
		{"proof signature", true, []verifier.Reason{verifier.ReasonProofSignature}},
		{"proof claims", true, []verifier.Reason{verifier.ReasonProofClaim}},
		{"proof method", true, []verifier.Reason{verifier.ReasonProofMethod}},
		{"proof URL", true, []verifier.Reason{verifier.ReasonProofURL, verifier.ReasonArgument}},
		{"proof age", true, []verifier.Reason{verifier.ReasonProofIssuedAt}},
		{"proof of this token", true, []verifier.Reason{verifier.ReasonProofTokenHash}},
		{"proof by the bound key", true, []verifier.Reason{verifier.ReasonBindingMismatch}},
		{"replay", true, []verifier.Reason{verifier.ReasonProofReplayed, verifier.ReasonProofQuota, verifier.ReasonReplayStore}},
	}
	return slices.DeleteFunc(all, func(s step) bool { return s.proof && !withProof })
}

const (
	stepDiscovery = "metadata of the issuer"
	stepKeys      = "keys of the issuer"
)
