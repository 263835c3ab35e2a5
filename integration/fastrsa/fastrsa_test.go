package fastrsa_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/conformance"
	"github.com/portcullis-go/portcullis/integration/fastrsa"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// ring are keys of 2048 bits that the suite gets in turn: making one takes
// longer than most checks.
var ring = sync.OnceValues(func() ([]*rsa.PrivateKey, error) {
	keys := make([]*rsa.PrivateKey, 10)
	for i := range keys {
		var err error
		if keys[i], err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			return nil, err
		}
	}
	return keys, nil
})

func TestConformance(t *testing.T) {
	for i, algorithm := range fastrsa.Algorithms() {
		t.Run(algorithm.Spec().Name, func(t *testing.T) {
			var turn atomic.Int64
			conformance.TestSignatureAlgorithm(t, conformance.SignatureAlgorithmHarness{
				New: func(*conformance.Env) (verifier.SignatureAlgorithm, error) { return algorithm, nil },
				NewKey: func(*conformance.Env) (conformance.SigningKey, error) {
					keys, err := ring()
					if err != nil {
						return conformance.SigningKey{}, err
					}
					private := keys[int(turn.Add(1))%len(keys)]
					return conformance.SigningKey{Members: members(&private.PublicKey), Sign: func(input string) ([]byte, error) {
						h := hashes[i].New()
						h.Write([]byte(input))
						return rsa.SignPKCS1v15(nil, private, hashes[i], h.Sum(nil))
					}}, nil
				},
				Vectors: forgeries(i),
				Timeout: time.Minute,
			})
		})
	}
}

// forgeries are signatures whose encoded messages a lenient reader takes for
// good ones, and a good one.
func forgeries(algorithm int) []conformance.SignatureVector {
	const input = "header.payload"
	var list []conformance.SignatureVector
	for i := range sizes {
		p := pairs[i]()
		add := func(name string, valid bool, steps ...[3]byte) {
			e := newEdit(p, algorithm, input)
			for _, s := range steps {
				e.step(s[0], s[1], s[2])
			}
			list = append(list, conformance.SignatureVector{
				Name: fmt.Sprintf("%d bits, %s", sizes[i], name), Members: members(&p.PublicKey), Input: input, Signature: e.signature(), Valid: valid,
			})
		}
		add("good", true)
		for info := range digestInfos {
			add(fmt.Sprintf("form %d of the fields", info), info == algorithm, [3]byte{4, 0, byte(info)})
			add(fmt.Sprintf("form %d with short padding and garbage", info), false, [3]byte{5, 8, byte(info)})
			add(fmt.Sprintf("form %d with padding for encryption", info), false, [3]byte{6, 0, byte(info)})
		}
		add("plus the modulus", false, [3]byte{11, 0, 0})
		add("zero in front", false, [3]byte{13, 1, 0})
	}
	return list
}

// TestSizesAndHashes: a good signature is accepted here, not only by the
// standard library behind.
func TestSizesAndHashes(t *testing.T) {
	for i, bits := range sizes {
		p := pairs[i]()
		for a := range hashes {
			for _, input := range []string{"", "header.payload", strings.Repeat("x", 2048), strings.Repeat("x", 2049)} {
				signature := newEdit(p, a, input).signature()
				if !p.prepared[a].Verify(input, signature) || !p.standard(a, input, signature) {
					t.Errorf("%d bits, %s: a good signature over %d octets is refused", bits, hashes[a], len(input))
				}
				for b := range hashes {
					if b != a && p.prepared[b].Verify(input, signature) {
						t.Errorf("%d bits: a signature of %s is one of %s", bits, hashes[a], hashes[b])
					}
				}
				for _, at := range []int{0, 1, len(signature) / 2, len(signature) - 1} {
					changed := bytes.Clone(signature)
					changed[at] ^= 1
					if p.prepared[a].Verify(input, changed) {
						t.Errorf("%d bits, %s: a signature with octet %d changed is accepted", bits, hashes[a], at)
					}
				}
			}
		}
	}
}

// TestLeadingZeros: the length counts, not the number alone (RFC 8017, Section
// 8.2.2, Step 1).
func TestLeadingZeros(t *testing.T) {
	p := pairs[0]()
	for i := range 5000 {
		input := fmt.Sprint("header.payload", i)
		signature := newEdit(p, 0, input).signature()
		if signature[0] != 0 { // all but one in 256
			continue
		}
		if !p.prepared[0].Verify(input, signature) {
			t.Error("a signature that begins with zero is refused")
		}
		for name, other := range map[string][]byte{"without": signature[1:], "with one more": append([]byte{0}, signature...)} {
			if p.prepared[0].Verify(input, other) || p.standard(0, input, other) {
				t.Errorf("the signature %s zero is accepted", name)
			}
		}
		return
	}
	t.Fatal("no signature begins with zero")
}

