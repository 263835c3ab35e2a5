package verifier

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"
)

// Cache stores small byte values for a limited time. The Verifier keeps raw
// discovery documents and key sets in it (Config.Cache), and the exchange
// client keeps token responses in it.
//
// An implementation proves this contract with conformance.TestCache.
//
// Presence:
//   - A miss is ok == false and err == nil, with a nil value.
//   - An empty value is a value, not a miss: Set(k, []byte{}) then Get(k)
//     gives ok == true and a value of length 0.
//   - A backend that cannot answer is an error, never a miss.
//   - A cache reads its own writes: a Get that begins after a Set or Delete has
//     returned nil sees it, or what came later.
//   - Another cache over the same backend sees the write no later than the
//     backend's replicas do, and never a value beyond its ttl.
//   - A value that Get returns is one that a Set was given, whatever happened to
//     the backend in between.
//
// Time:
//   - ttl is how long a value may be served. An entry is a miss once its ttl
//     has passed.
//   - ttl <= 0 removes the key and returns nil: nothing is kept for ever.
//   - A ttl below the backend's resolution is rounded up to that resolution,
//     never to "for ever". A ttl between two steps of the resolution is rounded
//     up as well.
//   - A ttl of more than 30 days works.
//   - An entry may disappear early (eviction); the caller copes.
//   - Entries whose ttl has passed do not take room for ever, whether or not
//     they are asked for.
//
// Keys and values:
//   - Any non-empty UTF-8 key of up to 64 KiB works, spaces and control
//     characters included. An implementation hashes what its backend refuses,
//     without collisions between a raw key and a hashed one. Keys are compared
//     byte by byte.
//   - Values of up to 512 KiB work. A larger one may be refused with an error;
//     the key then holds nothing or its previous value. The longest key works
//     with the largest value.
//   - Set replaces both value and ttl.
//   - Set does not retain the caller's slice; Get returns a slice the caller
//     owns and may change. A slice from Get has no room that others use, and
//     stays as it is until the caller changes it.
//
// Delete of an absent key is nil.
//
// Context: when ctx is done, every method returns promptly with an error that
// matches ctx.Err() under errors.Is, even if the backend hangs. A call never
// waits for another call longer than its own ctx lasts. After an error a write
// may still land later. Where a client has no contexts, the adapter bounds its
// calls in flight and fails the excess at once. A call leaves no goroutine
// behind once the backend has answered it.
//
// When the backend is back, every method works again within seconds.
//
// Errors never contain the value. All methods are safe for concurrent use.
//
// Interfaces of this package never grow; a new ability is a new optional
// interface, such as [Clearer].
type Cache interface {
	// Get returns the value stored under key and ok == true, or ok == false
	// when there is none.
	Get(ctx context.Context, key string) (value []byte, ok bool, err error)
	// Set stores value under key for ttl, replacing what was there.
	Set(ctx context.Context, key string, value []byte, ttl time.Duration) error
	// Delete removes key. Removing an absent key is not an error.
	Delete(ctx context.Context, key string) error
}

// Clearer is an optional interface of a [Cache]. Clear removes what this cache
// wrote (all keys under its prefix) and nothing else: never a whole shared
// server, and never the records of a [ReplayStore] on the same server. Entries
// that another cache wrote under the same prefix are removed too. What is
// written after Clear has returned stays. A Clear that fails may have removed a
// part; calling it again removes the rest.
//
// An implementation proves it with conformance.TestCache, which tests Clear
// when the cache has it.
type Clearer interface {
	Clear(ctx context.Context) error
}

