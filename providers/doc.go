// Package providers has a verifier.Issuer for the world's identity providers, as
// their access tokens really are: names without a slash, keys on other hosts, tokens
// without an audience, roles in places of their own.
//
//	verifier.Config{
//		Audience: "https://api.example.com",
//		Issuers:  []verifier.Issuer{providers.Keycloak("https://id.example.com", "acme")},
//	}
//
// Each function says in its comment what it lets in and where that is documented.
// What it returns is a plain value: change a field where your set-up differs. It
// never says more than the provider's defaults need, so the checks of audience, type
// and algorithm stay those of verifier.Config unless the comment says otherwise. A
// provider whose name alone is enough has no function: write
// verifier.Issuer{Name: "..."} or verifier.Config.Domain.
//
// A function that takes clients, origins or tenants refuses all tokens of others; with
// an empty list it returns an Issuer that verifier.New refuses. Wrong arguments, such
// as a host with a path, make verifier.New fail with the name of the field.
// docs/providers.md lists all providers that were tried, with their configuration.
package providers

import "strings"

// bare drops the scheme and the slash at the end, so that a host can be given either
// way.
func bare(host string) string {
	return strings.TrimSuffix(strings.TrimPrefix(host, "https://"), "/")
}

// under joins a base URL and a path.
func under(base, path string) string {
	if !strings.Contains(base, "://") {
		base = "https://" + base
	}
	return strings.TrimSuffix(base, "/") + path
}

// The files, by what they do:
//
//   - hosted.go: identity services
//   - amazon.go, google.go, microsoft.go: those of the clouds
//   - workload.go: programs' identities: CI, gateways, SPIFFE
//   - kubernetes.go: a cluster's service accounts
//   - selfhosted.go: servers that one runs oneself
