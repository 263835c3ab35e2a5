package conformance_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"runtime"
	"sync"
	"testing"

	"github.com/portcullis-go/portcullis/conformance"
	"github.com/portcullis-go/portcullis/verifier"
)

// vault is a KeyDecrypter with a place for a mistake.
type vault struct {
	outage
	key     *rsa.PrivateKey
	last    []byte
	decrypt func(ctx context.Context, algorithm string, sent []byte) ([]byte, error)
}

func (v *vault) DecryptKey(ctx context.Context, algorithm string, sent []byte) ([]byte, error) {
	return v.decrypt(ctx, algorithm, sent)
}

func (v *vault) good(ctx context.Context, algorithm string, sent []byte) ([]byte, error) {
	if err := v.enter(ctx); err != nil {
		return nil, err
	}
	if algorithm != "RSA-OAEP-256" {
		return nil, verifier.ErrDecryption
	}
	key, err := rsa.DecryptOAEP(sha256.New(), nil, v.key, sent, nil)
	if err != nil {
		return nil, verifier.ErrDecryption
	}
	return key, nil
}

var vaultKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, _ := rsa.GenerateKey(rand.Reader, 2048)
	return key
})

func vaultHarness(change func(*vault)) conformance.KeyDecrypterHarness {
	return conformance.KeyDecrypterHarness{
		PublicKey: &vaultKey().PublicKey,
		New: func(*conformance.Env) (verifier.KeyDecrypter, error) {
			v := &vault{key: vaultKey()}
			v.decrypt = v.good
			if change != nil {
				change(v)
			}
			return v, nil
		},
		Break: func(d verifier.KeyDecrypter) func() { return d.(*vault).breakIt() },
		Hang:  func(d verifier.KeyDecrypter) func() { return d.(*vault).hangIt() },
	}
}

func TestKeyDecrypterDefects(t *testing.T) {
	t.Parallel()
	if report := conformance.RunKeyDecrypter(t.Context(), vaultHarness(nil)); report.Err() != nil || report.Count(conformance.Skipped) > 0 {
		t.Errorf("the reference: %v, %v", report.Err(), report.With(conformance.Skipped))
	}
	testDefects(t, conformance.KeyDecrypterChecks(), allDecrypterDefects(), func(ctx context.Context, d defect[func(*vault)]) conformance.Report {
		return conformance.RunKeyDecrypter(ctx, vaultHarness(d.make))
	})
}

func decrypterDefects() []defect[func(*vault)] {
	type decrypts = func(ctx context.Context, algorithm string, sent []byte) ([]byte, error)
	with := func(f func(v *vault) decrypts) func(*vault) { return func(v *vault) { v.decrypt = f(v) } }
	return []defect[func(*vault)]{
		{name: "keys are cut to 32 octets", fails: "content-keys-are-decrypted", make: with(func(v *vault) decrypts {
			return func(ctx context.Context, algorithm string, sent []byte) ([]byte, error) {
				key, err := v.good(ctx, algorithm, sent)
				return key[:min(len(key), 32)], err
			}
		})},
		{name: "a key of another is an outage", fails: "keys-of-another-are-refused", make: with(func(v *vault) decrypts {
			return func(ctx context.Context, algorithm string, sent []byte) ([]byte, error) {
				key, err := v.good(ctx, algorithm, sent)
				if errors.Is(err, verifier.ErrDecryption) && algorithm == "RSA-OAEP-256" {
					return nil, errDown
				}
				return key, err
			}
		})},
		{name: "a length is an outage", fails: "garbage-is-refused", make: with(func(v *vault) decrypts {
			return func(ctx context.Context, algorithm string, sent []byte) ([]byte, error) {
				if len(sent) != v.key.Size() {
					return nil, errDown
				}
				return v.good(ctx, algorithm, sent)
			}
		})},
		{name: "the algorithm does not matter", fails: "another-algorithm-is-not-used", make: with(func(v *vault) decrypts {
			return func(ctx context.Context, _ string, sent []byte) ([]byte, error) {
				return v.good(ctx, "RSA-OAEP-256", sent)
			}
		})},
		{name: "calls share a buffer", fails: "concurrent-calls-do-not-mix", make: with(func(v *vault) decrypts {
			return func(ctx context.Context, algorithm string, sent []byte) ([]byte, error) {
				v.mu.Lock()
				v.last = sent
				v.mu.Unlock()
				runtime.Gosched()
				v.mu.Lock()
				sent = v.last
				v.mu.Unlock()
				return v.good(ctx, algorithm, sent)
			}
		})},
		{name: "contexts are ignored", fails: "done-context-is-an-error", make: with(func(v *vault) decrypts {
			return func(ctx context.Context, algorithm string, sent []byte) ([]byte, error) {
				if v.isHung() {
					return v.good(ctx, algorithm, sent)
				}
				return v.good(context.WithoutCancel(ctx), algorithm, sent)
			}
		})},
		{name: "down is a refusal", fails: "failure-is-no-refusal", make: with(func(v *vault) decrypts {
			return func(ctx context.Context, algorithm string, sent []byte) ([]byte, error) {
				key, err := v.good(ctx, algorithm, sent)
				if errors.Is(err, errDown) {
					err = verifier.ErrDecryption
				}
				return key, err
			}
		})},
		{name: "waits for ever", fails: "hang-ends-with-the-context", make: with(func(v *vault) decrypts {
			return func(ctx context.Context, algorithm string, sent []byte) ([]byte, error) {
				if v.isHung() {
					ctx = context.WithoutCancel(ctx)
				}
				return v.good(ctx, algorithm, sent)
			}
		})},
	}
}
