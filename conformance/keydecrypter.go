package conformance

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
)

// KeyDecrypterHarness says how to test a [verifier.KeyDecrypter]. New and PublicKey
// are required. What is left out is skipped and reported so.
type KeyDecrypterHarness struct {
	// New makes what is tested. It is called for each check.
	New func(env *Env) (verifier.KeyDecrypter, error)
	// PublicKey is the public part of its key.
	PublicKey *rsa.PublicKey
	// Break makes the key management fail until repair is called.
	Break func(decrypter verifier.KeyDecrypter) (repair func())
	// Hang makes the key management never answer, until release is called.
	Hang func(decrypter verifier.KeyDecrypter) (release func())
	// Timeout of a call. Default 10 s. A check may take six times as long.
	Timeout time.Duration

	Options
}

// KeyDecrypterChecks returns the checks of [verifier.KeyDecrypter] as data.
func KeyDecrypterChecks() []Check[KeyDecrypterHarness] {
	const (
		returns = "DecryptKey returns the content encryption key that encryptedKey holds, by the named algorithm (RFC 7518, Section 4): RSA-OAEP-256, or RSA-OAEP where DecryptionConfig.Algorithms allows it."
		refused = "A key that cannot be decrypted matches [ErrDecryption]."
		other   = `Any other error is "could not decide" (503).`
		done    = "ctx is honoured as everywhere."
		safe    = "Safe for concurrent use."
		owns    = "The caller owns the content key; encryptedKey is not changed or kept."
		nothing = "Errors contain neither keys nor input."
	)
	checks := []Check[KeyDecrypterHarness]{
		decrypterCheck("content-keys-are-decrypted", returns, decrypterGood),
		decrypterCheck("keys-of-another-are-refused", refused, decrypterForeign),
		decrypterCheck("content-keys-with-zeros", returns, decrypterZeros),
		decrypterCheck("equal-keys-are-decrypted-alike", returns, decrypterAgain),
		decrypterCheck("garbage-is-refused", refused, decrypterGarbage),
		decrypterCheck("keys-of-other-schemes-are-refused", refused, decrypterSchemes),
		decrypterCheck("refusals-harm-no-later-call", returns, decrypterAfterRefusals),
		decrypterCheck("another-algorithm-is-not-used", returns, decrypterAlgorithm),
		decrypterCheck("slices-are-the-callers", owns, decrypterSlices),
		decrypterCheck("errors-show-nothing", nothing, decrypterErrors),
		decrypterCheck("concurrent-calls-do-not-mix", safe, decrypterTogether),
		decrypterCheck("a-done-context-is-no-refusal", other, decrypterDone),
	}
	checks = append(checks, group(groupBreak, decrypterCheck("failure-is-no-refusal", other, decrypterDown))...)
	checks = append(checks, group(groupHang, decrypterCheck("a-time-out-is-no-refusal", other, decrypterTimeOut))...)
	checks = append(checks, decrypterManners(done, returns).checks()...)
	checks = basis([]string{"KeyDecrypter/content-keys-are-decrypted", "KeyDecrypter/keys-of-another-are-refused"}, checks)
	return founded(map[string]string{"slices-are-the-callers": "equal-keys-are-decrypted-alike"}, checks)
}

func decrypterManners(done, again string) manners[KeyDecrypterHarness, *decrypterCase] {
	return manners[KeyDecrypterHarness, *decrypterCase]{
		check: decrypterCheck, env: func(c *decrypterCase) *Env { return c.env },
		calls: []mannered[*decrypterCase]{{"DecryptKey", func(c *decrypterCase, ctx context.Context, _ int) error {
			_, sent, err := encrypted(c.h.PublicKey, 32)
			if err == nil {
				_, err = c.decrypt(ctx, oaep256, sent)
			}
			return err
		}}},
		works:  func(c *decrypterCase, round int) error { return c.good(contentKeys[round%len(contentKeys)]) },
		breaks: func(c *decrypterCase) func() func() { return faulty(c.h.Break, c.decrypter) },
		hangs:  func(c *decrypterCase) func() func() { return faulty(c.h.Hang, c.decrypter) },
		done:   done, again: again, hanging: "hang-ends-with-the-context",
	}
}

// TestKeyDecrypter tests that a decrypter keeps the contract of
// [verifier.KeyDecrypter], each rule in a subtest.
func TestKeyDecrypter(t *testing.T, h KeyDecrypterHarness) Report {
	t.Helper()
	return h.suite().test(t)
}

// RunKeyDecrypter is [TestKeyDecrypter] without a test.
func RunKeyDecrypter(ctx context.Context, h KeyDecrypterHarness) Report { return h.suite().run(ctx) }

func (h KeyDecrypterHarness) suite() suite[KeyDecrypterHarness] {
	return suite[KeyDecrypterHarness]{harness: h, checks: KeyDecrypterChecks()}
}

func (h KeyDecrypterHarness) plan() plan { return plan{Options: h.Options, timeout: h.Timeout} }

// decrypterCase is what a check of a decrypter works with.
type decrypterCase struct {
	ctx       context.Context
	env       *Env
	h         KeyDecrypterHarness
	decrypter verifier.KeyDecrypter
}

func decrypterCheck(name, rule string, run func(c *decrypterCase) error) Check[KeyDecrypterHarness] {
	return newCheck("KeyDecrypter", name, rule, newDecrypterCase, run)
}

