// Package reason names every reason for which a request is refused or could not
// be decided, with the status and the OAuth error code of the answer. Logs,
// metrics, alerts and tests compare these words:
//
//	var e *verifier.Error
//	if errors.As(err, &e) && e.Reason == reason.Expired { ... }
//
// docs/errors.md is generated from [Catalogue].
package reason

import "net/http"

// Reason is one stable, machine-readable word.
type Reason string

// The reasons. Each has one status, code and description; see [Catalogue].
const (
	// Credentials of the request.
	NoCredentials       Reason = "no_credentials"
	UnsupportedScheme   Reason = "unsupported_scheme"
	MultipleCredentials Reason = "multiple_credentials"
	ProofMissing        Reason = "proof_missing"
	ProofUnexpected     Reason = "proof_unexpected"
	ForwardedMalformed  Reason = "forwarded_malformed"
	RequestURL          Reason = "request_url"
	CrossOrigin         Reason = "cross_origin"

	// The access token.
	TokenMalformed            Reason = "token_malformed"
	TokenTooLarge             Reason = "token_too_large"
	TokenType                 Reason = "token_type"
	TokenCritical             Reason = "token_critical"
	TokenDecryption           Reason = "token_decryption"
	TokenNotEncrypted         Reason = "token_not_encrypted"
	TokenInactive             Reason = "token_inactive"
	Revoked                   Reason = "revoked"
	Algorithm                 Reason = "algorithm"
	IssuerMissing             Reason = "issuer_missing"
	IssuerMalformed           Reason = "issuer_malformed"
	IssuerNotAllowed          Reason = "issuer_not_allowed"
	IssuerMismatch            Reason = "issuer_mismatch"
	KeyUnknown                Reason = "key_unknown"
	NoUsableKey               Reason = "no_usable_key"
	Signature                 Reason = "signature"
	Expired                   Reason = "expired"
	NotYetValid               Reason = "not_yet_valid"
	Audience                  Reason = "audience"
	ClaimMissing              Reason = "claim_missing"
	ClaimMalformed            Reason = "claim_malformed"
	ClaimValue                Reason = "claim_value"
	Confirmation              Reason = "confirmation"
	BindingMissing            Reason = "binding_missing"
	BindingMismatch           Reason = "binding_mismatch"
	BoundTokenAsBearer        Reason = "bound_token_as_bearer"
	CertificateMissing        Reason = "certificate_missing"
	Certificate               Reason = "certificate_mismatch"
	CertificateBindingMissing Reason = "certificate_binding_missing"

	// The DPoP proof.
	ProofMultiple    Reason = "proof_multiple"
	ProofMalformed   Reason = "proof_malformed"
	ProofTooLarge    Reason = "proof_too_large"
	ProofType        Reason = "proof_type"
	ProofAlgorithm   Reason = "proof_algorithm"
	ProofKey         Reason = "proof_key"
	ProofSignature   Reason = "proof_signature"
	ProofClaim       Reason = "proof_claim"
	ProofMethod      Reason = "proof_method"
	ProofURL         Reason = "proof_url"
	ProofIssuedAt    Reason = "proof_issued_at"
	ProofTokenHash   Reason = "proof_token_hash"
	ProofReplayed    Reason = "proof_replayed"
	ProofQuota       Reason = "proof_quota"
	NonceRequired    Reason = "nonce_required"
	NonceNotAccepted Reason = "nonce_not_accepted"

	// Authorization.
	Scope          Reason = "scope"
	Permission     Reason = "permission"
	Forbidden      Reason = "forbidden"
	Authentication Reason = "authentication"

	// Could not decide.
	Resolver      Reason = "resolver_failed"
	Discovery     Reason = "discovery_unavailable"
	Keys          Reason = "keys_unavailable"
	ReplayStore   Reason = "replay_store_failed"
	NonceSource   Reason = "nonce_source_failed"
	CertSource    Reason = "certificate_source_failed"
	Introspection Reason = "introspection_failed"
	Decryption    Reason = "decryption_failed"
	Revocation    Reason = "revocation_failed"
	Requirement   Reason = "requirement_failed"

	// A mistake of the calling program.
	Argument Reason = "argument"
)

// Info is the entry of a reason in the catalogue.
type Info struct {
	// Reason that the entry is about.
	Reason Reason
	// Status of the HTTP answer.
	Status int
	// Code is the OAuth error code of the challenge: "" for a request without
	// credentials (RFC 6750, Section 3.1), for 503 and for 500.
	Code string
	// Auth0Status replaces Status under verifier.Config.Auth0Statuses. 0: it does
	// not.
	Auth0Status int
	// Description is what the client is told.
	Description string
	// Advice is for the operator who finds the reason in a log.
	Advice string
}

