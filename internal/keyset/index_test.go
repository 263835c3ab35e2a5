package keyset_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/portcullis-go/portcullis/internal/keyset"
)

// TestLargeAndSmallSetsFindAlike: keys are found by kid whether there are few or
// many, in their order, and the one without kid never.
func TestLargeAndSmallSetsFindAlike(t *testing.T) {
	for _, n := range []int{1, 7, 8, 9, 100} {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf(`{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"k%d"}`, i/2))
		}
		all[n-1] = strings.Replace(all[n-1], `,"kid":"k`+fmt.Sprint((n-1)/2)+`"`, "", 1)
		set, err := keyset.Parse([]byte(`{"keys":[`+strings.Join(all, ",")+`]}`), nil)
		if err != nil || set.Len() != n {
			t.Fatalf("%d keys: %v, %v", n, set, err)
		}
		want := min(2, n-1)
		got := set.Candidates(nil, "k0", true, keyset.AlgorithmByName("EdDSA"))
		if len(got) != want || set.HasID("k0") != (want > 0) || set.HasID("") || set.HasID("k99") {
			t.Errorf("%d keys: %d of k0, has %v; want %d", n, len(got), set.HasID("k0"), want)
		}
		if got := set.Candidates(nil, "", true, keyset.AlgorithmByName("EdDSA")); len(got) != 0 {
			t.Errorf("%d keys: %d keys of the empty kid; want none", n, len(got))
		}
	}
}
