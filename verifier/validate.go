package verifier

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/portcullis-go/portcullis/internal/fetch"
	"github.com/portcullis-go/portcullis/internal/issuer"
	"github.com/portcullis-go/portcullis/internal/keyset"
	"github.com/portcullis-go/portcullis/internal/lifecycle"
)

const (
	defaultMaxTokenSize = 16 << 10
	maxMaxTokenSize     = 1 << 20
	defaultMaxProofSize = 8 << 10
	maxMaxProofSize     = 64 << 10
	defaultProofAge     = 300 * time.Second
	defaultFutureSkew   = 30 * time.Second
	maxLeeway           = 5 * time.Minute
	defaultReplayQuota  = 10_000

	defaultReplayStoreTimeout = 2 * time.Second

	maxTokenMemo = 1 << 20
)

func invalid(field, problem string) error { return &ConfigError{Field: field, Problem: problem} }

// apply validates the configuration and takes it over, field by field.
func (v *Verifier) apply(cfg *Config) error {
	for _, step := range []func(*Config) error{
		v.applyIssuers, v.applyAudiences, v.applyAlgorithms, v.applyClaims, v.applyDPoP, v.applyKeys, v.applyHTTP,
	} {
		if err := step(cfg); err != nil {
			return err
		}
	}
	return nil
}

func (v *Verifier) applyIssuers(cfg *Config) error {
	var list []string
	switch static, ok := cfg.Domains.(StaticDomains); {
	case cfg.Domain != "" && cfg.Domains != nil:
		return invalid("Domain", "and Config.Domains are both set; set one")
	case cfg.Domain != "":
		list = []string{cfg.Domain}
	case cfg.Domains == nil:
		return invalid("Domain", "or Config.Domains must be set")
	case ok:
		list = static.Domains()
		if len(list) == 0 {
			return invalid("Domains", "is empty")
		}
	default:
		v.resolver = cfg.Domains
		return nil
	}
	v.issuers = make(map[string]bool, len(list))
	for _, domain := range list {
		name, err := issuer.Normalize(domain)
		if err != nil {
			if cfg.Domains == nil {
				return invalid("Domain", "is not a domain or an https URL without credentials, query and fragment")
			}
			return invalid("Domains", "has an entry that is not a domain or an https URL without credentials, query and fragment")
		}
		v.issuers[name] = true
	}
	return nil
}

func (v *Verifier) applyAudiences(cfg *Config) error {
	switch {
	case cfg.Audience != "" && len(cfg.Audiences) > 0:
		return invalid("Audience", "and Config.Audiences are both set; set one")
	case cfg.Audience != "":
		v.audiences = []string{cfg.Audience}
	case len(cfg.Audiences) == 0:
		return invalid("Audience", "or Config.Audiences must be set")
	default:
		v.audiences = slices.Clone(cfg.Audiences)
	}
	for _, audience := range v.audiences {
		if strings.TrimSpace(audience) == "" {
			return invalid("Audiences", "has a blank entry")
		}
	}
	return nil
}

func (v *Verifier) applyAlgorithms(cfg *Config) error {
	var err error
	if v.known, err = knownAlgorithms(cfg.SignatureAlgorithms); err != nil {
		return err
	}
	if v.algorithms, err = v.allow("Algorithms", cfg.Algorithms, "RS256"); err != nil {
		return err
	}
	for name, list := range cfg.IssuerAlgorithms {
		of, err := issuer.Normalize(name)
		if err != nil {
			return invalid("IssuerAlgorithms", "names something that is not an issuer")
		}
		if len(list) == 0 {
			return invalid("IssuerAlgorithms", "has an empty list")
		}
		allowed, err := v.allow("IssuerAlgorithms", list, "")
		if err != nil {
			return err
		}
		if v.issuerAlgorithms == nil {
			v.issuerAlgorithms = make(map[string]algorithmList, len(cfg.IssuerAlgorithms))
		}
		if v.issuerAlgorithms[of] != nil {
			return invalid("IssuerAlgorithms", "names an issuer twice")
		}
		v.issuerAlgorithms[of] = allowed
	}
	return nil
}

// algorithmList is an allow-list of algorithms.
type algorithmList []*keyset.Algorithm

