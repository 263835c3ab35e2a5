package main

import (
	"slices"

	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/reason"
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
			reason.NoCredentials, reason.UnsupportedScheme, reason.MultipleCredentials,
		}},
		{"proof syntax", true, []verifier.Reason{
			reason.ProofMissing, reason.ProofMultiple, reason.ProofTooLarge, reason.ProofMalformed,
		}},
		{"token size", false, []verifier.Reason{reason.TokenTooLarge}},
		{"token syntax", false, []verifier.Reason{reason.TokenMalformed, reason.TokenCritical}},
		{"types of claims", false, []verifier.Reason{reason.ClaimMalformed, reason.IssuerMissing}},
		{"issuer allowed", false, []verifier.Reason{reason.IssuerMalformed, reason.IssuerNotAllowed, reason.Resolver}},
		{"token type", false, []verifier.Reason{reason.TokenType}},
		{"algorithm allowed", false, []verifier.Reason{reason.Algorithm}},
		{"claims present", false, []verifier.Reason{reason.ClaimMissing}},
		{"exp and nbf", false, []verifier.Reason{reason.Expired, reason.NotYetValid}},
		{"audience", false, []verifier.Reason{reason.Audience, reason.ClaimValue}},
		{stepDiscovery, false, []verifier.Reason{reason.Discovery}},
		{stepKeys, false, []verifier.Reason{reason.Keys, reason.NoUsableKey}},
		{"key of the token", false, []verifier.Reason{reason.KeyUnknown}},
		{"signature", false, []verifier.Reason{reason.Signature}},
		{"issuer of the keys", false, []verifier.Reason{reason.IssuerMismatch}},
		{"confirmation", false, []verifier.Reason{reason.Confirmation}},
		{"binding", false, []verifier.Reason{
			reason.BoundTokenAsBearer, reason.BindingMissing, reason.ProofUnexpected,
		}},
		{"client certificate", false, []verifier.Reason{
			reason.CertificateMissing, reason.Certificate, reason.CertSource,
		}},
		{"proof type and key", true, []verifier.Reason{reason.ProofType, reason.ProofAlgorithm, reason.ProofKey}},
		{"proof signature", true, []verifier.Reason{reason.ProofSignature}},
		{"proof claims", true, []verifier.Reason{reason.ProofClaim}},
		{"proof method", true, []verifier.Reason{reason.ProofMethod}},
		{"proof URL", true, []verifier.Reason{reason.ProofURL, reason.Argument}},
		{"proof age", true, []verifier.Reason{reason.ProofIssuedAt}},
		{"proof of this token", true, []verifier.Reason{reason.ProofTokenHash}},
		{"proof by the bound key", true, []verifier.Reason{reason.BindingMismatch}},
		{"replay", true, []verifier.Reason{reason.ProofReplayed, reason.ProofQuota, reason.ReplayStore}},
	}
	return slices.DeleteFunc(all, func(s step) bool { return s.proof && !withProof })
}

const (
	stepDiscovery = "metadata of the issuer"
	stepKeys      = "keys of the issuer"
)