// ReplayStore remembers one-time keys, such as the identifiers of DPoP proofs
// (RFC 9449, Section 11.1). It also serves as the fleet lease (Config.Lease).
//
// An implementation proves this contract with conformance.TestReplayStore.
//
//   - Add reports added == true when key was not there, and remembers it.
//     Of any number of concurrent Adds of one key, in every process that
//     shares the store, exactly one reports added.
//   - A key stays for at least its ttl, rounded up to the backend's resolution,
//     and never for ever. A store under pressure returns an error; it never
//     forgets a live key to make room.
//   - ttl <= 0 remembers nothing and reports added == true: the key has already
//     expired. An Add with ttl <= 0 of a live key leaves the key and its ttl as
//     they are; what it reports is open.
//   - A repeated Add does not extend the ttl of the first.
//   - Keys whose ttl has passed take no room for ever; a full store takes new
//     keys again.
//   - When the outcome is unknown (time-out, lost connection, full store) Add
//     returns an error, never added == true. A key of which the outcome was
//     unknown may be remembered, for no longer than its ttl. When the backend is
//     back, Add works again within seconds.
//   - The Verifier's keys have the form hash "." hash; the part before the dot
//     is the same for all proofs of one DPoP key, so a store may bound each.
//     Any non-empty UTF-8 key of up to 64 KiB works, as for [Cache].
//   - When ctx is done, Add returns promptly with an error that matches
//     ctx.Err(), even if the backend hangs. What [Cache] says of calls in flight
//     and of goroutines holds for Add too.
//   - Errors never contain the key. Safe for concurrent use.
//
// A full quota for one prefix is reported with an error that has the method
// QuotaExceeded() bool, found with errors.As, which returns true; the Verifier
// then refuses that proof key (401). Any other error means "could not decide"
// (503).
type ReplayStore interface {
	Add(ctx context.Context, key string, ttl time.Duration) (added bool, err error)
}

// ResolveRequest is what a [DomainResolver] may look at. [NewResolveRequest]
// makes one for tests and decorators.
//
// Everything in it comes from the client and is unverified: a resolver that
// maps request data to issuers must use an allow-list of its own. Returning
// the UnverifiedIssuer unchecked lets every issuer of the world in.
type ResolveRequest struct {
	// UnverifiedIssuer is the "iss" of the token, before its signature was
	// checked: in normal form where it is a domain or an https URL
	// ("https://tenant.auth0.com/"), else as sent. "" for a token without iss.
	UnverifiedIssuer string

	in     *incoming // nil: the other fields count
	url    *url.URL
	header http.Header
}

// NewResolveRequest makes a request as the Verifier makes it. url may be nil;
// what stands in header under Authorization, DPoP and Cookie is left out. Both
// are copied.
func NewResolveRequest(unverifiedIssuer string, url *url.URL, header http.Header) ResolveRequest {
	r := ResolveRequest{UnverifiedIssuer: unverifiedIssuer, header: resolvable(header, "")}
	if url != nil {
		u := *url
		r.url = &u
	}
	return r
}

// URL returns the request URL as the Verifier determined it, or nil when the
// caller gave none or it cannot be determined. In the latter case the Verifier
// refuses the request, whatever the resolver says. The URL is made by the call;
// the resolver owns it.
//
// URL and Header read the request: call them before ResolveDomains or
// ResolveIssuer returns, not in a goroutine that outlives it.
func (r ResolveRequest) URL() *url.URL {
	if r.in != nil {
		return r.in.parsedURL()
	}
	if r.url == nil {
		return nil
	}
	u := *r.url
	return &u
}

// Header returns a copy of the request's header without Authorization, DPoP and
// Cookie, under canonical names ([http.CanonicalHeaderKey]). It holds "Host"
// when the request had one. The copy is made by the call; the resolver owns it.
func (r ResolveRequest) Header() http.Header {
	if r.in != nil {
		return resolvable(r.in.header, r.in.host)
	}
	return resolvable(r.header, "")
}

// resolvable copies what a resolver may see of a header. Several spellings of
// one name end as several lines of the canonical one.
func resolvable(h http.Header, host string) http.Header {
	visible := make(http.Header, len(h)+1)
	for field, values := range h {
		switch name := http.CanonicalHeaderKey(field); name {
		case "Authorization", "Dpop", "Cookie":
		default:
			visible[name] = append(visible[name], values...)
		}
	}
	if host != "" {
		visible["Host"] = []string{host}
	}
	return visible
}

// ErrNotAllowed is what a [DomainResolver] or an [IssuerResolver] returns for a
// request of which it knows that no issuer may sign its tokens, such as one of
// an unknown tenant. The request is answered with 401 and the reason
// issuer_not_allowed.
var ErrNotAllowed = errors.New("verifier: the issuer is not allowed for this request")

