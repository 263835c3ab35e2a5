package exchange

import (
	"bytes"
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"github.com/portcullis-go/portcullis/internal/foreign"
)

// Credential returns a secret or an assertion as it is now. It is asked for each
// request to the token endpoint, from many goroutines at once, and returns
// promptly when ctx ends. Its errors reach errors.Is and errors.As through
// [Error], but no error text.
type Credential func(ctx context.Context) (string, error)

// SigningKey is a key with what an assertion says about it.
type SigningKey struct {
	hidden

	// Key signs. Its Sign has no context: a remote one must bound itself.
	Key crypto.Signer
	// Algorithm is as for PrivateKeyJWTConfig.Algorithm.
	Algorithm string
	// KeyID is the kid header, or "".
	KeyID string
}

// SigningKeySource returns the key to sign with as it is now, under the rules of
// [Credential].
type SigningKeySource func(ctx context.Context) (SigningKey, error)

// maxCredential is the longest credential that is used, in bytes.
const maxCredential = 64 << 10

var (
	errEmptyCredential = errors.New("exchange: the credential is empty, or longer than 64 KiB")
	errCredentialForm  = errors.New("exchange: the assertion has white space in it, or a scheme before it")
	errCredentialFile  = errors.New("exchange: the file does not hold what is expected")
)

// current asks a Credential. The error is an *Error.
func (f Credential) current(ctx context.Context) (string, error) {
	value, err := foreign.Within(ctx, f)
	if err == nil && (value == "" || len(value) > maxCredential) {
		err = errEmptyCredential
	}
	if err != nil {
		return "", noCredential(ctx, err)
	}
	return value, nil
}

// CredentialFile returns a Credential that is in a file: a secret that is
// rotated, a projected service-account token, a SPIFFE JWT-SVID. The file is read
// when it has changed, and white space around its content is dropped. Replace it
// by renaming.
func CredentialFile(path string) Credential {
	file := &watchedFile[string]{path: path, parse: func(data []byte) (string, error) {
		return string(bytes.TrimSpace(data)), nil
	}}
	return func(ctx context.Context) (string, error) { return file.get(ctx) }
}

// SigningKeyFile returns the private key that is in a PEM file (PKCS #8, PKCS #1
// or SEC 1), for keys that are rotated. The file is read when it has changed;
// replace it by renaming. KeyID is the key's thumbprint (RFC 7638, SHA-256).
func SigningKeyFile(path string) SigningKeySource {
	file := &watchedFile[SigningKey]{path: path, parse: parseSigningKey}
	return func(ctx context.Context) (SigningKey, error) { return file.get(ctx) }
}

// CertificateFiles returns a function for the ClientCertificate of
// verifier.HTTPClientConfig, whose certificate chain and key are in PEM files,
// such as an X.509-SVID that is rotated. They are read when the first has
// changed; a connection that is open keeps the certificate that it began with.
// While the two do not fit together, the last good pair is used.
func CertificateFiles(certificate, key string) func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	var mu sync.Mutex
	var last *tls.Certificate
	file := &watchedFile[*tls.Certificate]{path: certificate, parse: func(chain []byte) (*tls.Certificate, error) {
		keyData, err := readBounded(key)
		if err != nil {
			return nil, err
		}
		pair, err := tls.X509KeyPair(chain, keyData)
		return &pair, err
	}}
	return func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		pair, err := file.get(context.Background())
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			last = pair
		}
		if last == nil {
			return nil, err
		}
		return last, nil
	}
}

// watchedFile is a file whose content is parsed again when it has changed. A
// content that cannot be parsed is an error each time, not the old content.
type watchedFile[T any] struct {
	path  string
	parse func([]byte) (T, error)

	mu    sync.Mutex
	value T
	info  os.FileInfo // of the file that value is the content of; nil: none yet
	read  time.Time
}

// settled is how old a file must be for its time to tell its content: a second
// change within the resolution of the file system's times would not show.
const settled = 2 * time.Second

func (w *watchedFile[T]) get(ctx context.Context) (value T, err error) {
	if err := ctx.Err(); err != nil {
		return value, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	info, err := os.Stat(w.path)
	if err != nil {
		return value, err
	}
	// A file that another one took the place of may have its size and time.
	same := os.SameFile(info, w.info) && info.Size() == w.info.Size() && info.ModTime().Equal(w.info.ModTime())
	if same && w.read.Sub(info.ModTime()) > settled {
		return w.value, nil
	}
	data, err := readBounded(w.path)
	if err != nil {
		return value, err
	}
	if value, err = w.parse(data); err != nil {
		return value, err
	}
	// The times are those of the file system, not of Config.Clock.
	w.value, w.info, w.read = value, info, time.Now()
	return value, nil
}

// readBounded reads a file that is no longer than a credential.
func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxCredential+1))
	if err == nil && len(data) > maxCredential {
		err = errCredentialFile
	}
	return data, err
}

func parseSigningKey(data []byte) (SigningKey, error) {
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		key, ok := privateKey(block.Bytes)
		if !ok {
			continue // parameters of a curve, a certificate
		}
		s, err := newSigner(key, "", "RS256")
		if err != nil {
			return SigningKey{}, errCredentialFile
		}
		_, thumbprint, err := s.publicJWK()
		if err != nil {
			return SigningKey{}, errCredentialFile
		}
		return SigningKey{Key: key, KeyID: thumbprint}, nil
	}
	return SigningKey{}, errCredentialFile
}

func privateKey(der []byte) (crypto.Signer, bool) {
	if key, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		signer, ok := key.(crypto.Signer)
		return signer, ok
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, true
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key, true
	}
	return nil, false
}
