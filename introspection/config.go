package introspection

import (
	"errors"
	"strings"
	"time"

	"github.com/portcullis-go/portcullis/exchange"
	"github.com/portcullis-go/portcullis/internal/issuer"
	"github.com/portcullis-go/portcullis/internal/redact"
	"github.com/portcullis-go/portcullis/internal/seal"
	"github.com/portcullis-go/portcullis/verifier"
)

// hidden is embedded in whatever holds tokens or secrets.
type hidden = redact.Contents

// Config says which issuer a [Client] asks, and as whom. Domain, ClientID and Auth
// are required; the other zero values are the defaults. [New] copies what it
// needs.
type Config struct {
	hidden

	// Domain is the issuer: the Name of the verifier.Issuer whose tokens are asked
	// about, such as "id.example.com" or "https://id.example.com/realms/one". An http
	// URL is allowed on loopback and on HTTPHosts; tokens and secrets then cross the
	// network in the clear.
	Domain string
	// Endpoint is the URL of the introspection endpoint. Default: what the issuer's
	// metadata says, which is fetched under Domain. For [exchange.MutualTLS] that is
	// the one of mtls_endpoint_aliases where there is one (RFC 8705, Section 5).
	Endpoint string
	// HTTPHosts are hosts, beside loopback, that may be asked over http. The metadata
	// of an https issuer never leads to http.
	HTTPHosts []string
	// ClientID of this API, as registered with the issuer.
	ClientID string
	// Auth is how the client authenticates, such as
	// exchange.ClientSecretBasic(secret). An assertion's audience is Domain when
	// Endpoint is set, and otherwise what the metadata states.
	Auth exchange.Auth

	// SignedAnswers asks for answers that the issuer has signed. Default: it does not.
	SignedAnswers SignedAnswers

	// Doer sends the requests; for exchange.MutualTLS it has the client's
	// certificate. Redirects are not followed. Default: verifier.NewHTTPClient with
	// MaxInFlight connections. A Doer that has fewer lets questions wait for one,
	// good tokens behind made-up ones.
	Doer verifier.Doer
	// Clock is the time. Default: time.Now.
	Clock verifier.Clock
	// Timeout bounds each question, the look at the metadata included, beside the
	// context of the caller. Default 5 s, at most 1 minute.
	Timeout time.Duration
	// MaxInFlight is how many questions are under way at once. A quarter of them, at
	// least one of two or more, is kept for tokens whose last answer was active, which
	// can have the others too: what nobody has seen, such as made-up tokens, takes
	// none of that quarter. Default 64, at most 4096.
	MaxInFlight int

	// TTL is how long a positive answer is used at most: a token that is revoked at
	// its issuer lives on for so long. Default 1 minute, at most 1 hour; a negative
	// value means that no positive answer is remembered.
	TTL time.Duration
	// NegativeTTL is how long a negative answer is used. Default 10 s, at most 10
	// minutes; a negative value means that none is remembered.
	NegativeTTL time.Duration
	// MaxMemory bounds the positive answers in bytes. Default 32 MiB, at least 64 KiB;
	// those used longest ago go first.
	MaxMemory int
	// MaxNegative bounds the negative answers, of about 100 bytes each. Default
	// 65,536, at most 16 million; the oldest go first.
	MaxNegative int
	// MaxKnown bounds the tokens that are known by an active answer, and for which a
	// part of MaxInFlight is kept. Of each there is a hash, and nothing of the answer,
	// in about 250 bytes: for a day, and never beyond the exp that it stated or a
	// negative answer. Default 65,536, at most 4 million; those whose last answer is
	// the oldest go first.
	MaxKnown int

	// Cache shares positive answers with other processes. Default none. An answer
	// tells about a user, and a party that can write answers decides which tokens are
	// good, so exactly one of SealKeys, CacheSealed and CachePrivate must be set.
	// Negative answers are never put there, so that they drive nothing out. A fault of
	// the cache never fails a question.
	Cache verifier.Cache
	// SealKeys of 32 random bytes encrypt and authenticate answers: the first one
	// seals, all of them open.
	SealKeys [][]byte
	// CacheSealed says that Cache encrypts and authenticates by itself, as
	// cacheadapter.Sealed does.
	CacheSealed bool
	// CachePrivate says that Cache is in the memory of this process alone, so that
	// nothing needs to be sealed.
	CachePrivate bool

	// Observer is told of questions, of answers from memory, and of faults of Cache.
	// Default none.
	Observer Observer
}

const (
	defaultTimeout     = 5 * time.Second
	maxTimeout         = time.Minute
	defaultTTL         = time.Minute
	maxTTL             = time.Hour
	defaultNegativeTTL = 10 * time.Second
	maxNegativeTTL     = 10 * time.Minute
	defaultInFlight    = 64
	maxInFlight        = 4096
	defaultMemory      = 32 << 20
	minMemory          = maxAnswer
	defaultNegative    = 1 << 16
	maxNegative        = 1 << 24
	defaultKnown       = 1 << 16
	maxKnown           = 1 << 22
)

