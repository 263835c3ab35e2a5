package verifier

import (
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/portcullis-go/portcullis/internal/jwe"
	"github.com/portcullis-go/portcullis/verifier/reason"
)

// ErrDecryption is what a [KeyDecrypter] returns for a key that it cannot
// decrypt: the token is bad, and no outage.
var ErrDecryption = errors.New("verifier: the key cannot be decrypted")

// DecryptionConfig says how encrypted access tokens are opened (RFC 7519, Section
// 5.2; RFC 9068, Section 4). Without Keys they are refused as malformed.
//
// What is inside must be a signed token, and is judged as one that came by
// itself: everybody can encrypt to a public key. A DPoP proof is bound to what was
// sent, the encrypted form.
type DecryptionConfig struct {
	// Keys open tokens. Several allow for rotation: a token names its key by kid,
	// and for one that names none up to four fitting keys are tried. At most 16.
	Keys []DecryptionKey
	// Algorithms are the allowed key management algorithms, by their exact names:
	// RSA-OAEP-256, RSA-OAEP, ECDH-ES, ECDH-ES+A128KW, ECDH-ES+A192KW, ECDH-ES+A256KW.
	// Default RSA-OAEP-256 and ECDH-ES+A256KW. RSA-OAEP, which is with SHA-1, is for
	// servers that know no other, such as OpenIddict. RSA1_5, shared secrets and
	// passwords never are.
	Algorithms []string
	// Encodings are the allowed content encryption algorithms: A128GCM, A192GCM,
	// A256GCM, A128CBC-HS256, A192CBC-HS384, A256CBC-HS512. Default A256GCM and
	// A128CBC-HS256. Compressed tokens are never opened.
	Encodings []string
	// MaxInFlight is how many tokens are opened at once; the excess is answered
	// with 503. Default 64, at most 4096.
	MaxInFlight int
}

// DecryptionKey is a private key for tokens that are encrypted to this API.
type DecryptionKey struct {
	// ID is the kid under which its public key is published.
	ID string
	// Private is an *rsa.PrivateKey of at least 2048 bits or an *ecdsa.PrivateKey of
	// P-256, P-384 or P-521.
	Private any
	// Decrypter is used instead of Private when the key is elsewhere.
	Decrypter KeyDecrypter
}

const (
	maxDecryptionKeys  = 16
	defaultMaxInFlight = 64
	maxMaxInFlight     = 4096
)

// opener opens encrypted tokens, so many at a time.
type opener struct {
	jwe   jwe.Opener
	slots chan struct{}
}

// newOpener returns nil when no keys are configured.
func newOpener(m *mistakes, d *DecryptionConfig, maxToken int) *opener {
	o := &opener{
		jwe: jwe.Opener{
			Algorithms: m.among("Decryption.Algorithms", d.Algorithms, []string{"RSA-OAEP-256", "ECDH-ES+A256KW"}, jwe.Algorithms[:]),
			Encodings:  m.among("Decryption.Encodings", d.Encodings, []string{"A256GCM", "A128CBC-HS256"}, jwe.Encodings[:]),
			MaxInner:   maxToken,
		},
		slots: make(chan struct{}, m.size("Decryption.MaxInFlight", d.MaxInFlight, defaultMaxInFlight, 1, maxMaxInFlight)),
	}
	if len(d.Keys) == 0 {
		return nil
	}
	if len(d.Keys) > maxDecryptionKeys {
		m.add("Decryption.Keys", fmt.Sprintf("has more than %d keys; drop those that no issuer uses any more", maxDecryptionKeys))
	}
	for i, k := range d.Keys {
		if problem := k.problem(); problem != "" {
			m.of(fmt.Sprintf("Decryption.Keys[%d]", i), k.ID, problem)
		}
		if slices.ContainsFunc(d.Keys[:i], func(other DecryptionKey) bool { return other.ID == k.ID }) {
			m.of(fmt.Sprintf("Decryption.Keys[%d].ID", i), k.ID, "stands twice")
		}
		key := jwe.Key{ID: k.ID, Private: k.Private, Refused: ErrDecryption}
		if k.Decrypter != nil {
			key.Private, key.Decrypter = nil, k.Decrypter.DecryptKey
		}
		o.jwe.Keys = append(o.jwe.Keys, key)
	}
	return o
}

func (k *DecryptionKey) problem() string {
	switch private := k.Private.(type) {
	case *rsa.PrivateKey:
		switch {
		case k.Decrypter != nil:
			return "has both Private and Decrypter; set one"
		case private == nil || private.N == nil || private.N.BitLen() < 2048:
			return "is an RSA key of less than 2048 bits"
		}
	case *ecdsa.PrivateKey:
		switch {
		case k.Decrypter != nil:
			return "has both Private and Decrypter; set one"
		case private == nil || private.Curve == nil || !slices.Contains([]string{"P-256", "P-384", "P-521"}, private.Curve.Params().Name):
			return "is not a key of P-256, P-384 or P-521"
		}
	case nil:
		if isNil(k.Decrypter) {
			return "has neither Private nor Decrypter"
		}
	default:
		return "is not an *rsa.PrivateKey or *ecdsa.PrivateKey"
	}
	return ""
}

// among returns a list of exact names, all of which must be supported.
func (m *mistakes) among(field string, list, byDefault, supported []string) []string {
	if len(list) == 0 {
		return byDefault
	}
	for i, name := range list {
		if !slices.Contains(supported, name) {
			m.of(fmt.Sprintf("%s[%d]", field, i), name, "is not supported; names are exact, one per entry: "+strings.Join(supported, ", "))
		}
	}
	return slices.Clone(list)
}

// open returns what is inside of an encrypted token and the name of the key that
// opened it.
func (o *opener) open(ctx context.Context, compact string) (inner, keyID string, err error) {
	if o == nil {
		return "", "", refuse(reason.TokenMalformed)
	}
	select {
	case o.slots <- struct{}{}:
		defer func() { <-o.slots }()
	default:
		return "", "", undecided(reason.Decryption, errBusyDecrypting, 0)
	}
	inner, key, err := o.jwe.Open(ctx, compact)
	switch {
	case errors.Is(err, jwe.ErrOpen):
		return "", "", refuse(reason.TokenDecryption)
	case err != nil:
		return "", "", undecided(reason.Decryption, err, 0)
	default:
		return inner, key.ID, nil
	}
}

var errBusyDecrypting = errors.New("verifier: too many encrypted tokens are being opened")