// DomainResolver says which issuer domains a request may come from.
//
// An implementation proves this contract with
// conformance.TestDomainResolver.
//
//   - The result lists allowed issuers as domains ("tenant.auth0.com"), as https
//     URLs, or by the Name of an Issuer of Config.Issuers; the Verifier normalises
//     them. The token's issuer must be one of them, or the token is refused
//     before any network call. A listed issuer that Config.Issuers describes is
//     judged by those rules, any other one by Config's defaults.
//   - An error that matches [ErrNotAllowed] says that no issuer may: the request
//     is answered with 401.
//   - An empty list, a blank or invalid entry, any other error or a panic means
//     "could not decide": the request is answered with 503 and
//     [ErrUnavailable], not with "bad token".
//   - A request that maps to no issuer is answered with ErrNotAllowed, or with a
//     list that does not hold the token's issuer.
//   - Equal requests get equal answers as long as the configuration behind the
//     resolver does not change. A host or an issuer that differs in one
//     character is another one, but for what DNS treats alike.
//   - ctx is honoured: when it is done, ResolveDomains returns promptly with an
//     error that matches ctx.Err().
//   - The returned slice is not changed by the resolver afterwards. Safe for
//     concurrent use.
type DomainResolver interface {
	ResolveDomains(ctx context.Context, req ResolveRequest) ([]string, error)
}

// IssuerResolver is an optional interface of a [DomainResolver], for tenants in
// their thousands. In one step it answers whether the token's issuer may be
// used for this request, and by which rules. The Verifier then never calls
// ResolveDomains. It asks for every token, also for one that it remembers
// (Config.TokenMemo): only the compiled form of the returned value is kept,
// never the decision.
//
// An implementation proves this contract with conformance.TestIssuerResolver, and
// ResolveDomains with conformance.TestDomainResolver.
//
//   - The returned Issuer must hold the token's iss among its spellings (Name
//     and Aliases); otherwise the token is refused with 401.
//   - An error that matches [ErrNotAllowed] is a refusal with 401. Any other
//     error, a nil Issuer without an error, an Issuer that [New] would refuse, or
//     a panic means "could not decide": 503.
//   - An Issuer of which nothing but Name is set stands for the entry of
//     Config.Issuers with that name, if there is one.
//   - The returned Issuer and what it points to are not changed afterwards. A
//     resolver that returns one pointer for one tenant, or equal content,
//     spares the Verifier the compilation. A [Keys] made by KeysFrom or
//     KeysShared is made once for each tenant or set of tenants, not for each
//     request: it says whose documents are kept. So is a Doer.
//   - What DomainResolver says of equal requests, of hosts and issuers that differ in
//     one character, of ctx and of concurrency holds for ResolveIssuer too.
type IssuerResolver interface {
	ResolveIssuer(ctx context.Context, req ResolveRequest) (*Issuer, error)
}

// KeyRequest asks a [KeyFetcher] for the key set of an issuer.
type KeyRequest struct {
	// Issuer is the name of the allowed issuer: of a domain its normal form, such
	// as "https://tenant.auth0.com/", else the exact iss.
	Issuer string
	// ETag of the set that the Verifier holds, or "". A fetcher that can, asks
	// its source conditionally.
	ETag string
}

// Freshness is what a source said about how long its answer may be kept
// (RFC 9111, Sections 4.2 and 5.2). The zero value means unstated.
type Freshness struct {
	// MaxAge counts when HasMaxAge is true.
	MaxAge    time.Duration
	HasMaxAge bool
	// Age is how old the answer already was when it arrived.
	Age time.Duration
	// NoStore: the answer must not be written to a shared cache, and is kept
	// in process for no longer than the configured floor.
	NoStore bool
}

// KeySet is the answer of a [KeyFetcher].
type KeySet struct {
	// Issuer as the source states it, byte by byte (for OIDC discovery the
	// "issuer" member): one of the exact spellings of the issuer in the
	// configuration. "" when the source states none: then every spelling counts.
	Issuer string
	// JWKS is the JSON Web Key Set document (RFC 7517, Section 5), at most
	// 1 MiB. Empty when NotModified.
	JWKS []byte
	// ETag of this answer, or "".
	ETag string
	// NotModified: the set the caller holds under KeyRequest.ETag is current.
	// Only valid when KeyRequest.ETag was not empty. An answer with NotModified
	// states the issuer as a full one does, and the ETag of the set if the source
	// gives one.
	NotModified bool
	// Freshness as read from the answer.
	Freshness Freshness
}

