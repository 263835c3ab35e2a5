package verifier

import (
	"crypto/x509"
	"net/http"
	"net/netip"
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
	// Audience is this API's identifier, which tokens have in aud. Audience or
	// Audiences must be set, unless each of Issuers has Audiences of its own.
	Audience string

	// Issuers are the allowed issuers, each with rules of its own. Beside Domains
	// they are the rules of what Domains lists, and allow nothing by themselves.
	Issuers []Issuer
	// Algorithms are the allowed signature algorithms of tokens, by their exact
	// names: RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512,
	// EdDSA, Ed25519, and those of SignatureAlgorithms. Default RS256. EdDSA and
	// Ed25519 are different names of the same thing (RFC 9864, Section 2.2);
	// allow the one that is used.
	Algorithms []string
	// DPoP says how proofs are treated. Default: tokens come with either scheme,
	// Bearer or DPoP.
	DPoP DPoPConfig
	// Cache shares discovery documents and key sets among processes. What it
	// says is validated like an answer from the network, but whoever can write
	// to it can plant keys: seal it (package cacheadapter) unless nobody else
	// can. A fault of it never fails a verification. Default none.
	Cache Cache

	// Domains says which issuers are allowed, per request. It and all that follows
	// are for special needs. Package resolver has implementations. A resolver that
	// is a [StaticDomains] is asked once; one that is an [IssuerResolver] brings the
	// rules too.
	Domains DomainResolver
	// Audiences are several identifiers of this API, of which a token must have
	// one, in place of Audience.
	Audiences []string

	// Leeway is how much exp and nbf may be missed by. Default 0, at most 5
	// minutes.
	Leeway time.Duration
	// RequiredClaims must be present in every token, beside iss, aud, exp and
	// iat, with any value but null.
	RequiredClaims []string
	// Profile says what the typ header may be.
	Profile Profile
	// Claims says which claims hold the scope, the client and the permissions.
	Claims ClaimNames
	// MaxTokenSize in bytes. Default 16 KiB, at most 1 MiB.
	MaxTokenSize int
	// SignatureAlgorithms check signatures in place of the standard library. They
	// allow nothing by themselves; Algorithms, Issuer.Algorithms and
	// DPoP.Algorithms do. Default none.
	SignatureAlgorithms []SignatureAlgorithm
	// Decryption says how encrypted tokens are opened. Default: they are refused.
	Decryption DecryptionConfig
	// Revocation says how revoked tokens are known. Default: none are.
	Revocation RevocationConfig

	// CacheTTL is how long documents are fresh when their source states
	// nothing, and the most that it can state. Default 10 minutes.
	CacheTTL time.Duration
	// Refresh tunes the keeping of documents.
	Refresh RefreshConfig
	// Lease makes the processes that share Cache, which it needs, fetch each
	// document once. Default none.
	Lease ReplayStore
	// TokenMemo is how many verified tokens are remembered: one that comes again
	// costs a hash instead of a signature check. Time, issuer gate, audience,
	// keys, binding and proof are checked each time. Default 0: none.
	TokenMemo int
	// KeyHosts are hosts, with port if not 443, on which the metadata of issuers
	// without Keys of their own may place key sets, beside the issuer's own host.
	KeyHosts []string
	// HTTPHosts are hosts, with port if not 80, from which documents may be
	// fetched over http, for issuers whose Name or Keys say http. Loopback hosts
	// need no entry. Whoever can change that traffic can sign tokens: for
	// development, and for networks that protect it otherwise.
	HTTPHosts []string
	// Doer sends the requests. Default: the client of [NewHTTPClient].
	Doer Doer
	// Clock is the time. Default: time.Now.
	Clock Clock
	// Observer is told what happens, on the path of requests: it must return
	// quickly. Default none; see [NewSlogObserver].
	Observer Observer

	// Realm of Bearer challenges. Default "api".
	Realm string
	// ChallengeScope is the scope that challenges with status 401 ask for, for
	// clients that authorize step by step. Default none.
	ChallengeScope string
	// ResourceMetadataURL is where this API's protected resource metadata (RFC
	// 9728) is, for challenges. See [ResourceMetadata.URL].
	ResourceMetadataURL string
	// Auth0Statuses answers with status 400 where the SDKs of Auth0 do: for
	// requests without usable credentials, and for bad proofs.
	Auth0Statuses bool

	// ExternalURL is the scheme, host and optional path prefix under which
	// clients know this API, where a proxy changes them. It is the safest choice;
	// [Verifier.VerifyHTTPRequest] says what the others read.
	ExternalURL string
	// TrustedProxies are the addresses of the proxies that are believed what they
	// forward: the URL, unless ExternalURL is set, and the client's certificate.
	// Default: no peer is.
	TrustedProxies []netip.Prefix
	// TrustAnyPeer must be set where TrustedProxies holds all addresses. Whoever
	// can reach this API then chooses URL and certificate.
	TrustAnyPeer bool
	// TrustUnixPeers trusts every peer on a Unix socket as TrustedProxies are,
	// and the element "unix:" of X-Forwarded-For.
	TrustUnixPeers bool
	// ProxyFields are the header fields that every trusted proxy writes, and
	// does not pass on from the client.
	ProxyFields []string
	// ExternalHosts are the hosts, with port if it is not the default one of the
	// scheme, under which clients know this API. Default: every host will do.
	ExternalHosts []string
	// ClientCertificate reads the client's certificate from what a trusted proxy
	// forwards, for tokens bound to one (RFC 8705); package clientcert has such
	// functions. nil, nil means none; an error is answered with 503.
	ClientCertificate func(*http.Request) (*x509.Certificate, error)
}

const (
	defaultMaxTokenSize = 16 << 10
	minMaxTokenSize     = 256 // less holds no signed token
	maxMaxTokenSize     = 1 << 20
	maxTokenMemo        = 1 << 20
)
