package keyset_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"github.com/portcullis-go/portcullis/internal/keyset"
	"github.com/portcullis-go/portcullis/internal/strictjson"
)

const edX = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"

// TestKeysThatLackAMember: none of them is a key, and the error names the member.
func TestKeysThatLackAMember(t *testing.T) {
	for jwk, want := range map[string]string{
		`{"crv":"Ed25519","x":"` + edX + `"}`:                     "kty",
		`{"kty":"OKP","x":"` + edX + `"}`:                         "crv",
		`{"kty":"OKP","crv":"Ed25519"}`:                           "x",
		`{"kty":"EC","x":"AAAA","y":"AAAA"}`:                      "crv",
		`{"kty":"EC","crv":"P-256","y":"AAAA"}`:                   "x",
		`{"kty":"EC","crv":"P-256","x":"AAAA"}`:                   "y",
		`{"kty":"RSA","e":"AQAB"}`:                                "n",
		`{"kty":"RSA","n":"AAAA"}`:                                "e",
		`{"kty":"RSA","n":1,"e":"AQAB"}`:                          "n",
		`{"kty":1,"crv":"Ed25519","x":"` + edX + `"}`:             "kty",
		`{"kty":"OKP","crv":1,"x":"` + edX + `"}`:                 "crv",
		`{"kty":"OKP","crv":"Ed25519","kid":1,"x":"` + edX + `"}`: "kid",
	} {
		key, err := parseKey(t, jwk, nil)
		var fault *keyset.KeyError
		if key != nil || !errors.As(err, &fault) || fault.Member != want {
			t.Errorf("ParseKey(%s) = %v, %v; want an error of %s", jwk, key, err, want)
		}
	}
}

// TestStandardAlgorithmsKeepTheirKeys: what comes from outside under a known name
// reads the same keys.
func TestStandardAlgorithmsKeepTheirKeys(t *testing.T) {
	n, e := keyset.Member{Name: "n", Min: 1, Max: 512}, keyset.Member{Name: "e", Min: 1, Max: 4}
	x, y := keyset.Member{Name: "x", Min: 1, Max: 66}, keyset.Member{Name: "y", Min: 1, Max: 66}
	outside := func(name, kty, crv string, named bool, members ...keyset.Member) keyset.Outside {
		return keyset.Outside{Name: name, KeyType: kty, Curve: crv, NamedByKey: named, Members: members, Prepare: prepares(says(false), nil)}
	}
	for what, c := range map[string]struct {
		list []keyset.Outside
		want error
	}{
		"as it is":                   {[]keyset.Outside{outside("RS256", "RSA", "", false, n, e)}, nil},
		"of another type":            {[]keyset.Outside{outside("RS256", "EC", "", false, n, e)}, keyset.ErrKeyType},
		"of another curve":           {[]keyset.Outside{outside("ES256", "EC", "P-384", false, x, y)}, keyset.ErrKeyType},
		"named by its keys":          {[]keyset.Outside{outside("RS256", "RSA", "", true, n, e)}, keyset.ErrMembers},
		"with another member":        {[]keyset.Outside{outside("RS256", "RSA", "", false, n, x)}, keyset.ErrMembers},
		"with a member more":         {[]keyset.Outside{outside("RS256", "RSA", "", false, n, e, x)}, keyset.ErrMembers},
		"two of the same keys":       {[]keyset.Outside{outside("X-1", "X", "", false, x), outside("X-2", "X", "", false, x)}, nil},
		"two of other members":       {[]keyset.Outside{outside("X-1", "X", "", false, x), outside("X-2", "X", "", false, y)}, keyset.ErrMembers},
		"two, one named by its keys": {[]keyset.Outside{outside("X-1", "X", "", false, x), outside("X-2", "X", "", true, x)}, keyset.ErrMembers},
		"two of other types":         {[]keyset.Outside{outside("X-1", "X", "", false, x), outside("X-2", "Y", "", false, y)}, nil},
		"two of other curves":        {[]keyset.Outside{outside("X-1", "X", "a", false, x), outside("X-2", "X", "b", false, y)}, nil},
		"two, one without curve":     {[]keyset.Outside{outside("X-1", "X", "a", false, x), outside("X-2", "X", "", false, x)}, keyset.ErrMembers},
	} {
		known := new(keyset.Algorithms)
		var err error
		for _, o := range c.list {
			err = errors.Join(err, known.Add(o))
		}
		if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: Add = %v; want %v", what, err, c.want)
		}
	}
}

