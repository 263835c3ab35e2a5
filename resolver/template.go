package resolver

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/portcullis-go/portcullis/internal/foreign"
	"github.com/portcullis-go/portcullis/internal/issuer"
	"github.com/portcullis-go/portcullis/verifier"
)

// TemplateConfig shapes [Template].
type TemplateConfig struct {
	// Name is the issuer of all tenants, with one placeholder in braces that is a
	// whole segment of its path, such as
	// "https://login.microsoftonline.com/{tenantid}/v2.0".
	Name string
	// Keys are the documents that all tenants share, at a fixed place: KeysMetadata
	// or KeysURL. The metadata must state Name, placeholder included. A key with a
	// member "issuer" verifies tokens of exactly that issuer, or, where the member
	// equals Name, of every allowed tenant.
	Keys verifier.Keys
	// Allowed says whether a tenant may use this API. It is asked for every token,
	// and must be quick. An error means "could not decide" (503). Required: without
	// it every tenant of the world could sign tokens for this API.
	Allowed func(ctx context.Context, tenant string) (bool, error)
	// TenantClaim is the claim that repeats the tenant, such as "tid". It must
	// equal the segment of iss. "" is for issuers that have none.
	TenantClaim string
	// Rules are the rules for all tenants. Name, Keys, Aliases, SubjectPrefix and the
	// tenant claim in RequiredValues must be empty.
	Rules verifier.Issuer
}

// maxTenant is how long the value of a placeholder can be.
const maxTenant = 128

// Template returns a resolver for the tenants of one server that share one key
// set: documents are fetched once for all of them, from a fixed place. A tenant
// that is not allowed costs no fetch.
//
// The value of the placeholder must be 1 to 128 letters, digits and hyphens, and
// the token's iss must be, byte by byte, Name with the value in the place of the
// placeholder. Nothing of a token becomes a part of a URL that is fetched.
//
// The result is a verifier.IssuerResolver. A request of another issuer is
// [ErrNoMatch], so that [Chain] can go on; a tenant that is not allowed is
// verifier.ErrNotAllowed.
func Template(cfg TemplateConfig) (verifier.DomainResolver, error) {
	before, rest, _ := strings.Cut(cfg.Name, "{")
	placeholder, after, closed := strings.Cut(rest, "}")
	filled, _ := issuer.Normalize(before + "x" + after)
	switch {
	case !closed || placeholder == "" || strings.ContainsAny(after, "{}") || strings.ContainsAny(placeholder, "{/"):
		return nil, fmt.Errorf("resolver: TemplateConfig.Name %q has no placeholder, or more than one; write it as {tenant}", cfg.Name)
	case filled != before+"x"+after:
		return nil, fmt.Errorf("resolver: TemplateConfig.Name %q is not an https URL in normal form", cfg.Name)
	case !strings.HasSuffix(before, "/") || after != "" && after[0] != '/' || strings.Count(before, "/") < 3:
		return nil, fmt.Errorf("resolver: the placeholder of TemplateConfig.Name %q is not a whole segment of its path", cfg.Name)
	case cfg.Allowed == nil:
		return nil, errors.New("resolver: TemplateConfig.Allowed is missing; say which tenants may use this API")
	case cfg.Rules.Name != "" || len(cfg.Rules.Aliases) > 0 || cfg.Rules.Keys != (verifier.Keys{}) || cfg.Rules.SubjectPrefix != "":
		return nil, errors.New("resolver: TemplateConfig.Rules has a Name, Aliases, Keys or SubjectPrefix; the template makes the name, and its tokens have an iss")
	case cfg.Rules.RequiredValues[cfg.TenantClaim] != nil:
		return nil, fmt.Errorf("resolver: TemplateConfig.Rules.RequiredValues has the tenant claim %q, whose value is the tenant", cfg.TenantClaim)
	}
	t := &template{cfg: cfg, before: before, after: after, keys: verifier.KeysShared(cfg.Name, cfg.Keys)}
	if err := checkIssuers("TemplateConfig.Rules", []verifier.Issuer{*t.make("x", filled)}); err != nil {
		return nil, err
	}
	return t, nil
}

type template struct {
	cfg           TemplateConfig
	before, after string
	keys          verifier.Keys

	issuers sync.Map // tenant -> *verifier.Issuer
	count   atomic.Int64
}

// maxTenants bounds how many tenants' Issuers are kept ready. When there are
// more, all are made anew.
const maxTenants = 1 << 17

// tenant takes the tenant out of an issuer.
func (t *template) tenant(iss string) (string, bool) {
	if len(iss) <= len(t.before)+len(t.after) {
		return "", false
	}
	tenant := iss[len(t.before) : len(iss)-len(t.after)]
	if len(tenant) > maxTenant {
		return "", false
	}
	for _, c := range []byte(tenant) {
		if c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return "", false
		}
	}
	return tenant, t.before+tenant+t.after == iss
}

// ResolveIssuer implements verifier.IssuerResolver.
func (t *template) ResolveIssuer(ctx context.Context, req verifier.ResolveRequest) (*verifier.Issuer, error) {
	tenant, ok := t.tenant(req.UnverifiedIssuer)
	if !ok {
		return nil, ErrNoMatch
	}
	allowed, err := foreign.Call(ctx, func() (bool, error) { return t.cfg.Allowed(ctx, tenant) })
	switch {
	case err != nil:
		return nil, err
	case !allowed:
		return nil, verifier.ErrNotAllowed
	default:
		return t.issuer(tenant, req.UnverifiedIssuer), nil
	}
}

func (t *template) issuer(tenant, name string) *verifier.Issuer {
	if i, ok := t.issuers.Load(tenant); ok {
		return i.(*verifier.Issuer)
	}
	if t.count.Add(1) > maxTenants {
		t.count.Store(1)
		t.issuers.Clear()
	}
	kept, _ := t.issuers.LoadOrStore(strings.Clone(tenant), t.make(strings.Clone(tenant), strings.Clone(name)))
	return kept.(*verifier.Issuer)
}

func (t *template) make(tenant, name string) *verifier.Issuer {
	i := t.cfg.Rules
	i.Name, i.Keys = name, t.keys
	if t.cfg.TenantClaim != "" {
		i.RequiredValues = map[string][]string{t.cfg.TenantClaim: {tenant}}
		maps.Copy(i.RequiredValues, t.cfg.Rules.RequiredValues)
	}
	return &i
}

// ResolveDomains implements verifier.DomainResolver, for programs that ask it
// themselves.
func (t *template) ResolveDomains(ctx context.Context, req verifier.ResolveRequest) ([]string, error) {
	i, err := t.ResolveIssuer(ctx, req)
	if err != nil {
		return nil, err
	}
	return []string{i.Name}, nil
}
