package conformance

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
)

// SignatureAlgorithmHarness says how to test a [verifier.SignatureAlgorithm].
// New and NewKey are required.
type SignatureAlgorithmHarness struct {
	// New makes what is tested.
	New func(env *Env) (verifier.SignatureAlgorithm, error)
	// NewKey makes a private key that the algorithm takes the public part of: a
	// new one on each call, made by other code than what is tested, as far as
	// there is any.
	NewKey func(env *Env) (SigningKey, error)
	// Vectors are known signatures, good and bad ones. Without any, the check of
	// them is skipped.
	Vectors []SignatureVector
	// Timeout of a call. Default 10 s. A check may take six times as long.
	Timeout time.Duration

	Options
}

// SigningKey is a private key for the tests of a
// [verifier.SignatureAlgorithm].
type SigningKey struct {
	// Members are the octets of the public key, by the names that the
	// [verifier.AlgorithmSpec] gives.
	Members map[string][]byte
	// Sign returns a signature in the form that JWS has for it.
	Sign func(input string) ([]byte, error)
}

// SignatureVector is a signature that is known to be good or bad.
type SignatureVector struct {
	// Name of the vector, for reports.
	Name string
	// Members are the octets of the public key.
	Members map[string][]byte
	// Input and Signature are what Verify is asked about.
	Input     string
	Signature []byte
	// Valid is the right answer. It is false too for a key that is none.
	Valid bool
}

// SignatureAlgorithmChecks returns the checks of [verifier.SignatureAlgorithm]
// as data.
func SignatureAlgorithmChecks() []Check[SignatureAlgorithmHarness] {
	const (
		spec    = "Spec returns the same value on every call, one that [New] takes."
		verdict = "It accepts what the owner of the key signs, and nothing else: not over another input, not of another key, not changed, cut or longer."
		alike   = "Equal members give keys that decide alike, for ever."
		panics  = "Nothing panics, whatever comes in."
	)
	checks := []Check[SignatureAlgorithmHarness]{
		algorithmCheck("spec-is-constant", spec, algorithmSpec),
		algorithmCheck("spec-is-taken", spec, algorithmNew),
		algorithmCheck("spec-is-not-the-callers-to-change", spec, algorithmOwnSpec),
		algorithmCheck("good-signatures-are-accepted", verdict, algorithmAccepts),
		algorithmCheck("another-key-is-refused", verdict, algorithmOtherKey),
		algorithmCheck("another-input-is-refused", verdict, algorithmOtherInput),
		algorithmCheck("every-octet-of-a-long-input-counts", verdict, algorithmLongInput),
		algorithmCheck("changed-signatures-are-refused", verdict, algorithmChanged),
		algorithmCheck("cut-and-longer-signatures-are-refused", verdict, algorithmLengths),
		algorithmCheck("vectors", verdict, algorithmVectors),
		algorithmCheck("equal-members-decide-alike", alike, algorithmAlike),
		algorithmCheck("keys-are-not-forgotten", alike, algorithmRemembers),
		algorithmCheck("signature-is-left-alone", "it must not be changed or kept.", algorithmKeeps),
		algorithmCheck("concurrent-use", "All methods are safe for concurrent use, the ones of the SignatureKey too.", algorithmConcurrent),
		algorithmCheck("keys-of-any-octets", panics, algorithmAnyKey),
		algorithmCheck("signatures-of-any-octets", panics, algorithmAnySignature),
	}
	checks = basis([]string{"SignatureAlgorithm/spec-is-constant", "SignatureAlgorithm/spec-is-taken"}, checks)
	return founded(map[string]string{"keys-are-not-forgotten": "equal-members-decide-alike"}, checks)
}

// TestSignatureAlgorithm tests that an algorithm keeps the contract of
// [verifier.SignatureAlgorithm], each rule in a subtest. It cannot find every
// signature that is accepted and should not be: give it vectors, and fuzz.
func TestSignatureAlgorithm(t *testing.T, h SignatureAlgorithmHarness) Report {
	t.Helper()
	return h.suite().test(t)
}

// RunSignatureAlgorithm is [TestSignatureAlgorithm] without a test.
func RunSignatureAlgorithm(ctx context.Context, h SignatureAlgorithmHarness) Report {
	return h.suite().run(ctx)
}

func (h SignatureAlgorithmHarness) suite() suite[SignatureAlgorithmHarness] {
	return suite[SignatureAlgorithmHarness]{harness: h, checks: SignatureAlgorithmChecks()}
}

func (h SignatureAlgorithmHarness) plan() plan { return plan{Options: h.Options, timeout: h.Timeout} }

// algorithmCase is what a check of an algorithm works with.
type algorithmCase struct {
	env       *Env
	h         SignatureAlgorithmHarness
	algorithm verifier.SignatureAlgorithm
}

func algorithmCheck(name, rule string, run func(c *algorithmCase) error) Check[SignatureAlgorithmHarness] {
	return newCheck("SignatureAlgorithm", name, rule, newAlgorithmCase, run)
}

func newAlgorithmCase(env *Env, h SignatureAlgorithmHarness) (*algorithmCase, error) {
	if h.NewKey == nil {
		return nil, errors.New("the harness has no NewKey")
	}
	algorithm, err := opened(env, h.New, "a SignatureAlgorithm")
	if err != nil {
		return nil, err
	}
	return &algorithmCase{env, h, algorithm}, nil
}

// algorithmKey is a key pair, the public part prepared.
type algorithmKey struct {
	c        *algorithmCase
	private  SigningKey
	prepared verifier.SignatureKey
}

// key makes a key and prepares it.
func (c *algorithmCase) key() (*algorithmKey, error) {
	private, err := c.h.NewKey(c.env)
	if err != nil {
		return nil, fmt.Errorf("the harness's NewKey = %w; want a key", err)
	}
	prepared, err := c.prepare(private.Members)
	if err != nil || prepared == nil {
		return nil, fmt.Errorf("PrepareKey of a good key = %v, %v; want a key", prepared, err)
	}
	return &algorithmKey{c, private, prepared}, nil
}

// prepare gives the algorithm octets of its own.
func (c *algorithmCase) prepare(members map[string][]byte) (verifier.SignatureKey, error) {
	defer c.env.begin("PrepareKey")()
	return c.algorithm.PrepareKey(cloneMembers(members))
}

// sign returns a signature of the harness.
func (k *algorithmKey) sign(input string) ([]byte, error) {
	signature, err := k.private.Sign(input)
	if err != nil || len(signature) == 0 {
		return nil, fmt.Errorf("the harness's Sign = %d octets, %v; want a signature", len(signature), err)
	}
	return signature, nil
}

// verify asks about a copy of the signature.
func (k *algorithmKey) verify(input string, signature []byte) bool {
	return k.c.ask(k.prepared, input, signature)
}

func (c *algorithmCase) ask(key verifier.SignatureKey, input string, signature []byte) bool {
	defer c.env.begin("Verify")()
	return key.Verify(input, append([]byte(nil), signature...))
}
