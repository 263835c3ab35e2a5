package conformance_test

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/sha1"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/portcullis-go/portcullis/conformance"
	"github.com/portcullis-go/portcullis/verifier"
)

type decryptFunc = func(ctx context.Context, algorithm string, sent []byte) ([]byte, error)

// decrypting puts a mistake around DecryptKey.
func decrypting(f func(v *vault, decrypt decryptFunc) decryptFunc) func(*vault) {
	return func(v *vault) { v.decrypt = f(v, v.decrypt) }
}

// secondTry decrypts what is refused in another way.
func secondTry(f func(v *vault, sent []byte) ([]byte, error)) func(*vault) {
	return decrypting(func(v *vault, decrypt decryptFunc) decryptFunc {
		return func(ctx context.Context, algorithm string, sent []byte) ([]byte, error) {
			key, err := decrypt(ctx, algorithm, sent)
			if errors.Is(err, verifier.ErrDecryption) && algorithm == "RSA-OAEP-256" {
				if other, err := f(v, sent); err == nil {
					return other, nil
				}
			}
			return key, err
		}
	})
}

// erring changes errors. Dead: the context was done before the call.
func erring(f func(v *vault, dead bool, sent []byte, err error) error) func(*vault) {
	return decrypting(func(v *vault, decrypt decryptFunc) decryptFunc {
		return func(ctx context.Context, algorithm string, sent []byte) ([]byte, error) {
			dead := ctx.Err() != nil
			key, err := decrypt(ctx, algorithm, sent)
			if err != nil {
				return nil, f(v, dead, sent, err)
			}
			return key, nil
		}
	})
}

func allDecrypterDefects() []defect[func(*vault)] {
	return withManners(append(decrypterDefects(), moreDecrypterDefects()...), "hang-ends-with-the-context", func(ill illMannered) func(*vault) {
		return decrypting(func(v *vault, decrypt decryptFunc) decryptFunc {
			around := ill(&v.outage)
			return func(ctx context.Context, algorithm string, sent []byte) (key []byte, err error) {
				err = around(ctx, func(ctx context.Context) error {
					key, err = decrypt(ctx, algorithm, sent)
					return err
				})
				if err != nil {
					return nil, err
				}
				return key, nil
			}
		})
	})
}

