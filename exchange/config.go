package exchange

import (
	"context"
	"crypto"
	"sync"
	"time"

	"github.com/portcullis-go/portcullis/internal/fetch"
	"github.com/portcullis-go/portcullis/internal/issuer"
	"github.com/portcullis-go/portcullis/internal/keys"
	"github.com/portcullis-go/portcullis/internal/lifecycle"
	"github.com/portcullis-go/portcullis/internal/seal"
	"github.com/portcullis-go/portcullis/verifier"
)

// Config says who a [Client] is and whom it asks. Domain, ClientID and Auth are
// required; the other zero values are the defaults. [New] copies what it needs.
type Config struct {
	hidden

	// Domain is the issuer to ask: a domain such as "tenant.auth0.com" or an
	// https URL.
	Domain string
	// Domains are further issuers that know this client by the same id and
	// credentials, such as the custom domains of one tenant. A request may name
	// one of them, and no other.
	Domains []string
	// ClientID as registered with the issuer.
	ClientID string
	// Auth is how the client authenticates, such as ClientSecretBasic(secret).
	Auth Auth

	// Metadata is where the metadata of issuers comes from: a
	// [verifier.Verifier] that the same program uses shares its documents.
	// Default: a store of this client, of the same kind.
	Metadata MetadataSource
	// Doer sends the requests; for MutualTLS it has the client's certificate.
	// Redirects are not followed. Default: verifier.NewHTTPClient.
	Doer verifier.Doer
	// Clock is the time. Default: time.Now.
	Clock verifier.Clock
	// Timeout bounds each exchange, the look at the metadata included, beside
	// the context of the caller. Default 10 s, at most 5 minutes.
	Timeout time.Duration

	// DPoPKey binds the tokens that are issued to a key (RFC 9449, Section 5).
	// Answers with tokens that are not bound are then refused.
	DPoPKey crypto.Signer
	// DPoPAlgorithm is as for PrivateKeyJWTConfig.Algorithm, but for RSA keys the
	// default is PS256.
	DPoPAlgorithm string

	// Cache keeps results for equal requests. Default none: each request asks
	// the issuer. Whoever can read results can use the tokens, so either SealKeys
	// or CachePrivate must be set. A fault of the cache never fails an exchange.
	Cache verifier.Cache
	// SealKeys of 32 random bytes encrypt and authenticate results: the first one
	// seals, all of them open.
	SealKeys [][]byte
	// CachePrivate says that Cache is in the memory of this process alone, so
	// that nothing needs to be sealed.
	CachePrivate bool
	// CacheSkew is how long before the end of a token its result is no longer
	// served. Default 30 s, at most 1 hour.
	CacheSkew time.Duration
	// CacheTTL is how long a result is kept at most; it is also how long one
	// lives on after the user was shut out. Default 1 hour, at most 24 hours.
	CacheTTL time.Duration
	// CacheFault is told of errors of Cache and of results that do not open. It
	// is called on the path of requests. Default none.
	CacheFault func(error)
}

// MetadataSource gives the metadata of issuers; [verifier.Verifier] is one.
type MetadataSource interface {
	// Metadata returns the discovery document of a normalised issuer, or an
	// error that matches ctx.Err() when ctx is done. The document must be that
	// issuer's; the Client checks it.
	Metadata(ctx context.Context, issuer string) (verifier.Metadata, error)
}

// Client exchanges tokens. Make one with [New], use it from any number of
// goroutines, and Close it at the end.
type Client struct {
	hidden

	issuer   string
	issuers  map[string]bool
	clientID string
	auth     Auth
	alias    bool // the token endpoint for mutual TLS is preferred

	metadata  MetadataSource
	documents *keys.Store // nil when Metadata was given
	doer      fetch.Doer
	clock     verifier.Clock
	timeout   time.Duration

	proof      *signer // nil: no DPoP
	jwk        []byte
	thumbprint string
	nonces     nonces

	results *results // nil: none
	flights flights
	holds   holds

	ctx    context.Context // done after Close
	cancel context.CancelCauseFunc
	work   sync.WaitGroup
	mu     sync.Mutex // guards closed, and work.Add against work.Wait
	closed bool
}

const (
	defaultTimeout = 10 * time.Second
	maxTimeout     = 5 * time.Minute
	maxDomains     = 100
)

