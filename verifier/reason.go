package verifier

import "net/http"

// Code is an OAuth error code as it stands in the "error" parameter of a
// challenge.
type Code string

// The codes and where they are registered.
const (
	// CodeNone: no error parameter (RFC 6750, Section 3.1, for requests without
	// credentials), or an error that is not the client's.
	CodeNone                           Code = ""
	CodeInvalidRequest                 Code = "invalid_request"                  // RFC 6750, Section 3.1
	CodeInvalidToken                   Code = "invalid_token"                    // RFC 6750, Section 3.1
	CodeInsufficientScope              Code = "insufficient_scope"               // RFC 6750, Section 3.1
	CodeInsufficientUserAuthentication Code = "insufficient_user_authentication" // RFC 9470, Section 3
	CodeInvalidDPoPProof               Code = "invalid_dpop_proof"               // RFC 9449, Section 7.1
	CodeUseDPoPNonce                   Code = "use_dpop_nonce"                   // RFC 9449, Section 9
)

// Reason says why a request was refused, in one stable word for logs, metrics
// and tests. docs/errors.md has the catalogue; [Reasons] is its source.
type Reason string

// The reasons. Each has one status, code and description; see [Reasons].
const (
	// Credentials of the request.
	ReasonNoCredentials       Reason = "no_credentials"
	ReasonUnsupportedScheme   Reason = "unsupported_scheme"
	ReasonMultipleCredentials Reason = "multiple_credentials"
	ReasonProofMissing        Reason = "proof_missing"
	ReasonProofUnexpected     Reason = "proof_unexpected"
	ReasonForwardedMalformed  Reason = "forwarded_malformed"

	// The access token.
	ReasonTokenMalformed     Reason = "token_malformed"
	ReasonTokenTooLarge      Reason = "token_too_large"
	ReasonTokenType          Reason = "token_type"
	ReasonTokenCritical      Reason = "token_critical"
	ReasonAlgorithm          Reason = "algorithm"
	ReasonIssuerMissing      Reason = "issuer_missing"
	ReasonIssuerMalformed    Reason = "issuer_malformed"
	ReasonIssuerNotAllowed   Reason = "issuer_not_allowed"
	ReasonIssuerMismatch     Reason = "issuer_mismatch"
	ReasonKeyUnknown         Reason = "key_unknown"
	ReasonNoUsableKey        Reason = "no_usable_key"
	ReasonSignature          Reason = "signature"
	ReasonExpired            Reason = "expired"
	ReasonNotYetValid        Reason = "not_yet_valid"
	ReasonAudience           Reason = "audience"
	ReasonClaimMissing       Reason = "claim_missing"
	ReasonClaimMalformed     Reason = "claim_malformed"
	ReasonConfirmation       Reason = "confirmation"
	ReasonBindingMissing     Reason = "binding_missing"
	ReasonBindingMismatch    Reason = "binding_mismatch"
	ReasonBoundTokenAsBearer Reason = "bound_token_as_bearer"
	ReasonCertificateMissing Reason = "certificate_missing"
	ReasonCertificate        Reason = "certificate_mismatch"

	// The DPoP proof.
	ReasonProofMultiple    Reason = "proof_multiple"
	ReasonProofMalformed   Reason = "proof_malformed"
	ReasonProofTooLarge    Reason = "proof_too_large"
	ReasonProofType        Reason = "proof_type"
	ReasonProofAlgorithm   Reason = "proof_algorithm"
	ReasonProofKey         Reason = "proof_key"
	ReasonProofSignature   Reason = "proof_signature"
	ReasonProofClaim       Reason = "proof_claim"
	ReasonProofMethod      Reason = "proof_method"
	ReasonProofURL         Reason = "proof_url"
	ReasonProofIssuedAt    Reason = "proof_issued_at"
	ReasonProofTokenHash   Reason = "proof_token_hash"
	ReasonProofReplayed    Reason = "proof_replayed"
	ReasonProofQuota       Reason = "proof_quota"
	ReasonNonceRequired    Reason = "nonce_required"
	ReasonNonceNotAccepted Reason = "nonce_not_accepted"

	// Authorization.
	ReasonScope          Reason = "scope"
	ReasonPermission     Reason = "permission"
	ReasonForbidden      Reason = "forbidden"
	ReasonAuthentication Reason = "authentication"

	// Could not decide.
	ReasonResolver    Reason = "resolver_failed"
	ReasonDiscovery   Reason = "discovery_unavailable"
	ReasonKeys        Reason = "keys_unavailable"
	ReasonReplayStore Reason = "replay_store_failed"
	ReasonNonceSource Reason = "nonce_source_failed"
	ReasonCertSource  Reason = "certificate_source_failed"
	ReasonArgument    Reason = "argument"
)

