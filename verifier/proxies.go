package verifier

import "net/http"

// TrustsPeer reports whether the peer of a request is a proxy of
// Config.TrustedProxies or Config.TrustUnixPeers: whether what it forwards is
// believed. For handlers that believe such peers more than VerifyHTTPRequest
// does, as package forwardauth has one.
func (v *Verifier) TrustsPeer(r *http.Request) bool { return v.forwarding.TrustsPeer(r) }