// allow finds the algorithms of these names.
func (v *Verifier) allow(field string, names []string, byDefault string) (algorithmList, error) {
	if len(names) == 0 {
		names = []string{byDefault}
	}
	list := make(algorithmList, len(names))
	for i, name := range names {
		if list[i] = v.known.ByName(name); list[i] == nil {
			return nil, invalid(field, fmt.Sprintf("has %q, which is not a supported asymmetric algorithm, and not one of Config.SignatureAlgorithms", name))
		}
	}
	return list, nil
}

// proofSize is the bound on proofs by default. Keys and signatures of
// algorithms that the standard library lacks tend to be long.
func (l algorithmList) proofSize() int {
	if slices.ContainsFunc(l, (*keyset.Algorithm).OnlyOutside) {
		return 2 * defaultMaxProofSize
	}
	return defaultMaxProofSize
}

// find returns the algorithm of exactly this name, or nil.
func (l algorithmList) find(name string) *keyset.Algorithm {
	for _, a := range l {
		if a.Name == name {
			return a
		}
	}
	return nil
}

func (l algorithmList) String() string {
	names := make([]string, len(l))
	for i, a := range l {
		names[i] = a.Name
	}
	return strings.Join(names, " ")
}

func (v *Verifier) applyClaims(cfg *Config) error {
	if cfg.Leeway < 0 || cfg.Leeway > maxLeeway {
		return invalid("Leeway", "is not between 0 and 5 minutes")
	}
	v.leeway = cfg.Leeway
	if slices.Contains(cfg.RequiredClaims, "") {
		return invalid("RequiredClaims", "has an empty name")
	}
	v.required = slices.Clone(cfg.RequiredClaims)
	switch cfg.Profile {
	case ProfileDefault:
	case ProfileRFC9068:
		v.required = append(v.required, "sub", "client_id", "jti") // RFC 9068, Section 2.2
	default:
		return invalid("Profile", "is unknown")
	}
	v.profile = cfg.Profile
	var err error
	if v.maxToken, err = size("MaxTokenSize", cfg.MaxTokenSize, defaultMaxTokenSize, maxMaxTokenSize); err != nil {
		return err
	}
	if cfg.TokenMemo < 0 || cfg.TokenMemo > maxTokenMemo {
		return invalid("TokenMemo", "is not between 0 and 1,048,576")
	}
	if cfg.TokenMemo > 0 {
		v.memo = newTokenMemo(cfg.TokenMemo)
	}
	return nil
}

func size(field string, value, byDefault, max int) (int, error) {
	switch {
	case value == 0:
		return byDefault, nil
	case value < 0 || value > max:
		return 0, invalid(field, fmt.Sprintf("is not between 1 and %d", max))
	default:
		return value, nil
	}
}

func (v *Verifier) applyKeys(cfg *Config) error {
	if cfg.Lease != nil && cfg.Cache == nil {
		return invalid("Lease", "needs Config.Cache")
	}
	if cfg.KeyFetcher != nil && len(cfg.JWKSURLs) > 0 {
		return invalid("JWKSURLs", "and Config.KeyFetcher are both set; set one")
	}
	if cfg.KeyFetcher != nil && len(cfg.JWKSHosts) > 0 {
		return invalid("JWKSHosts", "has no effect with Config.KeyFetcher")
	}
	for name, address := range cfg.JWKSURLs {
		of, err := issuer.Normalize(name)
		if err != nil {
			return invalid("JWKSURLs", "names something that is not an issuer")
		}
		if _, err := fetch.CheckURL(address); err != nil {
			return invalid("JWKSURLs", "has a URL that is not an https URL without credentials and fragment")
		}
		if v.keyURLs == nil {
			v.keyURLs, v.statedIssuers = make(map[string]string), make(map[string]string)
		}
		if v.keyURLs[of] != "" {
			return invalid("JWKSURLs", "names an issuer twice")
		}
		v.keyURLs[of], v.statedIssuers[of] = address, of
		if strings.HasPrefix(name, "https://") {
			v.statedIssuers[of] = name
		}
	}
	v.keyHosts = make(map[string]bool, len(cfg.JWKSHosts))
	for _, host := range cfg.JWKSHosts {
		name, err := issuer.Normalize(host)
		if err != nil || strings.Contains(host, "/") {
			return invalid("JWKSHosts", "has an entry that is not a host")
		}
		v.keyHosts[hostPort(issuer.Host(name))] = true
	}
	return nil
}

