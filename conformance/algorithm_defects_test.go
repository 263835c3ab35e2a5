package conformance_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha512"
	"errors"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/portcullis-go/portcullis/conformance"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// signing is an algorithm with places for mistakes: a good one has none. It is
// Ed25519.
type signing struct {
	spec    func() verifier.AlgorithmSpec
	prepare func(pub []byte) error
	verify  func(pub ed25519.PublicKey, input string, signature []byte) bool
	sign    func(private ed25519.PrivateKey, input string) []byte
	vectors []conformance.SignatureVector

	mu   sync.Mutex
	keys []ed25519.PublicKey // that the harness made
}

var errNoKey = errors.New("not a key")

func goodSigning() *signing {
	return &signing{
		spec:    verifiertest.NewSignatureAlgorithm("TEST-1").Spec,
		prepare: func([]byte) error { return nil },
		verify: func(pub ed25519.PublicKey, input string, signature []byte) bool {
			return len(signature) == ed25519.SignatureSize && ed25519.Verify(pub, []byte(input), signature)
		},
		sign: func(private ed25519.PrivateKey, input string) []byte { return ed25519.Sign(private, []byte(input)) },
	}
}

// made returns the two keys that the harness made last, if pub is one of them.
func (s *signing) made(pub ed25519.PublicKey) []ed25519.PublicKey {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := s.keys[max(0, len(s.keys)-2):]
	if !slices.ContainsFunc(last, func(known ed25519.PublicKey) bool { return pub.Equal(known) }) {
		return nil
	}
	return slices.Clone(last)
}

func (s *signing) Spec() verifier.AlgorithmSpec { return s.spec() }

func (s *signing) PrepareKey(members map[string][]byte) (verifier.SignatureKey, error) {
	pub := members["pub"]
	if len(pub) != ed25519.PublicKeySize {
		return nil, errNoKey
	}
	if err := s.prepare(pub); err != nil {
		return nil, err
	}
	return signingPublic{s, pub}, nil
}

type signingPublic struct {
	s   *signing
	pub ed25519.PublicKey
}

func (k signingPublic) Verify(input string, signature []byte) bool {
	return k.s.verify(k.pub, input, signature)
}

func (s *signing) harness() conformance.SignatureAlgorithmHarness {
	public, private, _ := ed25519.GenerateKey(rand.Reader)
	good := conformance.SignatureVector{
		Name: "good", Members: map[string][]byte{"pub": public}, Input: "a.b", Signature: s.sign(private, "a.b"), Valid: true,
	}
	return conformance.SignatureAlgorithmHarness{
		New: func(*conformance.Env) (verifier.SignatureAlgorithm, error) { return s, nil },
		NewKey: func(*conformance.Env) (conformance.SigningKey, error) {
			public, private, err := ed25519.GenerateKey(rand.Reader)
			s.mu.Lock()
			s.keys = append(s.keys, public)
			s.mu.Unlock()
			return conformance.SigningKey{
				Members: map[string][]byte{"pub": public},
				Sign:    func(input string) ([]byte, error) { return s.sign(private, input), nil },
			}, err
		},
		Vectors: append([]conformance.SignatureVector{good}, s.vectors...),
	}
}

// mistake changes a good algorithm.
type mistake = func(s *signing)

func TestSignatureAlgorithmDefects(t *testing.T) {
	t.Parallel()
	testDefects(t, conformance.SignatureAlgorithmChecks(), signingDefects(), func(ctx context.Context, d defect[mistake]) conformance.Report {
		s := goodSigning()
		d.make(s)
		return conformance.RunSignatureAlgorithm(ctx, s.harness())
	})
}

// verifying changes the verdict.
func verifying(f func(good func() bool, pub ed25519.PublicKey, input string, signature []byte) bool) mistake {
	return func(s *signing) {
		verify := s.verify
		s.verify = func(pub ed25519.PublicKey, input string, signature []byte) bool {
			return f(func() bool { return verify(pub, input, signature) }, pub, input, signature)
		}
	}
}

// read signs and verifies what is made of an input.
func read(f func(input string) string) mistake {
	return func(s *signing) {
		verify, sign := s.verify, s.sign
		s.verify = func(pub ed25519.PublicKey, input string, signature []byte) bool {
			return verify(pub, f(input), signature)
		}
		s.sign = func(private ed25519.PrivateKey, input string) []byte { return sign(private, f(input)) }
	}
}

