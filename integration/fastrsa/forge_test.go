package fastrsa_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha256"
	_ "crypto/sha512"
	"math/big"
	"sync"
	"testing"

	"github.com/portcullis-go/portcullis/integration/fastrsa"
	"github.com/portcullis-go/portcullis/verifier"
)

// hashes by the place of the algorithm in fastrsa.Algorithms.
var hashes = [...]crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512}

var sizes = [...]int{2048, 3072, 4096}

// pair is a private key, and its public one as the algorithms prepared it.
type pair struct {
	*rsa.PrivateKey
	prepared [len(hashes)]verifier.SignatureKey
}

// pairs are made once: a key of 4096 bits takes seconds.
var pairs [len(sizes)]func() *pair

func init() {
	for i, bits := range sizes {
		pairs[i] = sync.OnceValue(func() *pair {
			private, err := rsa.GenerateKey(rand.Reader, bits)
			if err != nil {
				panic(err)
			}
			p := &pair{PrivateKey: private}
			for j, a := range fastrsa.Algorithms() {
				if p.prepared[j], err = a.PrepareKey(members(&private.PublicKey)); err != nil {
					panic(err)
				}
			}
			return p
		})
	}
}

func members(public *rsa.PublicKey) map[string][]byte {
	return map[string][]byte{"n": public.N.Bytes(), "e": big.NewInt(int64(public.E)).Bytes()}
}

// standard is the verdict of crypto/rsa.
func (p *pair) standard(algorithm int, input string, signature []byte) bool {
	h := hashes[algorithm].New()
	h.Write([]byte(input))
	return rsa.VerifyPKCS1v15(&p.PublicKey, hashes[algorithm], h.Sum(nil), signature) == nil
}

// raw returns the number whose power of the exponent is em: the signature of
// whatever em says.
func (p *pair) raw(em []byte) []byte {
	c := new(big.Int).SetBytes(em)
	c.Mod(c, p.N)
	// The Chinese remainder theorem (RFC 8017, Section 5.1.2).
	m1 := new(big.Int).Exp(c, p.Precomputed.Dp, p.Primes[0])
	m2 := new(big.Int).Exp(c, p.Precomputed.Dq, p.Primes[1])
	m1.Sub(m1, m2).Mul(m1, p.Precomputed.Qinv).Mod(m1, p.Primes[0])
	m1.Mul(m1, p.Primes[1]).Add(m1, m2)
	return m1.FillBytes(make([]byte, p.Size()))
}

// digestInfos are the fields in front of a hash, and forms of them that a
// lenient reader of ASN.1 could take for the same.
var digestInfos = [...]string{
	"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20",                 // SHA-256
	"\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30",                 // SHA-384
	"\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40",                 // SHA-512
	"\x30\x2f\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x04\x20",                         // without NULL
	"\x30\x3f\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x04\x30",                         //
	"\x30\x4f\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x04\x40",                         //
	"\x30\x81\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20",             // long length
	"\x30\x32\x30\x81\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20",             //
	"\x30\x32\x30\x0e\x06\x0a\x60\x86\x48\x80\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20",             // long identifier
	"\x30\x21\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00\x04\x14",                                 // SHA-1
	"\x30\x80\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20",                 // no length
	"\x30\x35\x30\x11\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x04\x00\x00\x00\x00\x04\x20", // parameters
	"", // the hash alone
}

// message builds an encoded message (RFC 8017, Section 9.2) with the parts as
// given.
func message(size int, first []byte, fill byte, info string, hash []byte, padding int) []byte {
	em := append([]byte(nil), first...)
	em = append(em, bytes.Repeat([]byte{fill}, max(0, padding))...)
	em = append(em, 0)
	em = append(em, info...)
	em = append(em, hash...)
	for len(em) < size { // what a reader that stops early does not see
		em = append(em, byte(len(em)))
	}
	return em[:size]
}

// edit is a little machine that spoils an encoded message and the signature of
// it as a program says, three octets for each step.
type edit struct {
	p        *pair
	hash     []byte
	em       []byte
	after    [][3]byte // steps for the signature
	standard int       // the right length of the padding
}

func newEdit(p *pair, algorithm int, input string) *edit {
	h := hashes[algorithm].New()
	h.Write([]byte(input))
	e := &edit{p: p, hash: h.Sum(nil)}
	e.standard = p.Size() - 3 - len(digestInfos[algorithm]) - len(e.hash)
	e.em = message(p.Size(), []byte{0, 1}, 0xff, digestInfos[algorithm], e.hash, e.standard)
	return e
}

