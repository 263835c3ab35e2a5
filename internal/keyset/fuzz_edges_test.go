package keyset_test

import (
	"encoding/base64"
	"math/big"
	"strings"
	"testing"

	"github.com/portcullis-go/portcullis/internal/keyset"
	"github.com/portcullis-go/portcullis/internal/strictjson"
)

// modulus returns an odd number of so many bits.
func modulus(bits int) string {
	n := new(big.Int).SetBit(big.NewInt(1), bits-1, 1)
	return base64.RawURLEncoding.EncodeToString(n.Bytes())
}

func TestSizesOfRSAKeys(t *testing.T) {
	for _, c := range []struct {
		bits int
		e    string
		want bool
	}{
		{2048, "AQAB", true}, {2047, "AQAB", false}, {1024, "AQAB", false}, {4096, "AQAB", true}, {8192, "AQAB", true}, {8193, "AQAB", false}, {8200, "AQAB", false}, {16384, "AQAB", false},
		{2048, "Aw", true}, {2048, "Ag", false}, {2048, "BA", false}, {2048, "AQ", false}, {2048, "BQ", true}, {2048, "AQAAAAE", false}, {2048, "AAAAAAM", false}, {2048, "f____w", true}, {2048, "gAAAAQ", false}, {2048, "_____w", false}, {2048, "", false}, {2048, "AQAB=", false},
	} {
		members, err := strictjson.Parse(`{"kty":"RSA","n":"`+modulus(c.bits)+`","e":"`+c.e+`"}`, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := keyset.ParseKey(members, nil); (err == nil) != c.want {
			t.Errorf("%d bits, e %q: %v; want it taken: %v", c.bits, c.e, err, c.want)
		}
	}
}

func TestNumberOfKeys(t *testing.T) {
	const key = `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"a"}`
	for count, want := range map[int]bool{1: true, keyset.MaxKeys: true, keyset.MaxKeys + 1: false} {
		set, err := keyset.Parse([]byte(`{"keys":[`+strings.Repeat(key+",", count-1)+key+`]}`), nil)
		if (err == nil) != want || err == nil && set.Len() != count {
			t.Errorf("%d keys: %v; want them taken: %v", count, err, want)
		}
	}
}

func TestUses(t *testing.T) {
	for text, want := range map[string]bool{
		`{}`: true, `{"use":"sig"}`: true, `{"use":"enc"}`: false, `{"use":"SIG"}`: false, `{"use":1}`: false, `{"use":null}`: true, `{"key_ops":null}`: true,
		`{"key_ops":["verify"]}`: true, `{"key_ops":["sign","verify"]}`: true, `{"key_ops":["sign"]}`: false, `{"key_ops":[]}`: false, `{"key_ops":"verify"}`: false,
		`{"key_ops":[1,"verify"]}`: true, `{"use":"sig","key_ops":["encrypt"]}`: false, `{"use":"enc","key_ops":["verify"]}`: false,
	} {
		members, err := strictjson.Parse(text, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := keyset.ForSignatures(members); got != want {
			t.Errorf("ForSignatures(%s) = %v; want %v", text, got, want)
		}
	}
}

func TestKeysOfOtherNames(t *testing.T) {
	for _, c := range []struct {
		key, algorithm string
		want           int
	}{
		{`"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"`, "ES256", 1},
		{`"alg":"EdDSA","kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"`, "ES256", 0},
		{`"alg":"Ed25519","kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"`, "ES256", 0},
		{`"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"`, "ES384", 0},
		{`"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"`, "EdDSA", 1},
		{`"alg":"EdDSA","kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"`, "Ed25519", 1},
		{`"alg":"Ed25519","kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"`, "EdDSA", 1},
		{`"alg":"ES256","kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"`, "EdDSA", 0},
		{`"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"`, "ES256", 0},
	} {
		set, err := keyset.Parse([]byte(`{"keys":[{`+c.key+`}]}`), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(set.Candidates(nil, "", false, keyset.AlgorithmByName(c.algorithm))); got != c.want {
			t.Errorf("%s for %s: %d candidates; want %d", c.key, c.algorithm, got, c.want)
		}
	}
}

// TestOneSpellingOfAKey: of the last character some bits do not count; they
// must be zero, or one key would have several thumbprints.
func TestOneSpellingOfAKey(t *testing.T) {
	for x, want := range map[string]bool{
		"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo": true, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURp": false,
		"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo=": false, "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo": false,
	} {
		members, err := strictjson.Parse(`{"kty":"OKP","crv":"Ed25519","x":"`+x+`"}`, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := keyset.ParseKey(members, nil); (err == nil) != want {
			t.Errorf("x %q: %v; want it taken: %v", x, err, want)
		}
	}
}
