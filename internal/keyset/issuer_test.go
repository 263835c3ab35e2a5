package keyset_test

import (
	"strings"
	"testing"

	"github.com/portcullis-go/portcullis/internal/keyset"
)

const ed25519Key = `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"a"EXTRA}`

func oneKey(extra string) []byte {
	return []byte(`{"keys":[` + strings.Replace(ed25519Key, "EXTRA", extra, 1) + `]}`)
}

func TestUseOfASetThatIsForSomethingElse(t *testing.T) {
	for _, c := range []struct {
		extra, use string
		want       int
	}{
		{``, "", 1}, {`,"use":"sig"`, "", 1}, {`,"use":"jwt-svid"`, "", 0},
		{``, "jwt-svid", 0}, {`,"use":"sig"`, "jwt-svid", 0}, {`,"use":"x509-svid"`, "jwt-svid", 0}, {`,"use":"jwt-svid"`, "jwt-svid", 1},
	} {
		got := 0
		if s, err := keyset.ParseFor(oneKey(c.extra), c.use, nil); err == nil {
			got = s.Len()
		}
		if got != c.want {
			t.Errorf("ParseFor(%q, %q): %d keys; want %d", c.extra, c.use, got, c.want)
		}
	}
}

func TestIssuersOfKeysTellSetsApart(t *testing.T) {
	parse := func(extra string) *keyset.Set {
		s, err := keyset.Parse(oneKey(extra), nil)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	none, one, two, odd := parse(``), parse(`,"issuer":"https://a.example"`), parse(`,"issuer":"https://b.example"`), parse(`,"issuer":7`)
	for _, other := range []*keyset.Set{none, two, odd} {
		if one.SameKeys(other) {
			t.Error("sets whose keys are of different issuers count as the same")
		}
	}
	key := odd.Candidates(nil, "a", true, keyset.AlgorithmByName("EdDSA"))[0]
	if key.Issuer == "" {
		t.Error("a key whose issuer is no text counts as a key of every issuer")
	}
}