func (e *edit) step(op, a, b byte) {
	size := len(e.em)
	at := int(a) % size
	if a >= 128 { // as often near the end, where the hash is
		at = size - 1 - int(a-128)
	}
	info := digestInfos[int(b)%len(digestInfos)]
	fit := size - 3 - len(info) - len(e.hash)
	switch op % 16 {
	case 0:
		e.em[at] ^= 1 << (b % 8)
	case 1:
		e.em[at] = b
	case 2: // drop one octet, and fill up at the end
		e.em = append(append(e.em[:at:at], e.em[at+1:]...), b)
	case 3: // put one in
		e.em = append(append(append([]byte(nil), e.em[:at]...), b), e.em[at:]...)[:size]
	case 4: // another form of the fields
		e.em = message(size, []byte{0, 1}, 0xff, info, e.hash, fit)
	case 5: // shorter padding, and garbage behind the hash
		e.em = message(size, []byte{0, 1}, 0xff, info, e.hash, min(fit, int(a)))
	case 6: // padding for encryption
		e.em = message(size, []byte{0, 2}, b|1, info, e.hash, fit)
	case 7: // other padding
		e.em = message(size, []byte{0, 1}, b, digestInfos[int(a)%len(digestInfos)], e.hash, size-3-len(digestInfos[int(a)%len(digestInfos)])-len(e.hash))
	case 8: // other octets in front
		e.em = message(size, []byte{a, b}, 0xff, digestInfos[0], e.hash, size-3-len(digestInfos[0])-len(e.hash))
	case 9: // a stretch of one octet
		for i := at; i < min(size, at+int(b)); i++ {
			e.em[i] = 0
		}
	default: // the signature's turn
		e.after = append(e.after, [3]byte{op % 16, a, b})
	}
}

// signature is of what the message has become, and then spoilt itself.
func (e *edit) signature() []byte {
	s := e.p.raw(e.em)
	for _, step := range e.after {
		op, a, b := step[0], step[1], step[2]
		switch {
		case len(s) == 0:
		case op == 10:
			s[int(a)*257%len(s)] ^= 1 << (b % 8)
		case op == 11: // the same number modulo n
			s = new(big.Int).Add(new(big.Int).SetBytes(s), e.p.N).Bytes()
		case op == 12:
			s = s[:len(s)-1-int(a)%len(s)]
		case op == 13:
			s = append(make([]byte, int(a)%4), s...)
		case op == 14:
			s = append(s, make([]byte, int(a)%4)...)
		default: // numbers that mean something
			n := new(big.Int)
			switch a % 6 {
			case 0:
				n.SetInt64(int64(b))
			case 1:
				n.Sub(e.p.N, big.NewInt(int64(b)))
			case 2:
				n.Add(e.p.N, big.NewInt(int64(b)))
			case 3:
				n.SetBytes(bytes.Repeat([]byte{0xff}, len(s)))
			case 4:
				n.Sub(e.p.N, new(big.Int).Mod(new(big.Int).SetBytes(s), e.p.N)) // the negative
			case 5:
				n.Lsh(big.NewInt(1), uint(b)*16)
			}
			if n.BitLen() > 8*len(s) {
				n.Rsh(n, uint(n.BitLen()-8*len(s)))
			}
			s = n.FillBytes(make([]byte, len(s)))
		}
	}
	return s
}

// FuzzSameAsStandardLibrary spoils encoded messages, signs what they have
// become with the private key, and compares the verdicts.
func FuzzSameAsStandardLibrary(f *testing.F) {
	for _, p := range pairs {
		p() // now: a single input must not take as long as making a key
	}
	for size := range byte(len(sizes)) {
		for algorithm := range byte(len(hashes)) {
			f.Add(size, algorithm, "header.payload", []byte{})
			for op := range byte(16) {
				for info := range byte(len(digestInfos)) {
					f.Add(size, algorithm, "header.payload", []byte{op, 3, info})
				}
			}
			f.Add(size, algorithm, "", []byte{0, 130, 1, 0, 130, 1})
			f.Add(size, algorithm, "a.b", []byte{5, 8, algorithm})
			f.Add(size, algorithm, "a.b", []byte{11, 0, 0})
		}
	}
	f.Fuzz(func(t *testing.T, size, algorithm byte, input string, program []byte) {
		if len(program) > 60 || len(input) > 4096 {
			return
		}
		p, a := pairs[int(size)%len(pairs)](), int(algorithm)%len(hashes)
		e := newEdit(p, a, input)
		for ; len(program) >= 3; program = program[3:] {
			e.step(program[0], program[1], program[2])
		}
		signature := e.signature()
		if len(signature) == 0 {
			return
		}
		if got, want := p.prepared[a].Verify(input, signature), p.standard(a, input, signature); got != want {
			t.Errorf("%d bits, %s: Verify = %v; crypto/rsa says %v", p.N.BitLen(), hashes[a], got, want)
		}
	})
}