func signingDefects() []defect[mistake] {
	return []defect[mistake]{
		{name: "none", make: func(*signing) {}},
		{name: "the bounds change", fails: "spec-is-constant", make: func(s *signing) {
			spec, calls := s.spec(), atomic.Int64{}
			s.spec = func() verifier.AlgorithmSpec {
				changed := spec
				changed.Members = []verifier.KeyMember{{Name: "pub", MinSize: 32, MaxSize: 32 + int(calls.Add(1)%2)}}
				return changed
			}
		}},
		{name: "the bounds are in one slice for all callers", fails: "spec-is-not-the-callers-to-change", make: func(s *signing) {
			spec := s.spec()
			s.spec = func() verifier.AlgorithmSpec { return spec }
		}},
		{name: "symmetric keys", fails: "spec-is-taken", make: func(s *signing) {
			spec := s.spec()
			spec.KeyType = "oct"
			s.spec = func() verifier.AlgorithmSpec { return spec }
		}},
		{name: "long inputs are refused", fails: "good-signatures-are-accepted", make: verifying(func(good func() bool, _ ed25519.PublicKey, input string, _ []byte) bool {
			return len(input) <= 8192 && good()
		})},
		{name: "any key counts", fails: "another-key-is-refused", make: func(s *signing) {
			verify := s.verify
			s.verify = func(pub ed25519.PublicKey, input string, signature []byte) bool {
				for _, known := range s.made(pub) {
					if verify(known, input, signature) {
						return true
					}
				}
				return verify(pub, input, signature)
			}
		}},
		{name: "the first 2048 octets of the input count", fails: "every-octet-of-a-long-input-counts", make: read(func(input string) string { return input[:min(len(input), 2048)] })},
		{name: "the input is read as UTF-8", fails: "every-octet-of-a-long-input-counts", make: read(func(input string) string { return strings.ToValidUTF8(input, "?") })},
		{name: "a table has room for 100 keys", fails: "keys-are-not-forgotten", make: func(s *signing) {
			var prepared atomic.Int64
			var places sync.Map // key -> when it was prepared first
			s.prepare = func(pub []byte) error {
				places.LoadOrStore(string(pub), prepared.Add(1))
				return nil
			}
			verify := s.verify
			s.verify = func(pub ed25519.PublicKey, input string, signature []byte) bool {
				place, _ := places.Load(string(pub))
				return prepared.Load()-place.(int64) < 100 && verify(pub, input, signature)
			}
		}},
		{name: "only the first part of the input counts", fails: "another-input-is-refused", make: func(s *signing) {
			first := func(input string) string { head, _, _ := strings.Cut(input, "."); return head }
			verify, sign := s.verify, s.sign
			s.verify = func(pub ed25519.PublicKey, input string, signature []byte) bool {
				return verify(pub, first(input), signature)
			}
			s.sign = func(private ed25519.PrivateKey, input string) []byte { return sign(private, first(input)) }
		}},
		{name: "the last bits do not count", fails: "changed-signatures-are-refused", make: func(s *signing) {
			verify, sign := s.verify, s.sign
			s.sign = func(private ed25519.PrivateKey, input string) []byte { return append(sign(private, input), 0xaa) }
			s.verify = func(pub ed25519.PublicKey, input string, signature []byte) bool {
				return len(signature) == ed25519.SignatureSize+1 && signature[0]|signature[1]|signature[2] != 0 && verify(pub, input, signature[:ed25519.SignatureSize])
			}
		}},
		{name: "what follows does not count", fails: "cut-and-longer-signatures-are-refused", make: func(s *signing) {
			verify := s.verify
			s.verify = func(pub ed25519.PublicKey, input string, signature []byte) bool {
				return verify(pub, input, signature[:min(len(signature), ed25519.SignatureSize)])
			}
		}},
		{name: "cut signatures are completed", fails: "cut-and-longer-signatures-are-refused", make: func(s *signing) {
			verify := s.verify
			var last sync.Map // by key and input
			s.verify = func(pub ed25519.PublicKey, input string, signature []byte) bool {
				if verify(pub, input, signature) {
					last.Store(string(pub)+input, string(signature))
					return true
				}
				good, ok := last.Load(string(pub) + input)
				return ok && len(signature) > 9 && len(signature) < ed25519.SignatureSize && strings.HasPrefix(good.(string), string(signature))
			}
		}},
		{name: "a known signature is refused", fails: "vectors", make: func(s *signing) {
			public, private, _ := ed25519.GenerateKey(rand.Reader)
			s.vectors = []conformance.SignatureVector{
				{Name: "of another kind", Members: map[string][]byte{"pub": public}, Input: "a.b", Signature: append(ed25519.Sign(private, []byte("a.b")), 0), Valid: true},
			}
		}},
		{name: "a known forgery is accepted", fails: "vectors", make: func(s *signing) {
			public, private, _ := ed25519.GenerateKey(rand.Reader)
			s.vectors = []conformance.SignatureVector{{Name: "forgery", Members: map[string][]byte{"pub": public}, Input: "a.b", Signature: ed25519.Sign(private, []byte("a.b"))}}
		}},
		{name: "a key is taken once", fails: "equal-members-decide-alike", make: func(s *signing) {
			var seen sync.Map
			s.prepare = func(pub []byte) error {
				if _, again := seen.LoadOrStore(string(pub), true); again {
					return errNoKey
				}
				return nil
			}
		}},
		{name: "the signature is turned around in place", fails: "signature-is-left-alone", make: verifying(func(good func() bool, _ ed25519.PublicKey, _ string, signature []byte) bool {
			ok := good()
			clear(signature)
			return ok
		})},
		{name: "the signature is kept", fails: "signature-is-left-alone", make: func(s *signing) {
			verify := s.verify
			var kept sync.Map // what was accepted, by key, for quick answers
			s.verify = func(pub ed25519.PublicKey, input string, signature []byte) bool {
				if before, ok := kept.Load(string(pub) + input); ok && bytes.Equal(before.([]byte), make([]byte, ed25519.SignatureSize)) {
					return false
				}
				if verify(pub, input, signature) {
					kept.Store(string(pub)+input, signature)
					return true
				}
				return false
			}
		}},
		{name: "one caller at a time", fails: "concurrent-use", make: func(s *signing) {
			var callers atomic.Int64
			verify := s.verify
			s.verify = func(pub ed25519.PublicKey, input string, signature []byte) bool {
				defer callers.Add(-1)
				alone := callers.Add(1) == 1
				ok := verify(pub, input, signature)
				runtime.Gosched()
				return ok && alone
			}
		}},
		{name: "panics over a key of zeros", fails: "keys-of-any-octets", make: func(s *signing) {
			s.prepare = func(pub []byte) error {
				if bytes.Equal(pub, make([]byte, len(pub))) {
					panic("zeros")
				}
				return nil
			}
		}},
		{name: "a key that is none takes all", fails: "keys-of-any-octets", make: verifying(func(good func() bool, pub ed25519.PublicKey, _ string, _ []byte) bool {
			return good() || bytes.Equal(pub, bytes.Repeat([]byte{0xff}, len(pub)))
		})},
		{name: "panics over no signature", fails: "signatures-of-any-octets cut-and-longer-signatures-are-refused", make: verifying(func(good func() bool, _ ed25519.PublicKey, _ string, signature []byte) bool {
			return signature[0] >= 0 && good()
		})},
		{name: "a signature of zeros fits", fails: "signatures-of-any-octets", make: verifying(func(good func() bool, _ ed25519.PublicKey, _ string, signature []byte) bool {
			return good() || len(signature) == ed25519.SignatureSize && bytes.Count(signature, []byte{0}) == len(signature)
		})},
	}
}

