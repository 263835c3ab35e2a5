package verifier_test

import (
	"context"
	"slices"
	"strings"

	"github.com/portcullis-go/portcullis/verifier"
)

// useFetcher makes a KeyFetcher the source of the keys of all issuers of a
// configuration.
func useFetcher(cfg *verifier.Config, f verifier.KeyFetcher) {
	keys := verifier.KeysFrom(f)
	static, isStatic := cfg.Domains.(verifier.StaticDomains)
	switch {
	case cfg.Domain != "":
		cfg.Issuers, cfg.Domain = []verifier.Issuer{{Name: cfg.Domain, Keys: keys}}, ""
	case isStatic:
		cfg.Issuers = nil
		for _, domain := range static.Domains() {
			cfg.Issuers = append(cfg.Issuers, verifier.Issuer{Name: bare(domain), Keys: keys})
		}
	case cfg.Domains != nil:
		cfg.Issuers = nil
		cfg.Domains = &fetcherResolver{DomainResolver: cfg.Domains, keys: keys}
	default:
		for i := range cfg.Issuers {
			cfg.Issuers[i].Keys = keys
		}
	}
}

// bare turns "https://host/" into "host".
func bare(name string) string {
	host := strings.TrimSuffix(strings.TrimPrefix(name, "https://"), "/")
	if strings.Contains(host, "/") {
		return name
	}
	return host
}

// fetcherResolver gives the issuers of a resolver one KeyFetcher.
type fetcherResolver struct {
	verifier.DomainResolver
	keys verifier.Keys
}

func (r *fetcherResolver) ResolveIssuer(ctx context.Context, req verifier.ResolveRequest) (*verifier.Issuer, error) {
	domains, err := r.ResolveDomains(ctx, req)
	if err != nil {
		return nil, err
	}
	if len(domains) == 0 {
		return nil, nil
	}
	name := bare(req.UnverifiedIssuer)
	if !slices.ContainsFunc(domains, func(d string) bool { return bare(d) == name }) {
		return nil, verifier.ErrNotAllowed
	}
	return &verifier.Issuer{Name: name, Keys: r.keys}, nil
}
