package mldsa_test

import (
	"bytes"
	"encoding/base64"
	"testing"

	"github.com/portcullis-go/portcullis/integration/mldsa"
	"github.com/portcullis-go/portcullis/integration/mldsa/mldsatest"
)

// FuzzKeysAndSignatures changes octets of a good key, signature and input: what
// is accepted is what was not changed, and nothing panics. Octets of any other
// length are refused.
func FuzzKeysAndSignatures(f *testing.F) {
	const input = "header.payload"
	type good struct{ pub, signature []byte }
	goods := make([]good, len(names))
	for i, name := range names {
		signer := mldsatest.NewSigner(f, name, bytes.Repeat([]byte{byte(i)}, 32))
		pub, err := base64.RawURLEncoding.DecodeString(signer.PublicJWK()["pub"])
		if err != nil {
			f.Fatal(err)
		}
		signature, err := signer.Sign([]byte(input))
		if err != nil {
			f.Fatal(err)
		}
		goods[i] = good{pub, signature}
		f.Add(byte(i), []byte{}, []byte{}, input, 0, 0)
		f.Add(byte(i), []byte{1, 0, 0}, []byte{}, input, 0, 0)
		f.Add(byte(i), []byte{}, []byte{9, 9, 1}, input, 0, 0)
		f.Add(byte(i), []byte{}, []byte{0xff, 0xff, 0xff}, input, 0, 0) // the hints at the end
		f.Add(byte(i), []byte{}, []byte{}, input, 1, -1)
	}
	algorithms := mldsa.Algorithms()
	f.Fuzz(func(t *testing.T, which byte, pubChange, signatureChange []byte, text string, pubLength, signatureLength int) {
		g := goods[int(which)%len(goods)]
		pub, signature := change(g.pub, pubChange, pubLength), change(g.signature, signatureChange, signatureLength)
		key, err := algorithms[int(which)%len(goods)].PrepareKey(map[string][]byte{"pub": bytes.Clone(pub)})
		if (err == nil) != (len(pub) == len(g.pub)) {
			t.Fatalf("PrepareKey of %d octets: %v", len(pub), err)
		}
		if err != nil {
			return
		}
		want := bytes.Equal(pub, g.pub) && bytes.Equal(signature, g.signature) && text == input
		if got := key.Verify(text, signature); got != want {
			t.Errorf("Verify = %v; want %v", got, want)
		}
	})
}

// change sets octets at places, three octets of changes for each, and makes the
// result longer or shorter.
func change(good, changes []byte, length int) []byte {
	data := bytes.Clone(good)
	for ; len(changes) >= 3; changes = changes[3:] {
		data[(int(changes[0])<<8|int(changes[1]))%len(data)] ^= changes[2]
	}
	switch length %= 40; {
	case length < 0:
		return data[:max(0, len(data)+length)]
	default:
		return append(data, make([]byte, length)...)
	}
}
