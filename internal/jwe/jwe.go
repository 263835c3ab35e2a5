// Package jwe opens encrypted access tokens: a JWS inside of a JSON Web
// Encryption in compact serialisation (RFC 7516, Section 7.1; RFC 7519, Section
// 5.2). It decides what is opened, and with which key; go-jose does the
// cryptography.
package jwe

import (
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"errors"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/portcullis-go/portcullis/internal/base64url"
	"github.com/portcullis-go/portcullis/internal/foreign"
	"github.com/portcullis-go/portcullis/internal/strictjson"
)

// ErrOpen is the one answer to every token that cannot be opened: a header that
// is not allowed, no key, a wrong key, a bad tag, bad padding, or content that is
// no JWS. Who made the token learns nothing from it.
var ErrOpen = errors.New("jwe: the token cannot be opened")

// Algorithms are the supported key management algorithms (RFC 7518, Section 4.1).
// RSA1_5, symmetric and password-based ones are not among them. RSA-OAEP has SHA-1
// inside, where nothing depends on collisions (RFC 8017, Section 7.1).
var Algorithms = [...]string{"RSA-OAEP-256", "RSA-OAEP", "ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A192KW", "ECDH-ES+A256KW"}

// Encodings are the supported content encryption algorithms (RFC 7518, Section
// 5.1).
var Encodings = [...]string{"A128GCM", "A192GCM", "A256GCM", "A128CBC-HS256", "A192CBC-HS384", "A256CBC-HS512"}

// maxKeys is how many keys are tried for a token that names none.
const maxKeys = 4

// Key is a private key, or what decrypts with one.
type Key struct {
	ID        string
	Private   any // *rsa.PrivateKey or *ecdsa.PrivateKey; nil with Decrypter
	Decrypter func(ctx context.Context, algorithm string, encryptedKey []byte) ([]byte, error)
	// Refused is the error of Decrypter that is a refusal, not an outage.
	Refused error
}

// fits reports whether the key can be used with an algorithm.
func (k *Key) fits(algorithm string) bool {
	switch k.Private.(type) {
	case *rsa.PrivateKey:
		return strings.HasPrefix(algorithm, "RSA-")
	case *ecdsa.PrivateKey:
		return strings.HasPrefix(algorithm, "ECDH-")
	default:
		return strings.HasPrefix(algorithm, "RSA-")
	}
}

// Opener opens tokens. It is immutable.
type Opener struct {
	Keys       []Key
	Algorithms []string
	Encodings  []string
	MaxInner   int // bytes of what is inside
}

// IsEncrypted reports whether a token has the five parts of a JWE.
func IsEncrypted(compact string) bool { return strings.Count(compact, ".") == 4 }

// ofItsMaker are the key management algorithms of secrets that the maker of a token
// shares, if at all, with itself.
var ofItsMaker = [...]string{"dir", "A128KW", "A192KW", "A256KW", "A128GCMKW", "A192GCMKW", "A256GCMKW"}

// IsOfItsMaker reports whether a token is encrypted with a shared secret. No Opener
// opens such a one: for everybody but its issuer it is opaque, and some issuers make
// their opaque tokens so.
func IsOfItsMaker(compact string) bool {
	if !IsEncrypted(compact) {
		return false
	}
	text, ok := base64url.Decode(nil, compact[:strings.IndexByte(compact, '.')])
	if !ok {
		return false
	}
	members, err := strictjson.Parse(string(text), nil)
	algorithm, _ := strictjson.Find(members, "alg").Text()
	return err == nil && contains(ofItsMaker[:], algorithm)
}

// Open returns the JWS inside of a token and the key that opened it. The error is
// ErrOpen, or that of a Decrypter that failed.
func (o *Opener) Open(ctx context.Context, compact string) (inner string, by *Key, err error) {
	h := o.header(compact)
	if h == nil || !isJWT(h.content) {
		return "", nil, ErrOpen
	}
	content, by, err := o.decrypt(ctx, compact, h)
	switch {
	case err != nil:
		return "", nil, err
	case len(content) > o.MaxInner || strings.Count(string(content), ".") != 2:
		return "", nil, ErrOpen
	default:
		return string(content), by, nil
	}
}