func newDecrypterCase(env *Env, h KeyDecrypterHarness) (*decrypterCase, error) {
	if h.PublicKey == nil {
		return nil, errors.New("the harness has no PublicKey")
	}
	decrypter, err := opened(env, h.New, "a KeyDecrypter")
	if err != nil {
		return nil, err
	}
	return &decrypterCase{env.ctx, env, h, decrypter}, nil
}

const oaep256 = "RSA-OAEP-256"

// encrypted returns a new content key of a length, and what is sent of it.
func encrypted(to *rsa.PublicKey, length int) (key, sent []byte, err error) {
	key = make([]byte, length)
	_, _ = rand.Read(key)
	sent, err = encryptedKey(to, key)
	return key, sent, err
}

func encryptedKey(to *rsa.PublicKey, key []byte) ([]byte, error) {
	return rsa.EncryptOAEP(sha256.New(), rand.Reader, to, key, nil)
}

func (c *decrypterCase) decrypt(ctx context.Context, algorithm string, sent []byte) ([]byte, error) {
	defer c.env.begin("DecryptKey")()
	return c.decrypter.DecryptKey(ctx, algorithm, bytes.Clone(sent))
}

// contentKeys are the lengths that content encryption has (RFC 7518, Section 5.1).
var contentKeys = [...]int{16, 24, 32, 48, 64}

func (c *decrypterCase) good(length int) error {
	key, sent, err := encrypted(c.h.PublicKey, length)
	if err != nil {
		return err
	}
	return c.decrypts(sent, key)
}

// decrypts wants a content key.
func (c *decrypterCase) decrypts(sent, key []byte) error {
	got, err := c.decrypt(c.ctx, oaep256, sent)
	if err != nil {
		return fmt.Errorf("DecryptKey of a key of %d octets = %w; want the key", len(key), err)
	}
	if !bytes.Equal(got, key) {
		return fmt.Errorf("DecryptKey of a key of %d octets = %d octets, which are not the key; want it", len(key), len(got))
	}
	return nil
}

func decrypterGood(c *decrypterCase) error {
	for _, length := range contentKeys {
		if err := c.good(length); err != nil {
			return err
		}
	}
	return nil
}

// refuses wants an error that says that the token is bad.
func (c *decrypterCase) refuses(what string, sent []byte) error {
	if got, err := c.decrypt(c.ctx, oaep256, sent); !errors.Is(err, verifier.ErrDecryption) || len(got) > 0 {
		return fmt.Errorf("DecryptKey of %s = %d octets, %v; want nothing and an error that matches ErrDecryption", what, len(got), err)
	}
	return nil
}

func decrypterForeign(c *decrypterCase) error {
	other, err := rsa.GenerateKey(rand.Reader, c.h.PublicKey.N.BitLen())
	if err != nil {
		return err
	}
	for range 3 {
		_, sent, err := encrypted(&other.PublicKey, 32)
		if err != nil {
			return err
		}
		if err := c.refuses("a key that is encrypted to another", sent); err != nil {
			return err
		}
	}
	return nil
}

func decrypterGarbage(c *decrypterCase) error {
	_, sent, err := encrypted(c.h.PublicKey, 32)
	if err != nil {
		return err
	}
	changed := bytes.Clone(sent)
	changed[len(changed)-1] ^= 1
	for what, octets := range map[string][]byte{
		"nothing": nil, "one octet": {0}, "zeros": make([]byte, len(sent)), "more than the modulus": bytes.Repeat([]byte{0xff}, len(sent)), "64 KiB": make([]byte, 64<<10), "a key that was cut": sent[:len(sent)-1], "a key that was lengthened": append(bytes.Clone(sent), 0), "a key that was changed": changed,
	} {
		if err := c.refuses(what, octets); err != nil {
			return err
		}
	}
	return nil
}

// decrypterAlgorithm names algorithms that are never allowed.
func decrypterAlgorithm(c *decrypterCase) error {
	_, sent, err := encrypted(c.h.PublicKey, 32)
	if err != nil {
		return err
	}
	for _, algorithm := range []string{"RSA1_5", "RSA-OAEP", "RSA-OAEP-512", "rsa-oaep-256", "dir", ""} {
		if got, err := c.decrypt(c.ctx, algorithm, sent); err == nil {
			return fmt.Errorf("DecryptKey by %q = %d octets, nil; want an error", algorithm, len(got))
		}
	}
	return nil
}

func decrypterTogether(c *decrypterCase) error {
	return together(16, func(i int) error {
		for range 4 {
			if err := c.good(contentKeys[i%len(contentKeys)]); err != nil {
				return err
			}
		}
		return nil
	})
}

func decrypterDown(c *decrypterCase) error {
	if c.h.Break == nil {
		return skip("the harness has no Break")
	}
	_, sent, err := encrypted(c.h.PublicKey, 32)
	if err != nil {
		return err
	}
	defer c.h.Break(c.decrypter)()
	if _, err := c.decrypt(c.ctx, oaep256, sent); err == nil || errors.Is(err, verifier.ErrDecryption) {
		return fmt.Errorf("DecryptKey while the key management is down = %v; want an error other than ErrDecryption", err)
	}
	return nil
}