func TestNamesOfOutsideAlgorithms(t *testing.T) {
	for _, name := range []string{"azAZ09-_.", "a", "z", "A", "Z", "0", "9", "-", "_", "."} {
		if err := new(keyset.Algorithms).Add(akp(name, prepares(says(true), nil))); err != nil {
			t.Errorf("Add(%q) = %v; want nil", name, err)
		}
	}
	for _, c := range "/:@[`{,+~ \x00\x7f\u00e9" {
		if err := new(keyset.Algorithms).Add(akp("a"+string(c), prepares(says(true), nil))); !errors.Is(err, keyset.ErrName) {
			t.Errorf("Add(%q) = %v; want ErrName", "a"+string(c), err)
		}
	}
	known := new(keyset.Algorithms)
	if known.ByName("RS256") == nil || len(known.Names()) != 11 {
		t.Errorf("before Add there are %q; want the standard ones", known.Names())
	}
	if err := known.Add(akp("X-1", prepares(says(true), nil))); err != nil {
		t.Fatal(err)
	}
	if got := known.Names(); len(got) != 12 || got[0] != "RS256" || !slices.Contains(got, "EdDSA") || got[11] != "X-1" {
		t.Errorf("Names = %q", got)
	}
}

// TestOutsideKeysByTypeAndSize: type, curve, name and sizes decide which algorithm
// a key is read for.
func TestOutsideKeysByTypeAndSize(t *testing.T) {
	known := new(keyset.Algorithms)
	for _, o := range []keyset.Outside{
		{Name: "A", KeyType: "T", Curve: "c1", Members: []keyset.Member{{Name: "m", Min: 2, Max: 4}}, Prepare: prepares(says(true), nil)},
		{Name: "B", KeyType: "T", Curve: "c2", Members: []keyset.Member{{Name: "m", Min: 2, Max: 4}}, Prepare: prepares(says(true), nil)},
		{Name: "C", KeyType: "U", Members: []keyset.Member{{Name: "m", Min: 2, Max: 4}}, Prepare: prepares(says(true), nil)},
	} {
		if err := known.Add(o); err != nil {
			t.Fatal(err)
		}
	}
	for jwk, want := range map[string]string{ // the curve of the key, or "-" for no key
		`{"kty":"T","crv":"c1","m":"AAAA"}`: "c1", `{"kty":"T","crv":"c2","m":"AAAA"}`: "c2", `{"kty":"T","crv":"c3","m":"AAAA"}`: "-", `{"kty":"T","m":"AAAA"}`: "-",
		`{"kty":"U","m":"AAAA"}`: "", `{"kty":"U","crv":"c1","m":"AAAA"}`: "", `{"kty":"V","crv":"c1","m":"AAAA"}`: "-",
		`{"kty":"U","m":"AA"}`: "-", `{"kty":"U","m":"AAA"}`: "", `{"kty":"U","m":"AAAAAA"}`: "", `{"kty":"U","m":"AAAAAAA"}`: "-", `{"kty":"U"}`: "-", `{"kty":"U","m":""}`: "-",
	} {
		key, err := parseKey(t, jwk, known)
		switch {
		case want == "-" && (err == nil || key != nil):
			t.Errorf("ParseKey(%s) = %v; want an error", jwk, key)
		case want != "-" && (err != nil || key.Curve != want):
			t.Errorf("ParseKey(%s) = %v, %v; want the curve %q", jwk, key, err, want)
		}
	}
	// A key that was read without knowing of them is of none of them.
	key, err := parseKey(t, `{"kty":"OKP","crv":"Ed25519","x":"`+edX+`"}`, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"A", "B", "C"} {
		if a := known.ByName(name); key.Verify(a, "input", make([]byte, 64)) || key.Ready(a) || key.Fits(a) {
			t.Errorf("an Ed25519 key is one of %s", name)
		}
	}
}

