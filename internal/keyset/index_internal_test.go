package keyset

import (
	"fmt"
	"strings"
	"testing"
)

// TestIndex: a set of more than eight keys is looked up by kid, and no other, whose
// map would take as much memory as its keys.
func TestIndex(t *testing.T) {
	for n, want := range map[int]bool{1: false, 8: false, 9: true} {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf(`{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"k%d"}`, i))
		}
		set, err := Parse([]byte(`{"keys":[`+strings.Join(all, ",")+`]}`), nil)
		if err != nil || (set.byID != nil) != want {
			t.Fatalf("%d keys: a map %v, %v; want %v", n, set.byID != nil, err, want)
		}
		if !want {
			continue
		}
		set.keys = nil // what is looked up is not looked for
		if !set.HasID("k0") || set.HasID("x") || len(set.Candidates(nil, "k8", true, AlgorithmByName("EdDSA"))) != 1 {
			t.Error("keys are not looked up by their kids")
		}
	}
}