// decrypt returns the content of a token whose header was read.
func (o *Opener) decrypt(ctx context.Context, compact string, h *header) (content []byte, by *Key, err error) {
	parsed, err := jose.ParseEncryptedCompact(compact, []jose.KeyAlgorithm{jose.KeyAlgorithm(h.algorithm)}, []jose.ContentEncryption{jose.ContentEncryption(h.encoding)})
	if err != nil {
		return nil, nil, ErrOpen
	}
	tried := 0
	failure := ErrOpen // or that of a key that might open the token
	for i := range o.Keys {
		key := &o.Keys[i]
		if h.hasKeyID && key.ID != h.keyID || !key.fits(h.algorithm) {
			continue
		}
		if tried++; tried > maxKeys {
			break
		}
		content, err := key.decrypt(ctx, parsed, h.algorithm)
		switch {
		case err != nil:
			failure = err
		case content != nil:
			return content, key, nil
		}
	}
	return nil, nil, failure
}

// decrypt returns nil when the key does not open the token. An error is one that
// decides nothing.
func (k *Key) decrypt(ctx context.Context, parsed *jose.JSONWebEncryption, algorithm string) ([]byte, error) {
	call := &remote{ctx: ctx, key: k, algorithm: algorithm}
	with := k.Private
	if k.Decrypter != nil {
		with = call
	}
	content, err := foreign.Guard(func() ([]byte, error) { return parsed.Decrypt(with) })
	switch {
	case call.failure != nil:
		return nil, call.failure
	case err != nil:
		return nil, nil
	default:
		return content, nil
	}
}

// remote is a Decrypter as go-jose calls it, for one token.
type remote struct {
	ctx       context.Context
	key       *Key
	algorithm string
	failure   error
}

// DecryptKey implements jose.OpaqueKeyDecrypter.
func (r *remote) DecryptKey(encryptedKey []byte, _ jose.Header) ([]byte, error) {
	contentKey, err := foreign.Call(r.ctx, func() ([]byte, error) { return r.key.Decrypter(r.ctx, r.algorithm, encryptedKey) })
	if !errors.Is(err, r.key.Refused) {
		r.failure = err // or nil
	}
	return contentKey, err
}

// header is what the protected header says.
type header struct {
	algorithm, encoding, keyID, content string
	hasKeyID                            bool
}

// header reads the protected header, once and strictly; nil stands for one that is
// not allowed. Compression, critical extensions and everything that names a key by
// itself are refused.
func (o *Opener) header(compact string) *header {
	parts := strings.Split(compact, ".")
	if len(parts) != 5 {
		return nil
	}
	for _, part := range parts {
		if _, ok := base64url.Decode(nil, part); !ok {
			return nil
		}
	}
	text, _ := base64url.Decode(nil, parts[0])
	members, err := strictjson.Parse(string(text), nil)
	if err != nil {
		return nil
	}
	h := &header{}
	for _, m := range members {
		ok := true
		switch m.Name {
		case "alg":
			h.algorithm, ok = m.Value.Text()
		case "enc":
			h.encoding, ok = m.Value.Text()
		case "kid":
			h.keyID, ok = m.Value.Text()
			h.hasKeyID = true
		case "cty":
			h.content, ok = m.Value.Text()
		case "typ":
			_, ok = m.Value.Text()
		case "zip", "crit", "jku", "jwk", "x5u", "x5c", "p2s", "p2c", "b64":
			return nil
		}
		if !ok {
			return nil
		}
	}
	// RFC 7516, Section 5.2, step 10: with an agreed key there is none to decrypt.
	agreed := h.algorithm == "ECDH-ES"
	if agreed != (parts[1] == "") || !contains(o.Algorithms, h.algorithm) || !contains(o.Encodings, h.encoding) {
		return nil
	}
	return h
}

// isJWT reports whether cty says that there is a JWT inside, as it must (RFC 7519,
// Section 5.2). It compares media types (RFC 7515, Section 4.1.10).
func isJWT(content string) bool {
	content = strings.TrimPrefix(strings.ToLower(content), "application/")
	return content == "jwt" || content == "at+jwt"
}

func contains(list []string, text string) bool {
	for _, item := range list {
		if item == text {
			return true
		}
	}
	return false
}