// ReasonInfo is the entry of a [Reason] in the catalogue.
type ReasonInfo struct {
	// Reason that the entry is about.
	Reason Reason
	// Status of the answer, and Code of its challenge. Config.Auth0Statuses
	// changes the status to 400 where Auth0 is not 0.
	Status int
	Code   Code
	Auth0  int
	// Description is what the client is told.
	Description string
	// Advice is for the operator who finds the reason in a log.
	Advice string

	sentinel error
}

// Reasons returns the catalogue, in a fixed order.
func Reasons() []ReasonInfo { return append([]ReasonInfo(nil), catalogue[:]...) }

const (
	bad          = http.StatusBadRequest
	unauthorized = http.StatusUnauthorized
	forbidden    = http.StatusForbidden
	unavailable  = http.StatusServiceUnavailable
)

//go:generate go run ../tools/errorsdoc ../docs/errors.md

// catalogue is read only.
var catalogue = [...]ReasonInfo{
	{ReasonNoCredentials, unauthorized, CodeNone, bad, "no access token was sent",
		"The client sent no Authorization header, or one without a token. Harmless alone.", ErrNoCredentials},
	{ReasonUnsupportedScheme, unauthorized, CodeNone, bad, "the authorization scheme is not supported",
		"The client used another scheme than Bearer or DPoP, or one that the configured DPoP mode does not allow.", ErrNoCredentials},
	{ReasonProofMissing, unauthorized, CodeNone, bad, "the DPoP proof is missing",
		"The client used the DPoP scheme without a DPoP header. A proxy may have dropped it.", ErrNoCredentials},
	{ReasonMultipleCredentials, bad, CodeInvalidRequest, 0, "several credentials were sent",
		"The request has several Authorization headers, or one with several credentials (RFC 6750, Section 2). Look for a proxy that adds one.", nil},
	{ReasonProofUnexpected, bad, CodeInvalidRequest, 0, "a DPoP proof was sent with the Bearer scheme",
		"The client sent a good unbound token as Bearer together with a DPoP proof. It must use one method.", nil},
	{ReasonForwardedMalformed, bad, CodeInvalidRequest, 0, "the forwarding headers are not valid",
		"A trusted proxy sent Forwarded or X-Forwarded headers that cannot be read. Check its configuration, or set Config.ExternalURL.", nil},

	{ReasonTokenMalformed, unauthorized, CodeInvalidToken, 0, "the access token is malformed",
		"The token is not a JWS in compact serialisation with strict JSON inside: an opaque token (no audience requested), an encrypted one, or garbage.", ErrMalformed},
	{ReasonTokenTooLarge, unauthorized, CodeInvalidToken, 0, "the access token is too large",
		"The token is longer than Config.MaxTokenSize.", ErrMalformed},
	{ReasonTokenType, unauthorized, CodeInvalidToken, 0, "the token is not an access token",
		"The typ header names another kind of token, or Config.Profile demands at+jwt.", ErrMalformed},
	{ReasonTokenCritical, unauthorized, CodeInvalidToken, 0, "the access token has critical extensions that are not understood",
		"The token has a crit or b64 header (RFC 7515, Section 4.1.11).", ErrMalformed},
	{ReasonAlgorithm, unauthorized, CodeInvalidToken, 0, "the signature algorithm of the access token is not allowed",
		"The alg header is not in Config.Algorithms or Config.IssuerAlgorithms.", ErrAlgorithm},
	{ReasonIssuerMissing, unauthorized, CodeInvalidToken, 0, "the access token has no issuer",
		"The iss claim is absent or not a string.", ErrIssuer},
	{ReasonIssuerMalformed, unauthorized, CodeInvalidToken, 0, "the issuer of the access token is not valid",
		"The iss claim is not an https issuer.", ErrIssuer},
	{ReasonIssuerNotAllowed, unauthorized, CodeInvalidToken, 0, "the issuer of the access token is not allowed",
		"The token comes from an issuer that Config.Domain or Config.Domains does not list for this request.", ErrIssuer},
	{ReasonIssuerMismatch, unauthorized, CodeInvalidToken, 0, "the issuer of the access token is not that of its keys",
		"The iss claim differs, byte by byte, from what the issuer's metadata states.", ErrIssuer},
	{ReasonKeyUnknown, unauthorized, CodeInvalidToken, 0, "the signing key of the access token is not known",
		"No key of the issuer's set fits the token's kid and algorithm, also after a refetch where one was allowed. Many of them are an attack or a client with tokens of another tenant.", ErrKeyNotFound},
	{ReasonNoUsableKey, unauthorized, CodeInvalidToken, 0, "the issuer has no usable signing key",
		"The issuer's key set is well-formed, but none of its keys can check a signature.", ErrKeyNotFound},
	{ReasonSignature, unauthorized, CodeInvalidToken, 0, "the signature of the access token is not valid",
		"The token was changed or forged.", ErrSignature},
	{ReasonExpired, unauthorized, CodeInvalidToken, 0, "the access token has expired",
		"Normal in small numbers. Many at once: compare the clocks; Config.Leeway allows for some difference.", ErrExpired},
	{ReasonNotYetValid, unauthorized, CodeInvalidToken, 0, "the access token is not valid yet",
		"The nbf claim is in the future. Compare the clocks; Config.Leeway allows for some difference.", ErrNotYetValid},
	{ReasonAudience, unauthorized, CodeInvalidToken, 0, "the access token is for another audience",
		"The aud claim does not hold one of Config.Audiences. The client asked for a token for another API.", ErrAudience},
	{ReasonClaimMissing, unauthorized, CodeInvalidToken, 0, "a required claim of the access token is missing",
		"exp, iat or a claim of Config.RequiredClaims, of the profile or of the call is absent.", ErrClaim},
	{ReasonClaimMalformed, unauthorized, CodeInvalidToken, 0, "a claim of the access token is malformed",
		"A registered claim has the wrong type.", ErrClaim},
	{ReasonConfirmation, unauthorized, CodeInvalidToken, 0, "the confirmation of the access token is malformed or not supported",
		"The cnf claim is not an object of jkt and x5t#S256 alone. Such a token is refused because its binding cannot be checked.", ErrBinding},
	{ReasonBindingMissing, unauthorized, CodeInvalidToken, 0, "the access token is not bound to a DPoP key",
		"The DPoP scheme was used with a token without cnf.jkt. The issuer may not have bound it.", ErrBinding},
	{ReasonBindingMismatch, unauthorized, CodeInvalidToken, 0, "the access token is bound to another DPoP key",
		"The proof was signed by another key than the token's. A stolen token, or a client that changed its key.", ErrBinding},
	{ReasonBoundTokenAsBearer, unauthorized, CodeInvalidToken, 0, "a DPoP-bound access token was sent as Bearer",
		"RFC 9449, Section 7.2: a bound token must come with a proof. A stolen token, or a client that ignores token_type.", ErrBinding},
	{ReasonCertificateMissing, unauthorized, CodeInvalidToken, 0, "the access token needs a client certificate",
		"The token is bound to a certificate (RFC 8705), and none came with the request. Behind a proxy set Config.ClientCertificate.", ErrBinding},
	{ReasonCertificate, unauthorized, CodeInvalidToken, 0, "the access token is bound to another client certificate",
		"A stolen token, or a client that renewed its certificate.", ErrBinding},

	{ReasonProofMultiple, unauthorized, CodeInvalidDPoPProof, bad, "several DPoP proofs were sent",
		"The request has several DPoP headers (RFC 9449, Section 4.3).", nil},
	{ReasonProofMalformed, unauthorized, CodeInvalidDPoPProof, bad, "the DPoP proof is malformed",
		"The proof is not a JWS in compact serialisation with strict JSON inside.", nil},
	{ReasonProofTooLarge, unauthorized, CodeInvalidDPoPProof, bad, "the DPoP proof is too large",
		"The proof is longer than DPoPConfig.MaxProofSize.", nil},
	{ReasonProofType, unauthorized, CodeInvalidDPoPProof, bad, "the DPoP proof has the wrong type",
		"The typ header of the proof is not dpop+jwt.", nil},
	{ReasonProofAlgorithm, unauthorized, CodeInvalidDPoPProof, bad, "the signature algorithm of the DPoP proof is not allowed",
		"The alg header of the proof is not in DPoPConfig.Algorithms.", nil},
	{ReasonProofKey, unauthorized, CodeInvalidDPoPProof, bad, "the key of the DPoP proof is not valid",
		"The jwk header is absent, malformed, weak, private, or not of the algorithm's type.", nil},
	{ReasonProofSignature, unauthorized, CodeInvalidDPoPProof, bad, "the signature of the DPoP proof is not valid",
		"The proof was changed, or signed by another key.", nil},
	{ReasonProofClaim, unauthorized, CodeInvalidDPoPProof, bad, "a claim of the DPoP proof is missing or malformed",
		"jti, htm, htu, iat or ath is absent or of the wrong type.", nil},
	{ReasonProofMethod, unauthorized, CodeInvalidDPoPProof, bad, "the DPoP proof is for another method",
		"htm is not the request's method, compared exactly. Behind a forward-auth proxy give the original method.", nil},
	{ReasonProofURL, unauthorized, CodeInvalidDPoPProof, bad, "the DPoP proof is for another URL",
		"htu is not the request's URL. Behind a proxy set Config.ExternalURL or Config.TrustedProxies.", nil},
	{ReasonProofIssuedAt, unauthorized, CodeInvalidDPoPProof, bad, "the DPoP proof is too old or from the future",
		"iat is outside DPoPConfig.MaxAge and FutureSkew. The client's clock is wrong; nonces help.", nil},
	{ReasonProofTokenHash, unauthorized, CodeInvalidDPoPProof, bad, "the DPoP proof is for another access token",
		"ath is not the hash of the token that was sent.", nil},
	{ReasonProofReplayed, unauthorized, CodeInvalidDPoPProof, bad, "the DPoP proof was used before",
		"A replay, or a client or proxy that repeats requests without a new proof.", ErrReplayed},
	{ReasonProofQuota, unauthorized, CodeInvalidDPoPProof, bad, "too many DPoP proofs of one key are in use",
		"One key used more proofs within the window than the replay store allows it. Raise the quota of the store for such clients.", nil},
	{ReasonNonceRequired, unauthorized, CodeUseDPoPNonce, 0, "the DPoP proof must have the nonce that is given",
		"Normal once per client: it repeats the request with the nonce.", ErrUseDPoPNonce},
	{ReasonNonceNotAccepted, unauthorized, CodeUseDPoPNonce, 0, "the nonce of the DPoP proof is not accepted any more",
		"Normal when a nonce has run out. Many: instances that do not share their nonce secrets.", ErrUseDPoPNonce},

	{ReasonScope, forbidden, CodeInsufficientScope, 0, "the access token lacks a scope that is needed",
		"The route demands scopes that the token does not have.", nil},
	{ReasonPermission, forbidden, CodeInsufficientScope, 0, "the access token lacks a permission that is needed",
		"The route demands permissions that the token does not have.", nil},
	{ReasonForbidden, forbidden, CodeInsufficientScope, 0, "the access token does not allow this request",
		"A predicate of the route said no.", nil},
	{ReasonAuthentication, unauthorized, CodeInsufficientUserAuthentication, 0, "a stronger or more recent authentication is needed",
		"The route demands an authentication context or age (RFC 9470) that the token does not have.", nil},

	{ReasonResolver, unavailable, CodeNone, 0, "the issuers of this request could not be determined",
		"Config.Domains returned an error, nothing, or an invalid domain, or panicked. The cause is in the error.", nil},
	{ReasonDiscovery, unavailable, CodeNone, 0, "the issuer's metadata is not available",
		"No usable discovery document within the hard limit. Health shows the last failure; see the guide on outages.", nil},
	{ReasonKeys, unavailable, CodeNone, 0, "the issuer's keys are not available",
		"No usable key set within the hard limit, or the refetch for an unknown kid failed. Health shows the last failure.", nil},
	{ReasonReplayStore, unavailable, CodeNone, 0, "the proof could not be checked for replay",
		"The replay store failed or is full. DPoPConfig.AllowReplayStoreFailure answers otherwise, at a price.", nil},
	{ReasonNonceSource, unavailable, CodeNone, 0, "the nonce could not be checked",
		"DPoPConfig.Nonces failed.", nil},
	{ReasonCertSource, unavailable, CodeNone, 0, "the client certificate could not be determined",
		"Config.ClientCertificate failed.", nil},
	{ReasonArgument, http.StatusInternalServerError, CodeNone, 0, "the request could not be checked",
		"A mistake of this program: the call lacks the method or URL that a DPoP proof is checked against, or the URL is not absolute.", ErrArgument},
}

// info finds an entry. Every reason has one; a test makes sure.
func (r Reason) info() *ReasonInfo {
	for i := range catalogue {
		if catalogue[i].Reason == r {
			return &catalogue[i]
		}
	}
	return &ReasonInfo{Reason: r, Status: http.StatusInternalServerError}
}
