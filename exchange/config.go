package exchange

import (
	"context"
	"crypto"
	"strings"
	"time"

	"github.com/portcullis-go/portcullis/internal/fetch"
	"github.com/portcullis-go/portcullis/internal/issuer"
	"github.com/portcullis-go/portcullis/internal/seal"
	"github.com/portcullis-go/portcullis/verifier"
)

// Config says who a [Client] is and whom it asks. Domain, ClientID and Auth are
// required; the other zero values are the defaults. [New] copies what it needs.
type Config struct {
	hidden

	// Domain is the issuer to ask: a domain such as "tenant.auth0.com" or an
	// https URL. Its metadata states it as written here, in its normal form, or in
	// that without the slash of an empty path. An http URL is allowed on loopback
	// and on HTTPHosts; secrets and tokens then cross the network in the clear.
	Domain string
	// Domains are further issuers that know this client by the same id and
	// credentials, such as the custom domains of one tenant. A request may name
	// one of them, and no other.
	Domains []string
	// HTTPHosts are hosts, beside loopback, that may be asked over http, where the
	// issuer's own name is an http URL. An https issuer never leads to http.
	HTTPHosts []string
	// ClientID as registered with the issuer.
	ClientID string
	// Auth is how the client authenticates, such as ClientSecretBasic(secret).
	Auth Auth
	// OnBehalfOf is how the issuer wants to be asked by [Client.OnBehalfOf].
	// Default OnBehalfOfExchange.
	OnBehalfOf OnBehalfOfForm

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
	// the issuer. A party that can read results can use the tokens, so exactly one
	// of SealKeys, CacheSealed and CachePrivate must be set. A fault of the cache
	// never fails an exchange.
	Cache verifier.Cache
	// SealKeys of 32 random bytes encrypt and authenticate results: the first one
	// seals, all of them open.
	SealKeys [][]byte
	// CacheSealed says that Cache encrypts and authenticates by itself, as
	// cacheadapter.Sealed does.
	CacheSealed bool
	// CachePrivate says that Cache is in the memory of this process alone, so
	// that nothing needs to be sealed.
	CachePrivate bool
	// CacheSkew is how long before the end of a token its result is no longer
	// served. Default 30 s, at most 1 hour.
	CacheSkew time.Duration
	// CacheTTL is how long a result is kept at most; it is also how long one
	// lives on after the user was shut out. Default 1 hour, at most 24 hours.
	CacheTTL time.Duration
	// Observer is told of exchanges, of results served from Cache, and of faults
	// of Cache. Default none.
	Observer Observer
}

// MetadataSource gives the metadata of issuers; [verifier.Verifier] is one.
type MetadataSource interface {
	// Metadata returns the discovery document of a normalised issuer, or an
	// error that matches ctx.Err() when ctx is done. The document must be that
	// issuer's; the Client checks it.
	Metadata(ctx context.Context, issuer string) (verifier.Metadata, error)
}

func (c *Client) applyIssuers(cfg *Config) error {
	c.http = fetch.NewHTTP(cfg.HTTPHosts...)
	c.issuers = make(map[string][]string, 1+len(cfg.Domains))
	var ok bool
	if c.issuer, ok = c.addIssuer(cfg.Domain); !ok {
		return invalid("Domain", "is not a domain or https URL (or an http one of loopback or HTTPHosts)")
	}
	if len(cfg.Domains) > maxDomains {
		return invalid("Domains", "has more than 100 entries")
	}
	for _, domain := range cfg.Domains {
		if _, ok := c.addIssuer(domain); !ok {
			return invalid("Domains", "has an entry that is not a domain or https URL (or an http one of loopback or HTTPHosts)")
		}
	}
	return nil
}

// addIssuer adds an issuer to those that may be asked, and returns its name.
func (c *Client) addIssuer(domain string) (name string, ok bool) {
	if strings.HasPrefix(domain, "http://") {
		_, err := c.http.Check(domain)
		if err != nil || strings.Contains(domain, "?") {
			return "", false
		}
		name = domain
	} else if normal, err := issuer.Normalize(domain); err == nil {
		name = normal
	} else {
		return "", false
	}
	c.issuers[name] = append(c.issuers[name], domain, name)
	if host, isRoot := strings.CutSuffix(name, "/"); isRoot && strings.Count(host, "/") == 2 {
		c.issuers[name] = append(c.issuers[name], host)
	}
	return name, true
}

// named returns the name of an allowed issuer that a request names.
func (c *Client) named(domain string) (name string, ok bool) {
	if c.issuers[domain] != nil {
		return domain, true
	}
	name, err := issuer.Normalize(domain)
	return name, err == nil && c.issuers[name] != nil
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
	_, c.mutualTLS = c.auth.(*mutualTLS)
	c.form = cfg.OnBehalfOf
	if c.form != OnBehalfOfExchange && c.form != OnBehalfOfEntra {
		return invalid("OnBehalfOf", "is none of the forms of this package")
	}
	return nil
}

func (c *Client) applyProof(cfg *Config) (err error) {
	if cfg.DPoPKey == nil {
		if cfg.DPoPAlgorithm != "" {
			return invalid("DPoPAlgorithm", "needs a DPoPKey")
		}
		return nil
	}
	// FAPI 2.0, Section 5.4 allows PS256 and not RS256.
	if c.proof, err = newSigner(cfg.DPoPKey, cfg.DPoPAlgorithm, "PS256"); err != nil {
		return invalid("DPoPKey", err.Error())
	}
	if c.jwk, c.thumbprint, err = c.proof.publicJWK(); err != nil {
		return invalid("DPoPKey", errKey.Error())
	}
	return nil
}

func (c *Client) applyCache(cfg *Config) error {
	statements := 0
	for _, made := range [...]bool{len(cfg.SealKeys) > 0, cfg.CacheSealed, cfg.CachePrivate} {
		if made {
			statements++
		}
	}
	if cfg.Cache == nil {
		if statements > 0 || cfg.SealKeys != nil {
			return invalid("Cache", "is required by SealKeys, CacheSealed and CachePrivate")
		}
		return nil
	}
	r := &results{cache: cfg.Cache, skew: cfg.CacheSkew, ttl: cfg.CacheTTL, fault: c.cacheFault}
	switch {
	case statements != 1:
		return invalid("Cache", "needs exactly one of SealKeys, CacheSealed and CachePrivate")
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
	if len(cfg.SealKeys) > 0 {
		sealer, err := seal.New("exchange results", cfg.SealKeys...)
		if err != nil {
			return invalid("SealKeys", "are not different keys of 32 bytes each")
		}
		r.sealer = sealer
	}
	c.results = r
	return nil
}
