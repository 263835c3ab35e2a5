package verifier

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/portcullis-go/portcullis/internal/issuer"
	"github.com/portcullis-go/portcullis/verifier/reason"
)

// gate decides whether tokens of an issuer are allowed for this request. It is
// passed before any network call.
func (v *Verifier) gate(ctx context.Context, name string, in *incoming) error {
	if v.issuers != nil {
		if !v.issuers[name] {
			return refuse(reason.IssuerNotAllowed)
		}
		return nil
	}
	req, err := v.resolveRequest(name, in)
	if err != nil {
		return err
	}
	domains, err := v.resolve(ctx, req)
	if err != nil {
		return undecided(reason.Resolver, err, 0)
	}
	allowed, err := lists(domains, name)
	switch {
	case err != nil:
		return undecided(reason.Resolver, err, 0)
	case !allowed:
		return refuse(reason.IssuerNotAllowed)
	default:
		return nil
	}
}

var (
	errResolverPanic   = errors.New("verifier: the resolver panicked")
	errResolverEmpty   = errors.New("verifier: the resolver returned no domain")
	errResolverInvalid = errors.New("verifier: the resolver returned an invalid domain")
)

func (v *Verifier) resolve(ctx context.Context, req ResolveRequest) (domains []string, err error) {
	defer func() {
		if p := recover(); p != nil {
			domains, err = nil, errResolverPanic
		}
	}()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return v.resolver.ResolveDomains(ctx, req)
}

// lists reports whether an issuer is among the domains, all of which must be
// valid: a list that is partly garbage says that the resolver is broken.
func lists(domains []string, name string) (bool, error) {
	if len(domains) == 0 {
		return false, errResolverEmpty
	}
	allowed := false
	for _, domain := range domains {
		if domain == name {
			allowed = true
			continue
		}
		normal, err := issuer.Normalize(domain)
		if err != nil {
			return false, errResolverInvalid
		}
		allowed = allowed || normal == name
	}
	return allowed, nil
}

// resolveRequest makes what the resolver may see.
func (v *Verifier) resolveRequest(name string, in *incoming) (ResolveRequest, error) {
	req := ResolveRequest{UnverifiedIssuer: name, Header: make(http.Header, len(in.header)+1)}
	for field, values := range in.header {
		switch http.CanonicalHeaderKey(field) {
		case "Authorization", "Dpop", "Cookie":
		default:
			req.Header[field] = slices.Clone(values)
		}
	}
	if in.host != "" {
		req.Header["Host"] = []string{in.host}
	}
	raw, err := v.requestURL(in)
	if err != nil {
		return req, err
	}
	if raw != "" {
		u, err := url.Parse(raw)
		if err != nil || strings.TrimSpace(u.Host) == "" {
			return req, refuse(reason.Argument)
		}
		req.URL = u
	}
	return req, nil
}
