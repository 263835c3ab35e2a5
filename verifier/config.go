package verifier

import (
	"crypto/x509"
	"net/http"
	"net/netip"
	"slices"
	"time"
)

// Config says which tokens a [Verifier] accepts. For one issuer two fields are
// enough; every other zero value is a default:
//
//	verifier.Config{Domain: "tenant.auth0.com", Audience: "https://api.example.com"}
//
// Issuers with rules of their own go into Issuers, and issuers that depend on the
// request come from Domains. [New] copies what it needs.
type Config struct {
	// Domain is the one allowed issuer: a domain such as "tenant.auth0.com" or
	// an https URL such as "https://idp.example.com/realms/one". One of Domain,
	// Issuers and Domains must be set.
	Domain string
	// Issuers are the allowed issuers, each with rules of its own. Beside Domains
	// they are the rules of what Domains lists, and allow nothing by themselves.
	Issuers []Issuer
	// Domains says which issuers are allowed, per request. Package resolver has
	// implementations. A resolver that is a [StaticDomains] is asked once; one
	// that is an [IssuerResolver] brings the rules too.
	Domains DomainResolver

	// Audience is this API's identifier; Audiences are several, of which a
	// token must have one. One of the two fields must be set, unless each of
	// Issuers has Audiences of its own.
	Audience  string
	Audiences []string

	// Algorithms are the allowed signature algorithms of tokens, by their exact
	// names: RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512,
	// EdDSA, Ed25519, and those of SignatureAlgorithms. Default RS256. EdDSA and
	// Ed25519 are different names of the same thing (RFC 9864, Section 2.2);
	// allow the one that is used.
	Algorithms []string
	// SignatureAlgorithms check signatures in place of the standard library:
	// of algorithms that it lacks, or faster. They allow nothing by themselves;
	// Algorithms, Issuer.Algorithms and DPoP.Algorithms do. Default none.
	SignatureAlgorithms []SignatureAlgorithm
	// Leeway is how much exp and nbf may be missed by, 0 to 5 minutes.
	// Default 0.
	Leeway time.Duration
	// RequiredClaims must be present in every token, beside iss, aud, exp and
	// iat, with any value but null.
	RequiredClaims []string
	// Profile says what the typ header may be. See [Profile].
	Profile Profile
	// Claims says which claims hold the scope, the client and the permissions.
	Claims ClaimNames
	// MaxTokenSize in bytes. Default 16 KiB, at most 1 MiB.
	MaxTokenSize int

	// Decryption says how encrypted tokens are opened. Default: they are refused.
	Decryption DecryptionConfig
	// Revocation says how revoked tokens are known. Default: none are.
	Revocation RevocationConfig
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

	// KeyHosts are hosts, with port if not 443, on which the metadata of issuers
	// without Keys of their own may place key sets, beside the issuer's own host.
	KeyHosts []string
	// HTTPHosts are hosts, with port if not 80, from which documents may be
	// fetched over http, without encryption, for issuers whose Name or Keys say
	// http. Loopback hosts need no entry. Whoever can change that traffic can
	// sign tokens: for development, and for networks that protect it otherwise.
	HTTPHosts []string
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
	// ResourceMetadataURL is where this API's protected resource metadata (RFC
	// 9728) is, to be given in challenges. See [ResourceMetadata.URL].
	ResourceMetadataURL string

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
	// ProfileDefault is what Config says for all issuers, and ProfileJWT where
	// Config says nothing.
	ProfileDefault Profile = iota
	// ProfileRFC9068 accepts a typ header of at+jwt or application/at+jwt only,
	// and requires the claims of RFC 9068, Section 2.2: sub, client_id and jti
	// too.
	ProfileRFC9068
	// ProfileJWT accepts a typ header of JWT, at+jwt or either with "application/"
	// in front, in any case, and none. Proofs, ID tokens of other types, logout
	// tokens and the like never pass.
	ProfileJWT
)

const (
	defaultMaxTokenSize = 16 << 10
	minMaxTokenSize     = 256 // less holds no signed token
	maxMaxTokenSize     = 1 << 20
	maxTokenMemo        = 1 << 20
)

// newStandard reads what Config says for all issuers.
func newStandard(m *mistakes, cfg *Config) *standard {
	s := &standard{claims: cfg.Claims.or(defaultPlaces)}
	s.places = m.places("Claims", s.claims)
	names := cfg.Algorithms
	if len(names) == 0 {
		names = []string{"RS256"}
	}
	s.known = m.known(cfg.SignatureAlgorithms)
	s.algorithms = m.algorithms("Algorithms", names, s.known)
	switch {
	case cfg.Audience != "" && len(cfg.Audiences) > 0:
		m.add("Audience", "and Config.Audiences are both set; set one")
	case cfg.Audience != "":
		s.audiences = []string{cfg.Audience}
		m.text("Audience", cfg.Audience)
	default:
		s.audiences = slices.Clone(cfg.Audiences)
		m.texts("Audiences", s.audiences)
	}
	if len(s.audiences) == 0 && (cfg.Domains != nil || len(cfg.Issuers) == 0) {
		m.add("Audience", "or Config.Audiences must be set; it is what tokens for this API have in aud")
	}
	m.texts("RequiredClaims", cfg.RequiredClaims)
	s.required = slices.Clone(cfg.RequiredClaims)
	m.profile("Profile", cfg.Profile)
	s.profile = cfg.Profile
	s.leeway = m.leeway("Leeway", cfg.Leeway)
	s.sources = newSourceDefaults(m, cfg, s.known)
	for _, k := range cfg.Decryption.Keys {
		s.decryptionKeys = append(s.decryptionKeys, k.ID)
	}
	return s
}