// KeyFetcher gets the current key set of an issuer. The Verifier caches,
// validates and bounds what it returns, coalesces concurrent calls, and never
// calls it for an issuer that is not allowed.
//
// An implementation proves this contract with conformance.TestKeyFetcher.
//
//   - It returns the keys of KeyRequest.Issuer only, with the source's own
//     statement of the issuer's name or none; an unknown issuer is an error.
//   - It returns public keys only.
//   - Every call asks the source (or states why not with Freshness); caching is
//     the Verifier's work.
//   - ctx carries the deadline of the fetch; when it is done, FetchKeys returns
//     promptly with an error that matches ctx.Err().
//   - The caller owns the returned bytes. Safe for concurrent use.
type KeyFetcher interface {
	FetchKeys(ctx context.Context, req KeyRequest) (KeySet, error)
}

// Clock tells the time. It is the only source of time for every decision of
// the Verifier; real timers are used only to bound waiting.
//
// An implementation proves this contract with conformance.TestClock: two calls
// in sequence never go backwards while nobody sets the clock, the time zone
// does not matter, and Now is safe for concurrent use. A second on a clock of
// real time is as long as a second.
type Clock interface {
	Now() time.Time
}

// Doer sends HTTP requests; [*http.Client] is one.
//
// An implementation proves this contract with conformance.TestDoer: it honours
// the request's context, returns either a response with a non-nil Body or an
// error, does not read ahead without bound, and may be used concurrently.
// It sends each request once, as it is, without waiting for a Retry-After, and
// answers from no cache of its own. It does not change the request, and
// Response.Request is nil or has the URL that was asked for.
// Redirects must not be followed: the Verifier copies an *http.Client with
// redirects switched off and refuses a response whose Request.URL differs from
// the one asked for.
type Doer interface {
	Do(*http.Request) (*http.Response, error)
}

// DoerFunc makes a [Doer] of a function.
type DoerFunc func(*http.Request) (*http.Response, error)

// Do calls f(req).
func (f DoerFunc) Do(req *http.Request) (*http.Response, error) { return f(req) }

// ClockFunc makes a [Clock] of a function, such as time.Now.
type ClockFunc func() time.Time

// Now calls f().
func (f ClockFunc) Now() time.Time { return f() }

// DomainResolverFunc makes a [DomainResolver] of a function.
type DomainResolverFunc func(ctx context.Context, req ResolveRequest) ([]string, error)

// ResolveDomains calls f(ctx, req).
func (f DomainResolverFunc) ResolveDomains(ctx context.Context, req ResolveRequest) ([]string, error) {
	return f(ctx, req)
}

// KeyFetcherFunc makes a [KeyFetcher] of a function.
type KeyFetcherFunc func(ctx context.Context, req KeyRequest) (KeySet, error)

// FetchKeys calls f(ctx, req).
func (f KeyFetcherFunc) FetchKeys(ctx context.Context, req KeyRequest) (KeySet, error) {
	return f(ctx, req)
}

// StaticDomains is an optional interface of a [DomainResolver] whose answer
// never depends on the request and never changes. The Verifier then reads the
// list once, at construction, and refuses an invalid one there.
type StaticDomains interface {
	Domains() []string
}

// NonceSource issues and checks the nonces of DPoP proofs (RFC 9449, Section
// 9). [NewNonceSource] makes one that keeps no state.
//
//   - Issue returns a nonce that nobody can predict, of the characters that
//     RFC 9449, Section 8.1 allows (%x21, %x23-5B, %x5D-7E).
//   - Check reports whether the nonce was issued recently, by any process that
//     serves the same clients. Anything may come in; it is at most as long as
//     a proof.
//   - An error means "could not decide" (503).
//   - Nonces of an authorization server are not accepted here, nor the other
//     way round. Safe for concurrent use.
type NonceSource interface {
	// Issue makes a nonce for a client to use.
	Issue(ctx context.Context) (nonce string, err error)
	// Check reports whether a client may still use a nonce.
	Check(ctx context.Context, nonce string) (ok bool, err error)
}