// ErrConfig: New refused the configuration; see [ConfigError].
var ErrConfig = errors.New("introspection: invalid configuration")

// ConfigError says which field of the configuration New refused. It matches
// [ErrConfig].
type ConfigError struct {
	// Field as written in Go, such as "ClientID".
	Field string
	// Problem in words.
	Problem string
}

func (e *ConfigError) Error() string { return "introspection: Config." + e.Field + " " + e.Problem }

// Is reports whether target is ErrConfig.
func (e *ConfigError) Is(target error) bool { return target == ErrConfig }

func invalid(field, problem string) error { return &ConfigError{Field: field, Problem: problem} }

// bounded returns a value, or its default for zero; ok is false out of bounds.
func bounded[N int | time.Duration](value, byDefault, least, most N) (N, bool) {
	if value == 0 {
		value = byDefault
	}
	return value, least <= value && value <= most
}

func (c *Client) applyBounds(cfg *Config) error {
	var ok bool
	if c.timeout, ok = bounded(cfg.Timeout, defaultTimeout, time.Millisecond, maxTimeout); !ok {
		return invalid("Timeout", "is not between 1 ms and 1 minute")
	}
	inFlight, ok := bounded(cfg.MaxInFlight, defaultInFlight, 1, maxInFlight)
	if !ok {
		return invalid("MaxInFlight", "is not between 1 and 4096")
	}
	c.slots = newSlots(inFlight)
	if c.ttl, ok = bounded(cfg.TTL, defaultTTL, -1<<62, maxTTL); !ok {
		return invalid("TTL", "is more than 1 hour")
	}
	if c.negativeTTL, ok = bounded(cfg.NegativeTTL, defaultNegativeTTL, -1<<62, maxNegativeTTL); !ok {
		return invalid("NegativeTTL", "is more than 10 minutes")
	}
	memory, ok := bounded(cfg.MaxMemory, defaultMemory, minMemory, 1<<40)
	if !ok {
		return invalid("MaxMemory", "is less than 64 KiB")
	}
	negative, ok := bounded(cfg.MaxNegative, defaultNegative, 1, maxNegative)
	if !ok {
		return invalid("MaxNegative", "is not between 1 and 16 million")
	}
	known, ok := bounded(cfg.MaxKnown, defaultKnown, 1, maxKnown)
	if !ok {
		return invalid("MaxKnown", "is not between 1 and 4 million")
	}
	c.active, c.inactive, c.known = newActive(memory), newInactive(negative), newActive(known*entrySize)
	return nil
}

func (c *Client) applyIssuer(cfg *Config) error {
	normal, err := issuer.Normalize(cfg.Domain)
	switch {
	case strings.HasPrefix(cfg.Domain, "http://") && cfg.Endpoint == "":
		if _, err := c.http.Check(cfg.Domain); err != nil || strings.Contains(cfg.Domain, "?") {
			return invalid("Domain", "is not an http URL of loopback or HTTPHosts")
		}
		c.name, c.spellings = cfg.Domain, []string{cfg.Domain}
	case err == nil:
		c.name, c.spellings = normal, []string{normal}
		if strings.Contains(cfg.Domain, "://") && cfg.Domain != normal {
			c.spellings = append(c.spellings, cfg.Domain)
		}
		if host, isRoot := strings.CutSuffix(normal, "/"); isRoot && strings.Count(host, "/") == 2 {
			c.spellings = append(c.spellings, host)
		}
	case cfg.Domain != "" && cfg.Endpoint != "":
		c.name, c.spellings = cfg.Domain, []string{cfg.Domain} // a name under which nothing is fetched
	default:
		return invalid("Domain", "is not a domain or https URL (or an http one of loopback or HTTPHosts)")
	}
	if cfg.Endpoint != "" {
		if _, err := c.http.Check(cfg.Endpoint); err != nil {
			return invalid("Endpoint", "is not an https URL without credentials and fragment (or an http one of loopback or HTTPHosts)")
		}
		c.fixed = &target{url: cfg.Endpoint, metadata: verifier.Metadata{Issuer: cfg.Domain}}
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
	switch {
	case cfg.Cache == nil && (statements > 0 || cfg.SealKeys != nil):
		return invalid("Cache", "is required by SealKeys, CacheSealed and CachePrivate")
	case cfg.Cache == nil:
		return nil
	case statements != 1:
		return invalid("Cache", "needs exactly one of SealKeys, CacheSealed and CachePrivate")
	}
	c.shared = &shared{cache: cfg.Cache, fault: c.cacheFault, lookups: make(chan struct{}, c.slots.total())}
	if len(cfg.SealKeys) > 0 {
		sealer, err := seal.New("introspection answers", cfg.SealKeys...)
		if err != nil {
			return invalid("SealKeys", "are not different keys of 32 bytes each")
		}
		c.shared.sealer = sealer
	}
	return nil
}