// TestLargeSetFindsSingleKeys: one key of a kid is enough.
func TestLargeSetFindsSingleKeys(t *testing.T) {
	var all []string
	for i := range 20 {
		all = append(all, fmt.Sprintf(`{"kty":"OKP","crv":"Ed25519","x":%q,"kid":"k%d"}`, edX, i))
	}
	set, err := keyset.Parse([]byte(`{"keys":[`+strings.Join(all, ",")+`]}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		if !set.HasID(fmt.Sprintf("k%d", i)) {
			t.Errorf("there is no k%d", i)
		}
	}
	if set.HasID("k20") {
		t.Error("there is a k20")
	}
}

// TestSizeCountsKeys: sets are bounded in memory by it.
func TestSizeCountsKeys(t *testing.T) {
	sizes := make(map[int]int)
	for _, n := range []int{1, 11} {
		entry := fmt.Sprintf(`{"kty":"OKP","crv":"Ed25519","x":%q}`, edX)
		set, err := keyset.Parse([]byte(`{"keys":[`+strings.TrimSuffix(strings.Repeat(entry+",", n), ",")+`]}`), nil)
		if err != nil {
			t.Fatal(err)
		}
		sizes[n] = set.Size()
	}
	if each := (sizes[11] - sizes[1]) / 10; each < 512 || each > 4096 {
		t.Errorf("a key counts %d bytes; want about 1 KiB", each)
	}
	known := new(keyset.Algorithms)
	if err := known.Add(keyset.Outside{Name: "C", KeyType: "U", Members: []keyset.Member{{Name: "m", Min: 1, Max: 4096}}, Prepare: prepares(says(true), nil)}); err != nil {
		t.Fatal(err)
	}
	set, err := keyset.Parse([]byte(`{"keys":[{"kty":"U","m":"`+strings.Repeat("AAAA", 1000)+`"}]}`), known)
	if err != nil {
		t.Fatal(err)
	}
	if got := set.Size() - sizes[1]; got < 6000 || got > 12_000 {
		t.Errorf("3000 octets of a key count %d bytes; want about three times as many", got)
	}
}

// TestKidsThatAreShown: operators see what can do no harm in a log.
func TestKidsThatAreShown(t *testing.T) {
	shown := []string{"a", "z", "A", "Z", "0", "9", "azAZ09-._~:/+=@", strings.Repeat("k", 100)}
	hidden := []string{"", strings.Repeat("k", 101), "`", "{", "[", "@\n", "/;", "a b", "\x00", "a\x7f", "\u00e9", "<", "?", "\"", "\\", "%", ","}
	for i, kid := range append(shown, hidden...) {
		want := ""
		if i < len(shown) {
			want = kid
		}
		set, err := keyset.Parse(fmt.Appendf(nil, `{"keys":[{"kty":"RSA","kid":%s},%s]}`, strconv.QuoteToASCII(kid), goodKey), nil)
		if strings.ContainsAny(kid, "\x00\x7f") {
			set, err = keyset.Parse([]byte(`{"keys":[{"kty":"RSA","kid":"`+strings.NewReplacer("\x00", `\u0000`, "\x7f", `\u007f`).Replace(kid)+`"},`+goodKey+`]}`), nil)
		}
		if err != nil || len(set.Skipped()) != 1 {
			t.Fatalf("%q: %v", kid, err)
		}
		if got := set.Skipped()[0].KeyID; got != want {
			t.Errorf("a key with the kid %q is told of as %q; want %q", kid, got, want)
		}
	}
}

func TestKeyErrors(t *testing.T) {
	_, err := parseKey(t, `{"kty":"RSA","e":"AQAB"}`, nil)
	if !errors.Is(err, keyset.ErrKey) || errors.Is(err, keyset.ErrNoUsable) || err.Error() != "keyset: unusable key: missing (n)" {
		t.Errorf("ParseKey = %v; want what is missing, and a match of ErrKey alone", err)
	}
	if got := (&keyset.KeyError{Fault: keyset.FaultMalformed}).Error(); got != "keyset: unusable key: malformed" {
		t.Errorf("Error = %q; want no member", got)
	}
}

// TestFaultsOfMembers: the first that is wrong is blamed, for what is wrong with it.
func TestFaultsOfMembers(t *testing.T) {
	const x, y = `"x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4"`, `"y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"`
	for text, want := range map[string]keyset.KeyError{
		`{}`:                                             {Member: "kty", Fault: keyset.FaultMissing},
		`{"kty":1}`:                                      {Member: "kty", Fault: keyset.FaultNotText},
		`{"kty":null}`:                                   {Member: "kty", Fault: keyset.FaultMissing},
		`{"kty":"EC",` + x + `,` + y + `}`:               {Member: "crv", Fault: keyset.FaultMissing},
		`{"kty":"EC","crv":1,` + x + `}`:                 {Member: "crv", Fault: keyset.FaultNotText},
		`{"kty":"EC","crv":"P-256",` + y + `}`:           {Member: "x", Fault: keyset.FaultMissing},
		`{"kty":"EC","crv":"P-256",` + x + `}`:           {Member: "y", Fault: keyset.FaultMissing},
		`{"kty":"EC","crv":"P-256",` + x + `,"y":"="}`:   {Member: "y", Fault: keyset.FaultEncoding},
		`{"kty":"EC","crv":"P-384",` + x + `,` + y + `}`: {Member: "x", Fault: keyset.FaultInvalidValue},
		`{"kty":"OKP","x":"AA"}`:                         {Member: "crv", Fault: keyset.FaultMissing},
		`{"kty":"OKP","crv":"Ed25519","x":""}`:           {Member: "x", Fault: keyset.FaultEncoding},
		`{"kty":"OKP","crv":"Ed25519","x":"AA\nAA"}`:     {Member: "x", Fault: keyset.FaultEncoding},
		`{"kty":"OKP","crv":"Ed25519","x":"AA\rAA"}`:     {Member: "x", Fault: keyset.FaultEncoding},
		`{"kty":"OKP","crv":"Ed25519"}`:                  {Member: "x", Fault: keyset.FaultMissing},
		`{"kty":"OKP","crv":"Ed25519","x":"AA"}`:         {Member: "x", Fault: keyset.FaultInvalidValue},
		`{"kty":"RSA","e":"AQAB"}`:                       {Member: "n", Fault: keyset.FaultMissing},
		`{"kty":"RSA","n":"AQAB"}`:                       {Member: "e", Fault: keyset.FaultMissing},
		`{"kty":"RSA","n":"AQAB","e":"AQAB"}`:            {Member: "n", Fault: keyset.FaultWeak},
		`{"kty":"RSA","n":"AQAB","e":"AAAAAQAB"}`:        {Member: "e", Fault: keyset.FaultWeak},
		`{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":1}`: {Member: "kid", Fault: keyset.FaultNotText},
		`{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","alg":1}`: {Member: "alg", Fault: keyset.FaultNotText},
	} {
		members, err := strictjson.Parse(text, nil)
		if err != nil {
			t.Fatal(err)
		}
		var got *keyset.KeyError
		if _, err := keyset.ParseKey(members, nil); !errors.As(err, &got) || *got != want {
			t.Errorf("%s: %v; want %v", text, err, &want)
		}
	}
}

// TestOrderOfKeysWithoutKid does not count: none of them is tried after another.
func TestOrderOfKeysWithoutKid(t *testing.T) {
	one, two := jwk(t, newKey(t, "ES256"), map[string]any{"kid": nil}), jwk(t, newKey(t, "ES256"), map[string]any{"kid": nil})
	parse := func(keys ...map[string]any) *keyset.Set {
		parsed, err := keyset.Parse(set(t, keys...), nil)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	if !parse(one, two).SameKeys(parse(two, one)) || parse(one, one).SameKeys(parse(one, two)) {
		t.Error("want the order of keys without kid not to count, and the keys to")
	}
	one["kid"], two["kid"] = "1", "1"
	if parse(one, two).SameKeys(parse(two, one)) {
		t.Error("want the order of keys of one kid to count")
	}
}

// TestTextsOfKeysAreTheirOwn: they do not hold on to the document.
func TestTextsOfKeysAreTheirOwn(t *testing.T) {
	members, err := strictjson.Parse(`{"kty":"OKP","crv":"Ed25519","x":"`+edX+`","kid":"a kid","issuer":"an issuer"}`, nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := keyset.ParseKey(members, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"kid": key.ID, "issuer": key.Issuer} {
		of, _ := strictjson.Find(members, name).Text()
		if text != of || unsafe.StringData(text) == unsafe.StringData(of) {
			t.Errorf("%s %q is a part of the document", name, text)
		}
	}
}

// TestOneKeyOfALargeSet: a token without kid has a candidate in a set of many keys too.
func TestOneKeyOfALargeSet(t *testing.T) {
	all := []map[string]any{jwk(t, newKey(t, "ES256"), map[string]any{"kid": "ec"})}
	for n := range 9 {
		all = append(all, map[string]any{"kty": "OKP", "crv": "Ed25519", "x": edX, "kid": fmt.Sprint(n)})
	}
	parsed, err := keyset.Parse(set(t, all...), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := parsed.Candidates(nil, "", false, keyset.AlgorithmByName("ES256")); len(got) != 1 || got[0].ID != "ec" {
		t.Errorf("%d candidates; want the one key of this type", len(got))
	}
	if got := parsed.Candidates(nil, "", false, keyset.AlgorithmByName("EdDSA")); len(got) != 0 {
		t.Errorf("%d candidates of nine; want none", len(got))
	}
}
