package verifier

import (
	"crypto/x509"
	"net/http"
	"net/netip"
	"time"
)

// Config says which tokens a [Verifier] accepts. Its zero values are the
// defaults; only an issuer (Domain or Domains) and an audience (Audience or
// Audiences) must be given. [New] copies what it needs.
type Config struct {
	// Domain is the one allowed issuer: a domain such as "tenant.auth0.com" or
	// an https URL such as "https://idp.example.com/realms/one". Either Domain
	// or Domains must be set.
	Domain string
	// Domains says which issuers are allowed, per request. Package resolver has
	// implementations. A resolver that is a [StaticDomains] is asked once.
	Domains DomainResolver

	// Audience is this API's identifier; Audiences are several, of which a
	// token must have one. Exactly one of the two fields must be set.
	Audience  string
	Audiences []string

	// Algorithms are the allowed signature algorithms of tokens, by their exact
	// names: RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512,
	// EdDSA, Ed25519, and those of SignatureAlgorithms. Default RS256. EdDSA and
	// Ed25519 are different names of the same thing (RFC 9864, Section 2.2);
	// allow the one that is used.
	Algorithms []string
	// IssuerAlgorithms replaces Algorithms for single issuers.
	IssuerAlgorithms map[string][]string
	// SignatureAlgorithms check signatures in place of the standard library:
	// of algorithms that it lacks, or faster. They allow nothing by themselves;
	// Algorithms and DPoP.Algorithms do. Default none.
	SignatureAlgorithms []SignatureAlgorithm
	// Leeway is how much exp and nbf may be missed by, 0 to 5 minutes.
	// Default 0.
	Leeway time.Duration
	// RequiredClaims must be present in every token, beside iss, aud, exp and
	// iat, with any value but null.
	RequiredClaims []string
	// Profile says what the typ header may be. See [Profile].
	Profile Profile
	// MaxTokenSize in bytes. Default 16 KiB, at most 1 MiB.
	MaxTokenSize int

	// DPoP says how proofs are treated.
	DPoP DPoPConfig

	// Cache shares discovery documents and key sets among processes. What it
	// says is validated like an answer from the network, but whoever can write
	// to it can plant keys: seal it (package cacheadapter) unless nobody else
	// can. A fault of it never fails a verification. Default none.
	Cache Cache
	// Lease makes the processes that share Cache fetch each document once. It
	// needs Cache. Default none.
	Lease ReplayStore
	// CacheTTL is how long documents are fresh when their source states
	// nothing, and the most that it can state. Default 10 minutes.
	CacheTTL time.Duration
	// Refresh tunes the keeping of documents.
	Refresh RefreshConfig

	// KeyFetcher replaces OpenID Connect discovery as the source of keys.
	KeyFetcher KeyFetcher
	// JWKSURLs are URLs of key sets by issuer, for issuers whose keys are not
	// where their metadata says (names inside a cluster). No metadata is
	// fetched for such an issuer to verify its tokens, and the iss of its
	// tokens must be the issuer as it is written here, if it is written as a
	// URL.
	JWKSURLs map[string]string
	// JWKSHosts are hosts, with port if not 443, on which the metadata of
	// issuers may place key sets, beside the issuer's own host.
	JWKSHosts []string
	// Doer sends the requests. Default: the client of [NewHTTPClient].
	Doer Doer
	// Clock is the time. Default: time.Now.
	Clock Clock
	// Observer is told what happens. It is called on the path of requests and
	// must return quickly. Default none; see [NewSlogObserver].
	Observer Observer

	// TokenMemo is how many verified tokens are remembered, so that a token
	// that comes again costs a hash instead of a signature check. Time, issuer
	// gate, audience, keys, binding and proof are checked each time. Default 0:
	// none.
	TokenMemo int

	// Auth0Statuses answers with status 400 where the SDKs of Auth0 do: for
	// requests without usable credentials, and for bad proofs.
	Auth0Statuses bool
	// Realm of Bearer challenges. Default "api".
	Realm string
	// ChallengeScope is the scope that challenges with status 401 ask for, for
	// clients that authorize step by step. Default none.
	ChallengeScope string
	// ResourceMetadata is the URL of this API's protected resource metadata
	// (RFC 9728), to be given in challenges. See [ResourceMetadataHandler].
	ResourceMetadata string

	// ExternalURL is the scheme, host and optional path prefix under which
	// clients know this API, when a proxy changes them. Either ExternalURL or
	// TrustedProxies can be set.
	ExternalURL string
	// TrustedProxies are the addresses of proxies whose Forwarded or
	// X-Forwarded headers are believed. Default: none are.
	TrustedProxies []netip.Prefix
	// ClientCertificate finds the client's certificate when a trusted proxy
	// forwards it, for tokens bound to one (RFC 8705). nil, nil means none.
	// Default: that of the TLS connection.
	ClientCertificate func(*http.Request) (*x509.Certificate, error)
}

