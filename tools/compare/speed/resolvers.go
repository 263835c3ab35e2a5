package main

import (
	"context"
	"fmt"
	"net/http"

	"github.com/portcullis-go/portcullis/resolver"
	"github.com/portcullis-go/portcullis/verifier"
)

const (
	staticName     = ourName + ", static list"
	byHostName     = ourName + ", all of them by host"
	issuerOnlyName = ourName + ", looks at the issuer alone"

	targetResolverTime          = "resolver of 1,000 domains by host, beyond a static list"
	targetResolverAllocations   = targetResolverTime + ", allocations"
	targetIssuerOnlyTime        = "resolver that looks at the issuer alone, beyond a static list"
	targetIssuerOnlyAllocations = targetIssuerOnlyTime + ", allocations"
)

// resolverJobs are requests to an API of many issuers, of whom a resolver says
// who may. Their limit is the same with a static list.
func (f *fixture) resolverJobs(ctx context.Context) ([]job, error) {
	byHost, err := resolver.ByHost(map[string][]string{"api.example": f.tenants})
	if err != nil {
		return nil, err
	}
	byIssuer := make(map[string][]string, len(f.tenants))
	for i, name := range f.tenants {
		byIssuer[name] = f.tenants[i : i+1]
	}
	issuerOnly := resolver.Func(func(_ context.Context, req verifier.ResolveRequest) ([]string, error) {
		domains, ok := byIssuer[req.UnverifiedIssuer]
		if !ok {
			return nil, resolver.ErrNoMatch
		}
		return domains, nil
	})
	var static func() error
	var jobs []job
	for _, row := range []struct {
		name    string
		domains verifier.DomainResolver
	}{{staticName, resolver.Static(f.tenants...)}, {byHostName, byHost}, {issuerOnlyName, issuerOnly}} {
		v, err := verifier.New(verifier.Config{Domains: row.domains, Audience: audience, Doer: f.httpClient()})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", row.name, err)
		}
		request := newRequest("Bearer "+f.perTenant[0], "")
		run := func() error { return verifyRequest(v, request) }
		if static == nil {
			static = run
		}
		if err := run(); err != nil { // fetches the keys
			return nil, fmt.Errorf("%s: %w", row.name, err)
		}
		jobs = append(jobs, job{group: groupResolvers, name: row.name, run: run, limit: static})
	}
	return jobs, nil
}

func verifyRequest(v *verifier.Verifier, r *http.Request) error {
	_, err := v.VerifyHTTPRequest(r)
	return err
}

// resolverTargets are the lines of the budget about them.
func (r *report) resolverTargets() (list []target) {
	static, ok := r.find(groupResolvers, staticName)
	if !ok {
		return nil
	}
	for _, row := range []struct {
		name, time, allocations string
		microseconds            float64
		most                    int
	}{
		{byHostName, targetResolverTime, targetResolverAllocations, 10, 12},
		{issuerOnlyName, targetIssuerOnlyTime, targetIssuerOnlyAllocations, 5, 2},
	} {
		found, ok := r.find(groupResolvers, row.name)
		if !ok {
			continue
		}
		more := found.beyond / 1000
		list = append(list,
			target{row.time, fmt.Sprintf("%.2f us", more), fmt.Sprintf("<= %.0f us", row.microseconds), more <= row.microseconds},
			counts(row.allocations, found.allocations-static.allocations, row.most))
	}
	return list
}