// New returns a Client. The error is a [*ConfigError]. Nothing is fetched
// before the first exchange.
func New(cfg Config) (*Client, error) {
	c := &Client{clientID: cfg.ClientID, metadata: cfg.Metadata, clock: cfg.Clock, timeout: cfg.Timeout}
	if c.clock == nil {
		c.clock = verifier.ClockFunc(time.Now)
	}
	if c.timeout == 0 {
		c.timeout = defaultTimeout
	}
	if c.timeout < 0 || c.timeout > maxTimeout {
		return nil, invalid("Timeout", "is not between 0 and 5 minutes")
	}
	for _, apply := range []func(*Config) error{c.applyIssuers, c.applyClient, c.applyProof, c.applyCache} {
		if err := apply(&cfg); err != nil {
			return nil, err
		}
	}
	c.doer = fetch.Client(cfg.Doer)
	if cfg.Doer == nil {
		c.doer = fetch.Client(verifier.NewHTTPClient(verifier.HTTPClientConfig{Timeout: c.timeout}))
	}
	if c.metadata == nil {
		policy := lifecycle.DefaultPolicy()
		policy.MaxIssuers = maxDomains + 1
		c.documents = keys.New(keys.Config{Policy: policy, Now: c.clock.Now})
		c.metadata = stored{c.documents, c.doer, c.clock}
	}
	c.ctx, c.cancel = context.WithCancelCause(context.Background())
	return c, nil
}

// Close ends the exchanges under way, waits for them, and lets later ones fail
// with [ErrClosed]. It returns nil.
func (c *Client) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.cancel(ErrClosed)
	c.work.Wait()
	if c.documents != nil {
		c.documents.Close()
	}
	return nil
}

func (c *Client) applyIssuers(cfg *Config) error {
	name, err := issuer.Normalize(cfg.Domain)
	if err != nil {
		return invalid("Domain", "is not a domain or https URL")
	}
	c.issuer, c.issuers = name, map[string]bool{name: true}
	if len(cfg.Domains) > maxDomains {
		return invalid("Domains", "has more than 100 entries")
	}
	for _, domain := range cfg.Domains {
		name, err := issuer.Normalize(domain)
		if err != nil {
			return invalid("Domains", "has an entry that is not a domain or https URL")
		}
		c.issuers[name] = true
	}
	return nil
}

func (c *Client) applyClient(cfg *Config) (err error) {
	if cfg.ClientID == "" {
		return invalid("ClientID", "is required")
	}
	if cfg.Auth == nil {
		return invalid("Auth", "is required")
	}
	if c.auth, err = cfg.Auth.prepare(cfg); err != nil {
		return err
	}
	_, c.alias = c.auth.(*mutualTLS)
	return nil
}

func (c *Client) applyProof(cfg *Config) (err error) {
	if cfg.DPoPKey == nil {
		if cfg.DPoPAlgorithm != "" {
			return invalid("DPoPAlgorithm", "needs a DPoPKey")
		}
		return nil
	}
	if c.proof, err = newProofSigner(cfg.DPoPKey, cfg.DPoPAlgorithm); err != nil {
		return invalid("DPoPKey", err.Error())
	}
	if c.jwk, c.thumbprint, err = c.proof.publicJWK(); err != nil {
		return invalid("DPoPKey", errKey.Error())
	}
	return nil
}

func (c *Client) applyCache(cfg *Config) error {
	if cfg.Cache == nil {
		if cfg.SealKeys != nil || cfg.CachePrivate {
			return invalid("Cache", "is required by SealKeys and CachePrivate")
		}
		return nil
	}
	r := &results{cache: cfg.Cache, skew: cfg.CacheSkew, ttl: cfg.CacheTTL, fault: cfg.CacheFault}
	switch {
	case (len(cfg.SealKeys) > 0) == cfg.CachePrivate:
		return invalid("SealKeys", "or CachePrivate must be set, and not both")
	case r.skew < 0 || r.skew > time.Hour:
		return invalid("CacheSkew", "is not between 0 and 1 hour")
	case r.ttl < 0 || r.ttl > 24*time.Hour:
		return invalid("CacheTTL", "is not between 0 and 24 hours")
	}
	if r.skew == 0 {
		r.skew = 30 * time.Second
	}
	if r.ttl == 0 {
		r.ttl = time.Hour
	}
	if !cfg.CachePrivate {
		sealer, err := seal.New("exchange results", cfg.SealKeys...)
		if err != nil {
			return invalid("SealKeys", "are not of 32 bytes each")
		}
		r.sealer = sealer
	}
	c.results = r
	return nil
}