// Profile says which kinds of JWT are taken for access tokens.
type Profile int

const (
	// ProfileDefault accepts a typ header of JWT, at+jwt or
	// application/at+jwt, in any case, and none. Proofs, ID tokens of other
	// types, logout tokens and the like never pass.
	ProfileDefault Profile = iota
	// ProfileRFC9068 accepts at+jwt and application/at+jwt only, and requires
	// the claims of RFC 9068, Section 2.2: sub, client_id and jti too.
	ProfileRFC9068
)

// DPoPMode says which schemes are accepted.
type DPoPMode int

const (
	DPoPAllowed  DPoPMode = iota // Bearer and DPoP
	DPoPRequired                 // DPoP only
	DPoPDisabled                 // Bearer only
)

// DPoPConfig says how DPoP proofs (RFC 9449) are treated.
type DPoPConfig struct {
	// Mode is DPoPAllowed by default. A token that is bound to a key is refused
	// as Bearer in every mode.
	Mode DPoPMode
	// Algorithms are the allowed signature algorithms of proofs. Default ES256.
	Algorithms []string
	// MaxAge is how old a proof may be. Default 300 s, at most 1 hour.
	MaxAge time.Duration
	// FutureSkew is how far in the future iat may be. Default 30 s; negative
	// means none; at most 5 minutes.
	FutureSkew time.Duration
	// MaxProofSize in bytes, at most 64 KiB. Default 8 KiB; 16 KiB when
	// Algorithms has one that the standard library lacks: a proof holds a public
	// key and a signature, which are longer there.
	MaxProofSize int
	// ReplayStore remembers the proofs that were used. Default: a store of this
	// process for a million proofs, of which ReplayQuota may be of one key. A
	// fleet needs a shared store.
	ReplayStore ReplayStore
	// ReplayQuota bounds the proofs of one key in the default store. Default
	// 10,000, which is a little more than 30 a second.
	ReplayQuota int
	// ReplayStoreTimeout bounds one call of ReplayStore, within the context of
	// the request: a store that hangs must not hold requests for as long as
	// their clients wait. Default 2 s, at most 1 minute.
	ReplayStoreTimeout time.Duration
	// AllowReplays switches the check for replays off. RFC 9449, Section 11.1
	// has what that means.
	AllowReplays bool
	// AllowReplayStoreFailure accepts proofs while the store fails; by default
	// they are answered with 503.
	AllowReplayStoreFailure bool
	// Nonces makes clients use nonces (RFC 9449, Section 9). Default none.
	// [NewNonceSource] makes a stateless one.
	Nonces NonceSource
}

// RefreshConfig tunes how discovery documents and key sets are kept. Zero
// means the default; a negative value switches off what can be switched off.
type RefreshConfig struct {
	// Floor is the shortest freshness, whatever the source states. Default 1
	// minute; negative: none.
	Floor time.Duration
	// Jitter is the share of the freshness, 0 to 0.5, that is taken off at
	// random. Default 0.1; negative: none.
	Jitter float64
	// Ahead is the share of the freshness, 0 to 0.9, at whose end a refresh is
	// started in the background. Default 0.2; negative: none.
	Ahead float64
	// StaleIfError is how long past its freshness a document is served while
	// it cannot be refreshed. It is also how long a revoked key can live on.
	// Default 1 hour; negative: none.
	StaleIfError time.Duration
	// FetchTimeout bounds one fetch. Default 5 s.
	FetchTimeout time.Duration
	// MaxIssuers is how many issuers are held. Default 100.
	MaxIssuers int
	// UnknownKeyAttempts is how many refetches tokens with unknown kids can
	// cause per issuer and UnknownKeyWindow. Defaults 2 and 30 s; negative
	// attempts: none.
	UnknownKeyAttempts int
	UnknownKeyWindow   time.Duration
	// CacheTimeout bounds one call of Config.Cache and Config.Lease. Default
	// 500 ms.
	CacheTimeout time.Duration
}