// TestStepsAside: for other keys than the usual ones, and for what is none.
func TestStepsAside(t *testing.T) {
	n := pairs[0]().N
	usual := []byte{1, 0, 1}
	size := func(bits int) []byte {
		m := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
		return m.Add(m, big.NewInt(1)).Bytes()
	}
	even := new(big.Int).Add(n, big.NewInt(1)).Bytes()
	for name, c := range map[string]struct {
		n, e []byte
		want bool
	}{
		"usual":               {n.Bytes(), usual, true},
		"3072 bits":           {size(3072), usual, true},
		"4096 bits":           {size(4096), usual, true},
		"2047 bits":           {size(2047), usual, false},
		"2049 bits":           {size(2049), usual, false},
		"2056 bits":           {size(2056), usual, false},
		"3071 bits":           {size(3071), usual, false},
		"4088 bits":           {size(4088), usual, false},
		"8192 bits":           {size(8192), usual, false},
		"1024 bits":           {size(1024), usual, false},
		"even":                {even, usual, false},
		"leading zero":        {append([]byte{0}, n.Bytes()...), usual, false},
		"leading zero inside": {append([]byte{0}, n.Bytes()[:255]...), usual, false},
		"no modulus":          {nil, usual, false},
		"exponent 3":          {n.Bytes(), []byte{3}, false},
		"exponent 1":          {n.Bytes(), []byte{1}, false},
		"exponent 65539":      {n.Bytes(), []byte{1, 0, 3}, false},
		"exponent 65793":      {n.Bytes(), []byte{1, 1, 1}, false},
		"exponent 131073":     {n.Bytes(), []byte{2, 0, 1}, false},
		"exponent 257":        {n.Bytes(), []byte{1, 1}, false},
		"longer exponent":     {n.Bytes(), []byte{0, 1, 0, 1}, false},
		"cut exponent":        {n.Bytes(), []byte{1, 0}, false},
		"no exponent":         {n.Bytes(), nil, false},
	} {
		for _, algorithm := range fastrsa.Algorithms() {
			key, err := algorithm.PrepareKey(map[string][]byte{"n": c.n, "e": c.e})
			if (err == nil) != c.want || (key != nil) != c.want {
				t.Errorf("%s, %s: PrepareKey = %v, %v; want a key: %v", algorithm.Spec().Name, name, key, err, c.want)
			}
		}
	}
}

// TestSpecs: what the verifier is told.
func TestSpecs(t *testing.T) {
	for i, name := range []string{"RS256", "RS384", "RS512"} {
		spec := fastrsa.Algorithms()[i].Spec()
		if spec.Name != name || spec.KeyType != "RSA" || spec.Curve != "" || spec.NamedByKey || len(spec.Members) != 2 {
			t.Errorf("Spec of %s = %+v", name, spec)
		}
		if n, e := spec.Members[0], spec.Members[1]; n != (verifier.KeyMember{Name: "n", MinSize: 256, MaxSize: 512}) || e != (verifier.KeyMember{Name: "e", MinSize: 1, MaxSize: 4}) {
			t.Errorf("members of %s = %+v", name, spec.Members)
		}
	}
	if len(fastrsa.Algorithms()) != 3 {
		t.Error("other algorithms than RS256, RS384 and RS512")
	}
}

// stepsAside marks the process of TestFIPS.
const stepsAside = "PORTCULLIS_TEST_FIPS"

// TestFIPS runs this binary in FIPS 140-3 mode, where crypto/rsa does all.
func TestFIPS(t *testing.T) {
	if os.Getenv(stepsAside) != "" {
		private, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		for _, algorithm := range fastrsa.Algorithms() {
			if key, err := algorithm.PrepareKey(members(&private.PublicKey)); key != nil || err == nil {
				t.Errorf("PrepareKey in FIPS 140-3 mode = %v, %v; want an error", key, err)
			}
		}
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFIPS$", "-test.v")
	cmd.Env = append(os.Environ(), stepsAside+"=1", "GODEBUG=fips140=on")
	if out, err := cmd.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("--- PASS: TestFIPS")) {
		t.Errorf("in FIPS 140-3 mode: %v\n%s", err, out)
	}
}

// newVerifier is one with accelerated RS256.
func newVerifier(t *testing.T) (*verifier.Verifier, *verifiertest.Issuer) {
	t.Helper()
	issuer := verifiertest.NewIssuer(t)
	cfg := issuer.Config("https://api.example")
	cfg.SignatureAlgorithms = fastrsa.Algorithms()
	v, err := verifier.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.Close() })
	return v, issuer
}

func TestVerifier(t *testing.T) {
	v, issuer := newVerifier(t)
	token := issuer.Sign("https://api.example", nil)
	if _, err := v.VerifyAccessToken(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	other := verifiertest.NewIssuer(t, verifiertest.WithURL(issuer.URL()))
	forged := other.SignWith(nil, issuer.Claims("https://api.example", nil))
	if _, err := v.VerifyAccessToken(t.Context(), forged); err == nil {
		t.Error("a token of another key is accepted")
	}
}
