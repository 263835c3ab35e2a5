package wycheproof_test

import (
	"testing"

	"github.com/portcullis-go/portcullis/integration/mldsa"
)

type mldsaGroup struct {
	Key   octets   `json:"publicKey"`
	Tests []vector `json:"tests"`
}

// TestMLDSA: JWS signs with the empty context (RFC 9964), so a signature with
// another one is as wrong as an invalid one.
func TestMLDSA(t *testing.T) {
	for i, name := range []string{"mldsa_44", "mldsa_65", "mldsa_87"} {
		algorithm := mldsa.Algorithms()[i]
		valid, invalid, contexts := 0, 0, 0
		for _, g := range load(t, name+"_verify_test.json", func(g mldsaGroup) int { return len(g.Tests) }) {
			key, err := algorithm.PrepareKey(map[string][]byte{"pub": g.Key})
			for _, v := range g.Tests {
				want := v.Result == "valid" && len(v.Context) == 0
				if got := err == nil && key.Verify(string(v.Message), v.Signature); got != want {
					t.Errorf("%s, %d (%s): Verify = %v; want %v", name, v.ID, v.Comment, got, want)
				}
				switch {
				case want:
					valid++
				case v.Result == "valid":
					contexts++
				default:
					invalid++
				}
			}
		}
		t.Logf("%s: %d valid, %d invalid, %d valid with a context that JWS does not have", name, valid, invalid, contexts)
		if valid == 0 || invalid == 0 || contexts == 0 {
			t.Errorf("%s: nothing of one kind was tested", name)
		}
	}
}
