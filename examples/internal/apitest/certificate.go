package apitest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"math/big"
	"net"
	"testing"
	"time"
)

// NewCertificate returns a certificate for 127.0.0.1 that signs itself, for
// servers and clients.
func NewCertificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage:    x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// Trust returns the TLS configuration of a client that trusts a certificate of
// NewCertificate and has certificates of its own.
func Trust(server tls.Certificate, own ...tls.Certificate) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(server.Leaf)
	return &tls.Config{RootCAs: roots, Certificates: own, MinVersion: tls.VersionTLS12}
}

// Bound returns the cnf claim of a token that is bound to a certificate (RFC
// 8705, Section 3.1).
func Bound(certificate tls.Certificate) map[string]any {
	sum := sha256.Sum256(certificate.Leaf.Raw)
	return map[string]any{"x5t#S256": base64.RawURLEncoding.EncodeToString(sum[:])}
}
