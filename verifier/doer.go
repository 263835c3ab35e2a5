package verifier

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// HTTPClientConfig shapes the client of [NewHTTPClient].
type HTTPClientConfig struct {
	// Timeout of a whole request. Default 10 s; the Verifier's own deadline per
	// fetch is shorter.
	Timeout time.Duration
	// BlockPrivateAddresses refuses to connect to addresses that are not of the
	// public internet (loopback, private, link-local, shared, reserved and the
	// like), as the name resolves at connect time. For set-ups in which
	// others choose the issuers. No proxy is used then.
	BlockPrivateAddresses bool
	// RootCAs to trust instead of the system's.
	RootCAs *x509.CertPool
}

// NewHTTPClient returns a client that is fit for fetching keys: it follows no
// redirects, bounds time, connections and headers, and does not share state
// with http.DefaultClient.
func NewHTTPClient(cfg HTTPClientConfig) *http.Client {
	if cfg.Timeout <= 0 {
		cfg.Timeout = 10 * time.Second
	}
	dialer := &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}
	transport := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dialer.DialContext,
		ForceAttemptHTTP2:      true,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: cfg.RootCAs},
		TLSHandshakeTimeout:    5 * time.Second,
		ResponseHeaderTimeout:  cfg.Timeout,
		ExpectContinueTimeout:  time.Second,
		IdleConnTimeout:        90 * time.Second,
		MaxIdleConns:           100,
		MaxIdleConnsPerHost:    2,
		MaxConnsPerHost:        8,
		MaxResponseHeaderBytes: 64 << 10,
	}
	if cfg.BlockPrivateAddresses {
		dialer.Control = refusePrivate
		transport.Proxy = nil // a proxy would resolve the name out of our sight
	}
	return &http.Client{
		Transport:     transport,
		Timeout:       cfg.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

var errPrivateAddress = errors.New("verifier: the address is not of the public internet")

// refusePrivate looks at the address that is about to be connected to, so that
// a name cannot resolve to something else in between.
func refusePrivate(_, address string, _ syscall.RawConn) error {
	target, err := netip.ParseAddrPort(address)
	if err != nil || !public(target.Addr().Unmap()) {
		return errPrivateAddress
	}
	return nil
}

// special are the blocks of the IANA special-purpose address registries (RFC
// 6890) that netip's predicates do not cover.
var special = [...]netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"),
	netip.MustParsePrefix("192.88.99.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("64:ff9b::/96"), // would reach IPv4 through a translator
	netip.MustParsePrefix("64:ff9b:1::/48"),
	netip.MustParsePrefix("100::/64"),
	netip.MustParsePrefix("2001::/23"),
	netip.MustParsePrefix("2001:db8::/32"),
	netip.MustParsePrefix("2002::/16"), // 6to4 would reach IPv4
	netip.MustParsePrefix("3fff::/20"),
	netip.MustParsePrefix("5f00::/16"),
}

func public(a netip.Addr) bool {
	if !a.IsGlobalUnicast() || a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() {
		return false
	}
	for _, block := range special {
		if block.Contains(a) {
			return false
		}
	}
	return true
}
