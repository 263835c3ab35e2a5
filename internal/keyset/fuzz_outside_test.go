package keyset_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/portcullis-go/portcullis/internal/keyset"
	"github.com/portcullis-go/portcullis/internal/strictjson"
)

// FuzzOutsideKey: a key of an outside algorithm that is taken is one that
// another reader of JSON sees too: the type, the name and the octets are the
// same, nothing is private, and the thumbprint is that of RFC 7638. What was
// prepared are those octets.
func FuzzOutsideKey(f *testing.F) {
	f.Add(`{"kty":"AKP","alg":"X-1","pub":"AAAA"}`)
	f.Add(`{"kty":"AKP","alg":"X-1","pub":"AAAA","kid":"k","use":"sig","key_ops":["verify"]}`)
	f.Add(`{"kty":"AKP","alg":"X-1","pub":"AAAA","priv":"AAAA"}`)
	f.Add(`{"kty":"AKP","alg":"X-1","pub":"AAAA","pub":"AQID"}`)
	f.Add(`{"kty":"AKP","alg":"\u0058-1","pub":"\u0041AAA"}`)
	f.Add(`{"kty":"AKP","alg":"X-1","pub":"AAB"}`)
	f.Add(`{"kty":"AKP","alg":null,"pub":"AAAA"}`)
	f.Add(`{"kty":"AKP","alg":"ES256","pub":"AAAA","crv":"P-256","x":"AA"}`)
	f.Add(`{"kty":"EC","crv":"P-256","alg":"X-1","pub":"AAAA"}`)
	var prepared []byte
	known := algorithmsWith(f, akp("X-1", func(members map[string][]byte) (keyset.Prepared, error) {
		prepared = members["pub"]
		return says(true), nil
	}))
	a := known.ByName("X-1")
	f.Fuzz(func(t *testing.T, text string) {
		members, err := strictjson.Parse(text, nil)
		if err != nil {
			return
		}
		key, err := keyset.ParseKey(members, known)
		if err != nil || !key.Fits(a) {
			if err == nil && key.KeyType == "AKP" {
				t.Fatalf("a key of type AKP was taken that fits nothing")
			}
			return
		}
		var other map[string]any
		if err := json.Unmarshal([]byte(text), &other); err != nil {
			t.Fatalf("taken here, refused there: %v", err)
		}
		pub, err := base64.RawURLEncoding.Strict().DecodeString(fmt.Sprint(other["pub"]))
		if err != nil || len(pub) < 2 || len(pub) > 4 || other["kty"] != "AKP" || other["alg"] != "X-1" || other["priv"] != nil || other["d"] != nil {
			t.Fatalf("taken here, another reader sees %v", other)
		}
		if !key.Ready(a) || string(prepared) != string(pub) {
			t.Errorf("prepared %x; want %x", prepared, pub)
		}
		sum := sha256.Sum256(fmt.Appendf(nil, `{"alg":"X-1","kty":"AKP","pub":"%s"}`, other["pub"]))
		if want := base64.RawURLEncoding.EncodeToString(sum[:]); key.Thumbprint() != want {
			t.Errorf("thumbprint %q; want %q", key.Thumbprint(), want)
		}
	})
}
