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
	// clients know this API, when a proxy changes them. It is the safest choice:
	// nothing of the request can change it. Dot segments of a request never lead
	// out of the prefix.
	ExternalURL string
	// TrustedProxies are the addresses of the proxies in front of this API. They
	// are believed what they forward: the URL, in Forwarded (RFC 7239) or
	// X-Forwarded-* header fields, unless ExternalURL is set; and the client's
	// certificate, to ClientCertificate. Default: no peer is.
	TrustedProxies []netip.Prefix
	// TrustAnyPeer must be set where TrustedProxies holds all addresses
	// (0.0.0.0/0 or ::/0). Whoever can reach this API then chooses URL and
	// certificate: nothing but the proxy may be able to.
	TrustAnyPeer bool
	// TrustUnixPeers trusts every peer on a Unix socket as TrustedProxies are,
	// and the element "unix:" of X-Forwarded-For.
	TrustUnixPeers bool
	// ProxyFields are the header fields that every trusted proxy writes, and
	// does not pass on from the client: Forwarded, or some of X-Forwarded-For,
	// X-Forwarded-Proto, X-Forwarded-Host and X-Forwarded-Port. Others are
	// ignored. A request of a trusted proxy that has one of them must have all.
	//
	// By default X-Forwarded-For and X-Forwarded-Proto count where they are
	// there, or else for and proto of Forwarded. Fields that name a host or port
	// are ignored, and the request's own Host counts, so that a client cannot
	// choose the host through a proxy that passes on what it does not know.
	ProxyFields []string
	// ExternalHosts are the hosts, with port if it is not the default one of the
	// scheme, under which clients know this API. A request whose URL is needed
	// and has another host is refused, with and without proxies. With
	// ExternalHosts and without ProxyFields, the fields that name a host or port
	// count as well. Default: every host will do.
	ExternalHosts []string
	// ClientCertificate reads the client's certificate from what a trusted proxy
	// forwards, for tokens bound to one (RFC 8705); package clientcert has such
	// functions. nil, nil means none; an error is answered with 503. It is asked
	// only for requests of TrustedProxies and TrustUnixPeers, one of which must
	// be set; for other peers the certificate of the TLS connection counts, as it
	// does by default: a certificate is public, and a header field that anyone
	// can write proves nothing.
	ClientCertificate func(*http.Request) (*x509.Certificate, error)
}

const (
	defaultMaxTokenSize = 16 << 10
	minMaxTokenSize     = 256 // less holds no signed token
	maxMaxTokenSize     = 1 << 20
	maxTokenMemo        = 1 << 20
)
