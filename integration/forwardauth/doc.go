// Package forwardauth answers a proxy that asks an authorization service about
// each request before it lets it pass: nginx with auth_request, Caddy with
// forward_auth, Traefik with ForwardAuth, Envoy with ext_authz over HTTP.
//
//	v, err := verifier.New(verifier.Config{
//		Domain: "tenant.auth0.com", Audience: "https://api.example.com",
//		ExternalURL:    "https://api.example.com",
//		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
//	})
//	// ...
//	h, err := forwardauth.New(forwardauth.Config{
//		Verifier: v,
//		Proxy:    forwardauth.Nginx(),
//		Headers:  []forwardauth.Header{{Name: "X-Auth-Subject", Value: forwardauth.Claim("sub")}},
//	})
//	// ...
//	http.ListenAndServe("10.0.0.2:9000", h)
//
// The request that the proxy sends is its own. Method and URI of the client's
// request are in header fields that the [Proxy] names, or in what Envoy sends;
// they are believed from trusted peers of the Verifier alone. Scheme and host come
// from where the Verifier's configuration says: ExternalURL, or the forwarding
// fields of TrustedProxies. Where the proxy strips a prefix before it asks,
// ExternalURL has the prefix.
//
// The folder examples/forward-auth has a configuration for each proxy.
package forwardauth
