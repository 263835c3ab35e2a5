// Package clientcert reads the client certificate that a proxy forwards in a
// header field, for access tokens that are bound to one (RFC 8705). Its
// functions are what verifier.Config.ClientCertificate wants, each for one
// proxy:
//
//	verifier.Config{
//		// ...
//		TrustedProxies:    []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
//		ClientCertificate: clientcert.Nginx("X-Client-Cert"),
//	}
//
// A certificate is public. That the client holds its key was shown to the proxy
// alone, in the TLS handshake; so the field counts only when the proxy wrote it.
// The Verifier asks these functions for requests of trusted proxies and nobody
// else. The proxy must write the field for every request, also for one without a
// certificate, or remove what the client sent (RFC 9440, Section 4).
//
// All functions take the name of the field where the proxy leaves it to its
// configuration. Each knows how its proxy says that there is no certificate:
// then the result is nil, nil, and a token that needs one is refused with 401.
// Everything else that is not exactly one certificate is [ErrMalformed], which a
// Verifier answers with 503: several field lines, a value of more than 32 KiB,
// text around the certificate. The certificate is parsed, not verified: a bound
// token names the hash of one certificate, whoever issued it (RFC 8705, Section
// 3).
//
// The functions are safe for concurrent use. They keep nothing of the request.
package clientcert