// refreshPolicy translates RefreshConfig into the policy of the stores.
func refreshPolicy(cfg *Config) (lifecycle.Policy, error) {
	p := lifecycle.DefaultPolicy()
	r := &cfg.Refresh
	durations := []struct {
		field    string
		value    time.Duration
		to       *time.Duration
		optional bool // a negative value switches it off
		min, max time.Duration
	}{
		{"CacheTTL", cfg.CacheTTL, &p.TTL, false, 1, 24 * time.Hour},
		{"Refresh.Floor", r.Floor, &p.Floor, true, 0, time.Hour},
		{"Refresh.StaleIfError", r.StaleIfError, &p.StaleIfError, true, 0, 24 * time.Hour},
		{"Refresh.FetchTimeout", r.FetchTimeout, &p.FetchTimeout, false, 10 * time.Millisecond, time.Minute},
		{"Refresh.UnknownKeyWindow", r.UnknownKeyWindow, &p.ForcedWindow, false, time.Second, time.Hour},
		{"Refresh.CacheTimeout", r.CacheTimeout, &p.CacheTimeout, false, time.Millisecond, 10 * time.Second},
	}
	for _, d := range durations {
		switch {
		case d.value == 0:
		case d.value < 0 && d.optional:
			*d.to = 0
		case d.value < d.min || d.value > d.max:
			return p, invalid(d.field, fmt.Sprintf("is not between %v and %v", d.min, d.max))
		default:
			*d.to = d.value
		}
	}
	if cfg.CacheTTL != 0 && r.Floor == 0 {
		p.Floor = min(p.Floor, p.TTL)
	}
	if p.Floor > p.TTL {
		return p, invalid("Refresh.Floor", "is longer than Config.CacheTTL")
	}
	shares := []struct {
		field string
		value float64
		to    *float64
		max   float64
	}{{"Refresh.Jitter", r.Jitter, &p.Jitter, 0.5}, {"Refresh.Ahead", r.Ahead, &p.RefreshAhead, 0.9}}
	for _, s := range shares {
		switch {
		case s.value == 0:
		case s.value < 0:
			*s.to = 0
		case !(s.value <= s.max): // also refuses NaN
			return p, invalid(s.field, fmt.Sprintf("is more than %v", s.max))
		default:
			*s.to = s.value
		}
	}
	var err error
	if p.MaxIssuers, err = size("Refresh.MaxIssuers", r.MaxIssuers, p.MaxIssuers, 1_000_000); err != nil {
		return p, err
	}
	switch {
	case r.UnknownKeyAttempts < 0:
		p.ForcedMax = 0
	case r.UnknownKeyAttempts > 100:
		return p, invalid("Refresh.UnknownKeyAttempts", "is more than 100")
	case r.UnknownKeyAttempts > 0:
		p.ForcedMax = r.UnknownKeyAttempts
	}
	return p, nil
}

func (v *Verifier) applyHTTP(cfg *Config) error {
	for _, text := range []struct{ field, value string }{{"Realm", cfg.Realm}, {"ChallengeScope", cfg.ChallengeScope}} {
		if strings.ContainsFunc(text.value, func(r rune) bool { return r < 0x20 || r > 0x7e || r == '"' || r == '\\' }) {
			return invalid(text.field, "has characters that a challenge cannot carry")
		}
	}
	if cfg.ResourceMetadata != "" {
		u, err := url.Parse(cfg.ResourceMetadata)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.Fragment != "" ||
			strings.ContainsAny(cfg.ResourceMetadata, "\"\\ ") {
			return invalid("ResourceMetadata", "is not an absolute URL without credentials and fragment")
		}
	}
	v.challenge = &challengePolicy{
		mode: cfg.DPoP.Mode, realm: cfg.Realm, algorithms: v.proofAlgorithms.String(),
		resourceMetadata: cfg.ResourceMetadata, scope: cfg.ChallengeScope, auth0: cfg.Auth0Statuses,
	}
	if v.challenge.realm == "" {
		v.challenge.realm = "api"
	}
	v.certificate = cfg.ClientCertificate
	return v.applyForwarding(cfg)
}
