package verifier

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"

	"github.com/portcullis-go/portcullis/internal/fetch"
)

// HTTPClientConfig shapes the client of [NewHTTPClient].
type HTTPClientConfig struct {
	// Timeout of a whole request. Default 10 s; the Verifier's own deadline per
	// fetch is shorter.
	Timeout time.Duration
	// BlockPrivateAddresses refuses to connect to addresses that are not of the
	// public internet: of IPv4 the blocks of the IANA special-purpose registry
	// (loopback, private, link-local, shared and others), of IPv6 those and all
	// that is not global unicast (2000::/3). An IPv4 address inside of an IPv6 one
	// is judged as what it is, or refused. It counts what the name resolves to at
	// connect time. For set-ups in which others choose the issuers. No proxy is
	// used then.
	BlockPrivateAddresses bool
	// MaxConnections bounds the connections to one host. Default 8, which is enough
	// for documents. Over HTTP/1.1 it is also how many requests can be under way, so
	// a client for package introspection needs as many as its MaxInFlight.
	MaxConnections int
	// RootCAs to trust instead of the system's.
	RootCAs *x509.CertPool
	// Certificate of this client, for servers that ask for one (mutual TLS, RFC
	// 8705). Default none.
	Certificate *tls.Certificate
	// ClientCertificate returns the certificate instead, for each connection, so
	// that it can be rotated: exchange.CertificateFiles reads one from files. It is
	// called from many goroutines. Not with Certificate, which counts first.
	ClientCertificate func(*tls.CertificateRequestInfo) (*tls.Certificate, error)
}

// NewHTTPClient returns a client that is fit for fetching keys: it follows no
// redirects (the Verifier itself follows one where that is safe), bounds time, connections and headers, and does not share state
// with http.DefaultClient.
func NewHTTPClient(cfg HTTPClientConfig) *http.Client {
	if cfg.Timeout <= 0 {
		cfg.Timeout = 10 * time.Second
	}
	connections, idle := cfg.MaxConnections, cfg.MaxConnections // whoever wants many uses them again
	if connections <= 0 {
		connections, idle = defaultConnections, 2
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
		MaxIdleConns:           max(100, idle),
		MaxIdleConnsPerHost:    idle,
		MaxConnsPerHost:        connections,
		MaxResponseHeaderBytes: 64 << 10,
	}
	if cfg.Certificate != nil {
		transport.TLSClientConfig.Certificates = []tls.Certificate{*cfg.Certificate}
	} else {
		transport.TLSClientConfig.GetClientCertificate = cfg.ClientCertificate
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

// defaultConnections is the default of HTTPClientConfig.MaxConnections.
const defaultConnections = 8

// refusePrivate looks at the address that is about to be connected to, so that
// a name cannot resolve to something else in between.
func refusePrivate(_, address string, _ syscall.RawConn) error {
	target, err := netip.ParseAddrPort(address)
	if err != nil || !public(target.Addr()) {
		return fetch.ErrBlockedAddress
	}
	return nil
}

func public(a netip.Addr) bool { return fetch.Public(a) }