func moreDecrypterDefects() []defect[func(*vault)] {
	return []defect[func(*vault)]{
		{name: "a key that begins with zeros is a shorter number", fails: "content-keys-with-zeros", make: decrypting(func(_ *vault, decrypt decryptFunc) decryptFunc {
			return func(ctx context.Context, algorithm string, sent []byte) ([]byte, error) {
				key, err := decrypt(ctx, algorithm, sent)
				if len(key) > 8 && bytes.Equal(key[:4], make([]byte, 4)) {
					key = bytes.TrimLeft(key, "\x00")
				}
				return key, err
			}
		})},
		{name: "a key ends with its last octet that is no zero", fails: "content-keys-with-zeros", make: decrypting(func(_ *vault, decrypt decryptFunc) decryptFunc {
			return func(ctx context.Context, algorithm string, sent []byte) ([]byte, error) {
				key, err := decrypt(ctx, algorithm, sent)
				if len(key) > 8 && bytes.Equal(key[len(key)-4:], make([]byte, 4)) {
					key = bytes.TrimRight(key, "\x00")
				}
				return key, err
			}
		})},
		{name: "a key is decrypted once", fails: "equal-keys-are-decrypted-alike", make: decrypting(func(_ *vault, decrypt decryptFunc) decryptFunc {
			var seen tombstones
			return func(ctx context.Context, algorithm string, sent []byte) ([]byte, error) {
				if seen.has(string(sent)) && ctx.Err() == nil {
					return nil, verifier.ErrDecryption
				}
				key, err := decrypt(ctx, algorithm, sent)
				if err == nil {
					seen.add(string(sent))
				}
				return key, err
			}
		})},
		{name: "RSA1_5 is tried too", fails: "keys-of-other-schemes-are-refused", make: secondTry(func(v *vault, sent []byte) ([]byte, error) {
			key, err := rsa.DecryptPKCS1v15(nil, v.key, sent)
			if len(key) != 32 { // chance has made a padding of garbage
				return nil, errRefused
			}
			return key, err
		})},
		{name: "RSA-OAEP with SHA-1 is tried too", fails: "keys-of-other-schemes-are-refused", make: secondTry(func(v *vault, sent []byte) ([]byte, error) {
			return rsa.DecryptOAEP(sha1.New(), nil, v.key, sent, nil)
		})},
		{name: "the end of an input that is too short is read", fails: "garbage-is-refused", make: decrypting(func(_ *vault, decrypt decryptFunc) decryptFunc {
			return func(ctx context.Context, algorithm string, sent []byte) ([]byte, error) {
				_ = sent[len(sent)-1]
				return decrypt(ctx, algorithm, sent)
			}
		})},
		{name: "50 bad keys shut everybody out", fails: "refusals-harm-no-later-call", make: decrypting(func(_ *vault, decrypt decryptFunc) decryptFunc {
			var bad atomic.Int64
			return func(ctx context.Context, algorithm string, sent []byte) ([]byte, error) {
				if bad.Load() >= 50 && ctx.Err() == nil {
					return nil, errRefused
				}
				key, err := decrypt(ctx, algorithm, sent)
				if errors.Is(err, verifier.ErrDecryption) {
					bad.Add(1)
				}
				return key, err
			}
		})},
		{name: "algorithms are compared without case", fails: "another-algorithm-is-not-used", make: decrypting(func(_ *vault, decrypt decryptFunc) decryptFunc {
			return func(ctx context.Context, algorithm string, sent []byte) ([]byte, error) {
				return decrypt(ctx, strings.ToUpper(algorithm), sent)
			}
		})},
		{name: "no algorithm is the usual one", fails: "another-algorithm-is-not-used", make: decrypting(func(_ *vault, decrypt decryptFunc) decryptFunc {
			return func(ctx context.Context, algorithm string, sent []byte) ([]byte, error) {
				if algorithm == "" {
					algorithm = "RSA-OAEP-256"
				}
				return decrypt(ctx, algorithm, sent)
			}
		})},
		{name: "the input is cleared", fails: "slices-are-the-callers", make: decrypting(func(_ *vault, decrypt decryptFunc) decryptFunc {
			return func(ctx context.Context, algorithm string, sent []byte) ([]byte, error) {
				key, err := decrypt(ctx, algorithm, sent)
				clear(sent)
				return key, err
			}
		})},
		{name: "content keys are remembered and given out", fails: "slices-are-the-callers", make: decrypting(func(_ *vault, decrypt decryptFunc) decryptFunc {
			var known sync.Map
			return func(ctx context.Context, algorithm string, sent []byte) ([]byte, error) {
				if key, ok := known.Load(algorithm + string(sent)); ok && ctx.Err() == nil {
					return key.([]byte), nil
				}
				key, err := decrypt(ctx, algorithm, sent)
				if err == nil {
					known.Store(algorithm+string(sent), key)
				}
				return key, err
			}
		})},
		{name: "the error shows the input", fails: "errors-show-nothing", make: erring(func(_ *vault, _ bool, sent []byte, err error) error {
			return fmt.Errorf("%w: %x", err, sent)
		})},
		{name: "a call that is given up is a refusal", fails: "a-done-context-is-no-refusal", make: erring(func(_ *vault, dead bool, _ []byte, err error) error {
			if dead {
				return errors.Join(verifier.ErrDecryption, err)
			}
			return err
		})},
		{name: "a time-out is a refusal", fails: "a-time-out-is-no-refusal", make: erring(func(v *vault, dead bool, _ []byte, err error) error {
			if !dead && v.isHung() {
				return errors.Join(verifier.ErrDecryption, err)
			}
			return err
		})},
	}
}

// TestOddKeyDecrypters: what is unusual and within the contract passes.
func TestOddKeyDecrypters(t *testing.T) {
	for name, odd := range map[string]func(*vault){
		"an unknown algorithm is an error of its own": decrypting(func(_ *vault, decrypt decryptFunc) decryptFunc {
			return func(ctx context.Context, algorithm string, sent []byte) ([]byte, error) {
				if algorithm != "RSA-OAEP-256" && ctx.Err() == nil {
					return nil, errRefused
				}
				return decrypt(ctx, algorithm, sent)
			}
		}),
		"refusals say how long the input was": erring(func(_ *vault, _ bool, sent []byte, err error) error {
			return fmt.Errorf("%d octets: %w", len(sent), err)
		}),
		"a content key has room behind it": decrypting(func(_ *vault, decrypt decryptFunc) decryptFunc {
			return func(ctx context.Context, algorithm string, sent []byte) ([]byte, error) {
				key, err := decrypt(ctx, algorithm, sent)
				if err != nil {
					return nil, err
				}
				return append(make([]byte, 0, 512), key...), nil
			}
		}),
	} {
		t.Run(name, func(t *testing.T) { conformance.TestKeyDecrypter(t, vaultHarness(odd)) })
	}
}