// TestOddSignatureAlgorithms: what is unusual and within the contract passes.
func TestOddSignatureAlgorithms(t *testing.T) {
	for name, odd := range map[string]mistake{
		"the input is hashed first": read(func(input string) string {
			sum := sha512.Sum512([]byte(input))
			return string(sum[:])
		}),
		"bad keys are refused when they are prepared": func(s *signing) {
			s.prepare = func(pub []byte) error {
				if bytes.Count(pub, pub[:1]) == len(pub) {
					return errNoKey
				}
				return nil
			}
		},
		"verdicts are remembered": func(s *signing) {
			var known sync.Map
			verify := s.verify
			s.verify = func(pub ed25519.PublicKey, input string, signature []byte) bool {
				question := string(pub) + "\x00" + input + "\x00" + string(signature)
				verdict, ok := known.Load(question)
				if !ok {
					verdict = verify(pub, input, signature)
					known.Store(question, verdict)
				}
				return verdict.(bool)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := goodSigning()
			odd(s)
			conformance.TestSignatureAlgorithm(t, s.harness())
		})
	}
}

// TestRulesOfSignatureAlgorithms: each rule stands in the doc comments of the
// interface, word by word.
func TestRulesOfSignatureAlgorithms(t *testing.T) {
	source, err := os.ReadFile("../verifier/signaturealgorithm.go")
	if err != nil {
		t.Fatal(err)
	}
	comments := regexp.MustCompile(`(?m)^\s*//\s*`).ReplaceAllString(string(source), "")
	contract := strings.Join(strings.Fields(comments), " ")
	for _, c := range conformance.SignatureAlgorithmChecks() {
		if !strings.Contains(contract, c.Rule) {
			t.Errorf("%s: the rule %q is not in the contract", c.Name, c.Rule)
		}
	}
}

// TestFakeSignatureAlgorithm: the fake keeps the contract.
func TestFakeSignatureAlgorithm(t *testing.T) {
	conformance.TestSignatureAlgorithm(t, conformance.SignatureAlgorithmHarness{
		New: func(*conformance.Env) (verifier.SignatureAlgorithm, error) {
			return verifiertest.NewSignatureAlgorithm("TEST-1"), nil
		},
		NewKey: goodSigning().harness().NewKey,
	})
}
