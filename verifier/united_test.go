package verifier_test

import (
	"strings"
	"testing"

	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/reason"
)

// TestKeysUnited: the keys of several sets are those of one issuer, fetched by its Doer
// and under Config's rules for hosts.
func TestKeysUnited(t *testing.T) {
	w := newFuzzWorld(t, nil)
	ours := string(w.jwks())
	const one, two, other = "https://a.example/one", "https://a.example/two", `{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]}`
	for name, c := range map[string]struct {
		bodies map[string]string
		want   verifier.Reason
	}{
		"in the first":          {map[string]string{one: ours, two: other}, ""},
		"in the second":         {map[string]string{one: other, two: ours}, ""},
		"beside odd ones":       {map[string]string{one: "\ufeff" + `{"keys":[{"kid":"x","kid":"y"},null,"x"]}`, two: ours}, ""},
		"in neither":            {map[string]string{one: `{"keys":[]}`, two: `{"keys":[]}`}, reason.NoUsableKey},
		"one cannot be reached": {map[string]string{one: ours}, reason.Keys},
		"one is no set":         {map[string]string{one: ours, two: `{"keys":{}}`}, reason.Keys},
		"one is garbage":        {map[string]string{one: ours, two: `<html>`}, reason.Keys},
		"one has keys twice":    {map[string]string{one: ours, two: `{"keys":[],"keys":[]}`}, reason.Keys},
	} {
		t.Run(name, func(t *testing.T) {
			d := &documents{bodies: c.bodies}
			j := newCourt(t, verifier.Config{Audience: "api", Doer: d, Issuers: []verifier.Issuer{
				{Name: "https://a.example", Keys: verifier.KeysUnited(verifier.KeysURL(one), verifier.KeysURL(two))},
			}})
			j.want(claims{"iss": "https://a.example"}, c.want)
			if c.want == "" && len(d.asked) != 2 {
				t.Errorf("asked for %q; want each set once", d.asked)
			}
		})
	}
}

func TestKeysUnitedOfWrongParts(t *testing.T) {
	good := verifier.KeysURL("https://a.example/keys")
	for name, keys := range map[string]verifier.Keys{
		"none":      verifier.KeysUnited(),
		"one":       verifier.KeysUnited(good),
		"nine":      verifier.KeysUnited(good, good, good, good, good, good, good, good, good),
		"discovery": verifier.KeysUnited(good, verifier.Keys{}),
		"a fetcher": verifier.KeysUnited(good, verifier.KeysFrom(&oneFetcher{})),
		"united":    verifier.KeysUnited(good, verifier.KeysUnited(good, good)),
		"shared":    verifier.KeysUnited(good, verifier.KeysShared("x", good)),
		"empty":     verifier.KeysUnited(good, verifier.KeysURL("")),
		"http":      verifier.KeysUnited(good, verifier.KeysURL("http://a.example/keys")),
	} {
		v, err := verifier.New(verifier.Config{Audience: "api", Issuers: []verifier.Issuer{{Name: "https://a.example", Keys: keys}}})
		if err == nil {
			_ = v.Close()
			t.Errorf("%s: New accepts it", name)
		} else if !strings.Contains(err.Error(), "Issuers[0].Keys") {
			t.Errorf("%s: New = %v; want the field in it", name, err)
		}
	}
}
