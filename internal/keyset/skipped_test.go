package keyset_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/portcullis-go/portcullis/internal/keyset"
)

const (
	goodKey  = `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"good"}`
	ecX, ecY = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
)

// TestOneBadKeyBesideGoodOnes: it is skipped, and described without its bytes.
func TestOneBadKeyBesideGoodOnes(t *testing.T) {
	for _, c := range []struct {
		key  string
		want keyset.Skipped
	}{
		{`{"kty":"RSA","kid":"a","kid":"b","n":"AQAB","e":"AQAB"}`, keyset.Skipped{KeyType: "RSA", KeyError: keyset.KeyError{Member: "kid", Fault: keyset.FaultDuplicate}}},
		{`{"kty":"EC","kid":"a","crv":"P-256","x":"` + ecX + `","y":"` + ecY + `","x":"` + ecX + `"}`, keyset.Skipped{KeyID: "a", KeyType: "EC", KeyError: keyset.KeyError{Member: "x", Fault: keyset.FaultDuplicate}}},
		{`{"kty":"EC","kid":"a","crv":"P-256","x":"` + ecX + `","y":"` + ecY + `","odd":1,"odd":1}`, keyset.Skipped{KeyID: "a", KeyType: "EC", KeyError: keyset.KeyError{Fault: keyset.FaultMalformed}}},
		{`{"kty":"EC","kid":"a","crv":"P-256","x":"` + ecX + `","y":"` + ecY + `","odd":{"a":1,"a":1}}`, keyset.Skipped{KeyID: "a", KeyType: "EC", KeyError: keyset.KeyError{Fault: keyset.FaultMalformed}}},
		{`{"kty":"EC","kid":"\ud800","crv":"P-256","x":"` + ecX + `","y":"` + ecY + `"}`, keyset.Skipped{KeyType: "EC", KeyError: keyset.KeyError{Fault: keyset.FaultMalformed}}},
		{"{\"kty\":\"EC\",\"kid\":\"\xff\",\"crv\":\"P-256\",\"x\":\"" + ecX + `","y":"` + ecY + `"}`, keyset.Skipped{KeyType: "EC", KeyError: keyset.KeyError{Fault: keyset.FaultMalformed}}},
		{`{"kty":"EC","kid":"a","odd":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, keyset.Skipped{KeyID: "a", KeyType: "EC", KeyError: keyset.KeyError{Fault: keyset.FaultMalformed}}},
		{`{"kty":"RSA","kid":"a","n":"` + modulus(2048) + `==","e":"AQAB"}`, keyset.Skipped{KeyID: "a", KeyType: "RSA", KeyError: keyset.KeyError{Member: "n", Fault: keyset.FaultEncoding}}},
		{`{"kty":"RSA","kid":"a","n":"` + modulus(1024) + `","e":"AQAB"}`, keyset.Skipped{KeyID: "a", KeyType: "RSA", KeyError: keyset.KeyError{Member: "n", Fault: keyset.FaultWeak}}},
		{`{"kty":"RSA","kid":"a","x5c":["MIIC"]}`, keyset.Skipped{KeyID: "a", KeyType: "RSA", KeyError: keyset.KeyError{Member: "n", Fault: keyset.FaultMissing}}},
		{`{"kty":"RSA","kid":"a","n":null,"e":"AQAB"}`, keyset.Skipped{KeyID: "a", KeyType: "RSA", KeyError: keyset.KeyError{Member: "n", Fault: keyset.FaultMissing}}},
		{`{"kty":"RSA","kid":7}`, keyset.Skipped{KeyType: "RSA", KeyError: keyset.KeyError{Member: "kid", Fault: keyset.FaultNotText}}},
		{`{"kty":"RSA","kid":"<script>","use":"enc"}`, keyset.Skipped{KeyType: "RSA", KeyError: keyset.KeyError{Member: "use", Fault: keyset.FaultUse}}},
		{`{"kty":"AKP","kid":"a"}`, keyset.Skipped{KeyID: "a", KeyError: keyset.KeyError{Member: "kty", Fault: keyset.FaultUnknown}}},
		{`{"kty":"EC","crv":"secp256k1","x":"AA","y":"AA"}`, keyset.Skipped{KeyType: "EC", KeyError: keyset.KeyError{Member: "crv", Fault: keyset.FaultUnknown}}},
		{`{"kty":"OKP","crv":"Ed25519","x":"AAAA"}`, keyset.Skipped{KeyType: "OKP", KeyError: keyset.KeyError{Member: "x", Fault: keyset.FaultInvalidValue}}},
		{`{"kty":"OKP","crv":"Ed25519","x":"AAAA","d":"AAAA"}`, keyset.Skipped{KeyType: "OKP", KeyError: keyset.KeyError{Member: "d", Fault: keyset.FaultPrivate}}},
		{`null`, keyset.Skipped{KeyError: keyset.KeyError{Fault: keyset.FaultMalformed}}},
		{`"x"`, keyset.Skipped{KeyError: keyset.KeyError{Fault: keyset.FaultMalformed}}},
	} {
		set, err := keyset.Parse([]byte(`{"keys":[`+c.key+`,`+goodKey+`]}`), nil)
		if err != nil || set.Len() != 1 || !set.HasID("good") {
			t.Errorf("%.60s: %v; want the good key alone", c.key, err)
			continue
		}
		if got := set.Skipped(); !reflect.DeepEqual(got, []keyset.Skipped{c.want}) {
			t.Errorf("%.60s: %+v; want %+v", c.key, got, c.want)
		}
		_, err = keyset.Parse([]byte(`{"keys":[`+c.key+`]}`), nil)
		var unusable *keyset.UnusableError
		if !errors.As(err, &unusable) || !errors.Is(err, keyset.ErrNoUsable) || len(unusable.Skipped) != 1 {
			t.Errorf("%.60s alone: %v; want an *UnusableError of one key", c.key, err)
			continue
		}
		broken := c.want.KeyType != "" && c.want.Fault != keyset.FaultUse && c.want.Fault != keyset.FaultUnknown
		if unusable.Broken() != broken {
			t.Errorf("%.60s alone: Broken is %v; want %v", c.key, unusable.Broken(), broken)
		}
	}
}

func TestManySkippedKeysAreNotAllKept(t *testing.T) {
	_, err := keyset.Parse([]byte(`{"keys":[{}`+strings.Repeat(",{}", 99)+`]}`), nil)
	var unusable *keyset.UnusableError
	if !errors.As(err, &unusable) || len(unusable.Skipped) != 16 || unusable.Skipped[15].Index != 15 {
		t.Errorf("%v; want the first 16 keys", err)
	}
}

// TestSetsAsTheyCome: what is odd around the keys does not spoil them, but
// "keys" itself is there once.
func TestSetsAsTheyCome(t *testing.T) {
	for _, document := range []string{
		"\ufeff" + `{"keys":[` + goodKey + `]}`,
		"\ufeff \n" + `{"keys":[` + goodKey + `]}`,
		`{"x":1,"keys":[` + goodKey + `],"x":1}`,
		`{"x":{"a":1,"a":2},"keys":[` + goodKey + `]}`,
		`{"x":"\ud800","keys":[` + goodKey + `]}`,
	} {
		if set, err := keyset.Parse([]byte(document), nil); err != nil || set.Len() != 1 {
			t.Errorf("%.40q: %v; want one key", document, err)
		}
	}
	for _, document := range []string{
		`{"keys":[` + goodKey + `],"keys":[` + goodKey + `]}`, `{"keys":[` + goodKey + `],"key\u0073":[]}`, `{"keys":null}`, `{"keys":null,"keys":[` + goodKey + `]}`,
		"\ufeff\ufeff" + `{"keys":[` + goodKey + `]}`, `{"keys":[` + goodKey + `]}` + "\ufeff", `{"keys":[` + goodKey + `]}x`, `{"keys":[` + goodKey, `{"keys":[` + goodKey + `,]}`,
		`{"keys":[` + goodKey + `],"x":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `}`,
	} {
		if _, err := keyset.Parse([]byte(document), nil); !errors.Is(err, keyset.ErrDocument) {
			t.Errorf("%.60q: %v; want ErrDocument", document, err)
		}
	}
}

// TestNullMembersAreAbsent: in every member that is looked at.
func TestNullMembersAreAbsent(t *testing.T) {
	for _, member := range []string{"kid", "use", "alg", "key_ops", "d", "p", "q", "dp", "dq", "qi", "oth", "k", "n", "e", "y", "x5c"} {
		key := strings.TrimSuffix(strings.Replace(goodKey, `,"kid":"good"`, "", 1), "}") + `,"` + member + `":null}`
		set, err := keyset.Parse([]byte(`{"keys":[`+key+`]}`), nil)
		if err != nil || set.Len() != 1 {
			t.Errorf("%s null: %v; want the key", member, err)
			continue
		}
		if got := set.Candidates(nil, "", true, keyset.AlgorithmByName("EdDSA")); len(got) != 0 {
			t.Errorf("%s null: the key has the kid \"\"; want none", member)
		}
		if got := set.Candidates(nil, "", false, keyset.AlgorithmByName("EdDSA")); len(got) != 1 {
			t.Errorf("%s null: %d candidates without kid; want 1", member, len(got))
		}
	}
}
