package fastrsa_test

import (
	"crypto/rsa"
	"fmt"
	"strings"
	"testing"
)

// BenchmarkVerify compares with crypto/rsa, the hash included in both.
func BenchmarkVerify(b *testing.B) {
	input := strings.Repeat("x", 1000)
	for i, bits := range sizes {
		p := pairs[i]()
		e := newEdit(p, 0, input)
		signature := e.signature()
		for name, verify := range map[string]func() bool{
			"crypto-rsa": func() bool { return p.standard(0, input, signature) },
			"fastrsa":    func() bool { return p.prepared[0].Verify(input, signature) },
			"bare":       func() bool { return rsa.VerifyPKCS1v15(&p.PublicKey, hashes[0], e.hash, signature) == nil },
		} {
			b.Run(fmt.Sprintf("%d/%s", bits, name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if !verify() {
						b.Fatal("refused")
					}
				}
			})
		}
	}
}