// Catalogue returns all entries, in a fixed order.
func Catalogue() []Info { return append([]Info(nil), catalogue[:]...) }

// Info returns the entry of r. A reason that is not in the catalogue, such as
// one of a program's own Requirement, has status 500 and no code.
func (r Reason) Info() Info {
	for i := range catalogue {
		if catalogue[i].Reason == r {
			return catalogue[i]
		}
	}
	return Info{Reason: r, Status: http.StatusInternalServerError}
}

const (
	bad          = http.StatusBadRequest
	unauthorized = http.StatusUnauthorized
	forbidden    = http.StatusForbidden
	unavailable  = http.StatusServiceUnavailable

	none                       = ""
	invalidRequest             = "invalid_request"                  // RFC 6750, Section 3.1
	invalidToken               = "invalid_token"                    // RFC 6750, Section 3.1
	insufficientScope          = "insufficient_scope"               // RFC 6750, Section 3.1
	insufficientAuthentication = "insufficient_user_authentication" // RFC 9470, Section 3
	invalidProof               = "invalid_dpop_proof"               // RFC 9449, Section 7.1
	useNonce                   = "use_dpop_nonce"                   // RFC 9449, Section 9
)

//go:generate go run ../../tools/errorsdoc ../../docs/errors.md

// catalogue is read only.
var catalogue = [...]Info{
	{NoCredentials, unauthorized, none, bad, "no access token was sent",
		"The client sent no Authorization header, or one without a token. Harmless alone."},
	{UnsupportedScheme, unauthorized, none, bad, "the authorization scheme is not supported",
		"The client used another scheme than Bearer or DPoP, or one that the configured DPoP mode does not allow."},
	{ProofMissing, unauthorized, none, bad, "the DPoP proof is missing",
		"The client used the DPoP scheme without a DPoP header. A proxy may have dropped it."},
	{MultipleCredentials, bad, invalidRequest, 0, "several credentials were sent",
		"The request has several Authorization headers, or one with several credentials (RFC 6750, Section 2). Look for a proxy that adds one."},
	{ProofUnexpected, bad, invalidRequest, 0, "a DPoP proof was sent with the Bearer scheme",
		"The client sent a good unbound token as Bearer together with a DPoP proof. It must use one method."},
	{ForwardedMalformed, bad, invalidRequest, 0, "the forwarding headers are not valid",
		"A trusted proxy sent Forwarded or X-Forwarded headers that cannot be used. The error names the field. Check the proxy, name the fields that it writes in Config.ProxyFields, or set Config.ExternalURL."},
	{RequestURL, bad, invalidRequest, 0, "the URL of the request is not one of this API",
		"The Host or the request line names no http or https URL, the host is not in Config.ExternalHosts, or the path leads out of Config.ExternalURL."},
	{CrossOrigin, forbidden, none, 0, "the request comes from another site",
		"A page of another site made a browser send this request with the user's cookie (MiddlewareConfig.Source). Add the site to CrossOrigin if that is wanted."},

	{TokenMalformed, unauthorized, invalidToken, 0, "the access token is malformed",
		"The token is not a JWS in compact serialisation with strict JSON inside: an opaque token (no audience requested), an encrypted one, or garbage."},
	{TokenTooLarge, unauthorized, invalidToken, 0, "the access token is too large",
		"The token is longer than Config.MaxTokenSize."},
	{TokenType, unauthorized, invalidToken, 0, "the token is not an access token",
		"The typ header names another kind of token, or Config.Profile demands at+jwt."},
	{TokenCritical, unauthorized, invalidToken, 0, "the access token has critical extensions that are not understood",
		"The token has a crit or b64 header (RFC 7515, Section 4.1.11)."},
	{TokenDecryption, unauthorized, invalidToken, 0, "the encrypted access token cannot be opened",
		"No key of Config.Decryption opens the token, its algorithms are not allowed, it is compressed, or what is inside is no signed token. The reason is one for all, so that a client learns nothing. Compare the kid with the published keys."},
	{TokenNotEncrypted, unauthorized, invalidToken, 0, "the access token must be encrypted",
		"Issuer.Encryption demands encryption, and the token came without, or was encrypted to another key."},
	{TokenInactive, unauthorized, invalidToken, 0, "the access token is not active",
		"The issuer's introspection endpoint does not know the token, or says that it has expired or was revoked."},
	{Revoked, unauthorized, invalidToken, 0, "the access token was revoked",
		"Config.Revocation's Checker says that the token, its subject or its session was revoked."},
	{Algorithm, unauthorized, invalidToken, 0, "the signature algorithm of the access token is not allowed",
		"The alg header is not in Config.Algorithms, or in those of the Issuer."},
	{IssuerMissing, unauthorized, invalidToken, 0, "the access token has no issuer",
		"The iss claim is absent or not a string, and no Issuer with a SubjectPrefix fits."},
	{IssuerMalformed, unauthorized, invalidToken, 0, "the issuer of the access token is not valid",
		"The iss claim is not an https URL or domain, and is not listed in Config.Issuers as it is."},
	{IssuerNotAllowed, unauthorized, invalidToken, 0, "the issuer of the access token is not allowed",
		"The token comes from an issuer that Config does not list for this request, or is spelled otherwise. A slash at the end counts where the issuer has a path."},
	{IssuerMismatch, unauthorized, invalidToken, 0, "the issuer of the access token is not that of its keys",
		"The iss claim is none of the issuer's exact spellings, or not the one that its metadata states. Compare byte by byte; add a further spelling to Issuer.Aliases."},
	{KeyUnknown, unauthorized, invalidToken, 0, "the signing key of the access token is not known",
		"No key of the issuer's set fits the token's kid and algorithm, also after a refetch. Many of them are an attack or a client with tokens of another tenant."},
	{NoUsableKey, unauthorized, invalidToken, 0, "the issuer has no usable signing key",
		"The issuer's key set is well-formed, but none of its keys can check a signature."},
	{Signature, unauthorized, invalidToken, 0, "the signature of the access token is not valid",
		"The token was changed or forged."},
	{Expired, unauthorized, invalidToken, 0, "the access token has expired",
		"Normal in small numbers. Many at once: compare the clocks; Config.Leeway allows for some difference."},
	{NotYetValid, unauthorized, invalidToken, 0, "the access token is not valid yet",
		"The nbf claim is in the future. Compare the clocks; Config.Leeway allows for some difference."},
	{Audience, unauthorized, invalidToken, 0, "the access token is for another audience",
		"The aud claim does not hold one of the configured audiences, or the claim that takes its place names another client. The client asked for a token for another API."},
	{ClaimMissing, unauthorized, invalidToken, 0, "a required claim of the access token is missing",
		"exp, iat, aud, or a claim that Config, the Issuer, the profile or the call requires, is absent."},
	{ClaimMalformed, unauthorized, invalidToken, 0, "a claim of the access token is malformed",
		"A claim has the wrong type: a registered one, or one that the issuer's Claims say holds the scope, the client or the permissions."},
	{ClaimValue, unauthorized, invalidToken, 0, "a claim of the access token has a value that is not accepted",
		"The claim is not one of Issuer.RequiredValues, or sub lacks Issuer.SubjectPrefix: another kind of token, or one of another domain."},
	{Confirmation, unauthorized, invalidToken, 0, "the confirmation of the access token is malformed or not supported",
		"The cnf claim has no member jkt or x5t#S256, or one that is malformed. Such a token is refused because its binding cannot be checked."},
	{BindingMissing, unauthorized, invalidToken, 0, "the access token is not bound to a DPoP key",
		"The DPoP scheme was used with a token without cnf.jkt. The issuer may not have bound it."},
	{BindingMismatch, unauthorized, invalidToken, 0, "the access token is bound to another DPoP key",
		"The proof was signed by another key than the token's. A stolen token, or a client that changed its key."},
	{BoundTokenAsBearer, unauthorized, invalidToken, 0, "a DPoP-bound access token was sent as Bearer",
		"RFC 9449, Section 7.2: a bound token must come with a proof. A stolen token, or a client that ignores token_type."},
	{CertificateBindingMissing, unauthorized, invalidToken, 0, "the access token is not bound to a client certificate",
		"The route demands a token that is bound to a certificate (RFC 8705). The issuer may not have bound it."},
	{CertificateMissing, unauthorized, invalidToken, 0, "the access token needs a client certificate",
		"The token is bound to a certificate (RFC 8705), and none came with the request. Behind a proxy set Config.ClientCertificate and Config.TrustedProxies."},
	{Certificate, unauthorized, invalidToken, 0, "the access token is bound to another client certificate",
		"A stolen token, or a client that renewed its certificate."},

	{ProofMultiple, unauthorized, invalidProof, bad, "several DPoP proofs were sent",
		"The request has several DPoP headers (RFC 9449, Section 4.3)."},
	{ProofMalformed, unauthorized, invalidProof, bad, "the DPoP proof is malformed",
		"The proof is not a JWS in compact serialisation with strict JSON inside."},
	{ProofTooLarge, unauthorized, invalidProof, bad, "the DPoP proof is too large",
		"The proof is longer than DPoPConfig.MaxProofSize."},
	{ProofType, unauthorized, invalidProof, bad, "the DPoP proof has the wrong type",
		"The typ header of the proof is not dpop+jwt."},
	{ProofAlgorithm, unauthorized, invalidProof, bad, "the signature algorithm of the DPoP proof is not allowed",
		"The alg header of the proof is not in DPoPConfig.Algorithms."},
	{ProofKey, unauthorized, invalidProof, bad, "the key of the DPoP proof is not valid",
		"The jwk header is absent, malformed, weak, private, or not of the algorithm's type."},
	{ProofSignature, unauthorized, invalidProof, bad, "the signature of the DPoP proof is not valid",
		"The proof was changed, or signed by another key."},
	{ProofClaim, unauthorized, invalidProof, bad, "a claim of the DPoP proof is missing or malformed",
		"jti, htm, htu, iat or ath is absent or of the wrong type."},
	{ProofMethod, unauthorized, invalidProof, bad, "the DPoP proof is for another method",
		"htm is not the request's method, compared exactly. Behind a forward-auth proxy give the original method."},
	{ProofURL, unauthorized, invalidProof, bad, "the DPoP proof is for another URL",
		"htu is not the request's URL. Behind a proxy set Config.ExternalURL or Config.TrustedProxies."},
	{ProofIssuedAt, unauthorized, invalidProof, bad, "the DPoP proof is too old or from the future",
		"iat is outside DPoPConfig.MaxAge and FutureSkew, exp has passed, or nbf has not come. The client's clock is wrong; nonces help."},
	{ProofTokenHash, unauthorized, invalidProof, bad, "the DPoP proof is for another access token",
		"ath is not the hash of the token that was sent."},
	{ProofReplayed, unauthorized, invalidProof, bad, "the DPoP proof was used before",
		"A replay, or a client or proxy that repeats requests without a new proof."},
	{ProofQuota, unauthorized, invalidProof, bad, "too many DPoP proofs of one key are in use",
		"One key used more proofs within the window than the replay store allows it. Raise the quota of the store for such clients."},
	{NonceRequired, unauthorized, useNonce, 0, "the DPoP proof must have the nonce that is given",
		"Normal once per client: it repeats the request with the nonce."},
	{NonceNotAccepted, unauthorized, useNonce, 0, "the nonce of the DPoP proof is not accepted any more",
		"Normal when a nonce has run out. Many: instances that do not share their nonce secrets."},

	{Scope, forbidden, insufficientScope, 0, "the access token lacks a scope that is needed",
		"The route demands scopes that the token does not have."},
	{Permission, forbidden, insufficientScope, 0, "the access token lacks a permission that is needed",
		"The route demands permissions that the token does not have."},
	{Forbidden, forbidden, insufficientScope, 0, "the access token does not allow this request",
		"A predicate of the route said no."},
	{Authentication, unauthorized, insufficientAuthentication, 0, "a stronger or more recent authentication is needed",
		"The route demands an authentication context or age (RFC 9470) that the token does not have."},

	{Resolver, unavailable, none, 0, "the issuers of this request could not be determined",
		"Config.Domains returned an error, nothing, or an invalid domain, or panicked. The cause is in the error."},
	{Discovery, unavailable, none, 0, "the issuer's metadata is not available",
		"No usable discovery document within the hard limit. Health shows the last failure; see the guide on outages."},
	{Keys, unavailable, none, 0, "the issuer's keys are not available",
		"No usable key set within the hard limit, or the refetch for an unknown kid failed or was not allowed yet. Health shows the last failure."},
	{ReplayStore, unavailable, none, 0, "the proof could not be checked for replay",
		"The replay store failed or is full. DPoPConfig.AllowReplayStoreFailure answers otherwise, at a price."},
	{NonceSource, unavailable, none, 0, "the nonce could not be checked",
		"DPoPConfig.Nonces failed."},
	{CertSource, unavailable, none, 0, "the client certificate could not be determined",
		"Config.ClientCertificate failed."},
	{Introspection, unavailable, none, 0, "the access token could not be checked with its issuer",
		"Issuer.Opaque's Introspector failed, timed out, or had too many calls in flight. The cause is in the error."},
	{Decryption, unavailable, none, 0, "the encrypted access token could not be opened now",
		"A KeyDecrypter failed, or more than Decryption.MaxInFlight tokens are being opened."},
	{Revocation, unavailable, none, 0, "the access token could not be checked for revocation",
		"Revocation.Checker failed. Revocation.AllowFailure answers otherwise, at a price."},
	{Requirement, unavailable, none, 0, "the request could not be authorized",
		"A Requirement of the route returned an error that says nothing about the token, or panicked. The cause is in the error."},
	{Argument, http.StatusInternalServerError, none, 0, "the request could not be checked",
		"A mistake of this program: the call lacks the method or URL that a DPoP proof is checked against, the URL is not absolute, Require stands without Middleware, or a Requirement is one that no token can meet. The cause is in the error."},
}
