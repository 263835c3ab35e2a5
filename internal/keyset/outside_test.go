package keyset_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/portcullis-go/portcullis/internal/keyset"
	"github.com/portcullis-go/portcullis/internal/strictjson"
)

// signed returns a signature over input in the form of JWS.
func signed(t testing.TB, name string, key crypto.Signer, input string) []byte {
	t.Helper()
	var digest []byte
	var options crypto.SignerOpts
	switch name[len(name)-3:] {
	case "256":
		sum := sha256.Sum256([]byte(input))
		digest, options = sum[:], crypto.SHA256
	case "384":
		sum := sha512.Sum384([]byte(input))
		digest, options = sum[:], crypto.SHA384
	case "512":
		sum := sha512.Sum512([]byte(input))
		digest, options = sum[:], crypto.SHA512
	default:
		digest, options = []byte(input), crypto.Hash(0)
	}
	if name[:2] == "PS" {
		options = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: options.HashFunc()}
	}
	if ec, ok := key.(*ecdsa.PrivateKey); ok {
		r, s, err := ecdsa.Sign(rand.Reader, ec, digest)
		if err != nil {
			t.Fatal(err)
		}
		size := (ec.Curve.Params().BitSize + 7) / 8
		return append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
	}
	signature, err := key.Sign(rand.Reader, digest, options)
	if err != nil {
		t.Fatal(err)
	}
	return signature
}

// says is a prepared key that gives one answer.
type says bool

func (s says) Verify(string, []byte) bool { return bool(s) }

// panics is a prepared key that panics.
type panics struct{}

func (panics) Verify(string, []byte) bool { panic("told to") }

func prepares(key keyset.Prepared, err error) func(map[string][]byte) (keyset.Prepared, error) {
	return func(map[string][]byte) (keyset.Prepared, error) { return key, err }
}

// akp is an algorithm with keys of the type AKP.
func akp(name string, prepare func(map[string][]byte) (keyset.Prepared, error)) keyset.Outside {
	return keyset.Outside{Name: name, KeyType: "AKP", NamedByKey: true, Members: []keyset.Member{{Name: "pub", Min: 2, Max: 4}}, Prepare: prepare}
}

func TestOutsideAlgorithmsAreChecked(t *testing.T) {
	good := akp("X-1", prepares(says(true), nil))
	change := func(f func(*keyset.Outside)) []keyset.Outside {
		o := good
		f(&o)
		return []keyset.Outside{o}
	}
	members := func(m ...keyset.Member) []keyset.Outside { return change(func(o *keyset.Outside) { o.Members = m }) }
	name := func(n string) []keyset.Outside { return change(func(o *keyset.Outside) { o.Name = n }) }
	keyType := func(kty, crv string) []keyset.Outside {
		return change(func(o *keyset.Outside) { o.KeyType, o.Curve = kty, crv })
	}
	rsaKey := []keyset.Member{{Name: "n", Min: 1, Max: 512}, {Name: "e", Min: 1, Max: 4}}
	known := func(name, kty, crv string, m ...keyset.Member) []keyset.Outside {
		return []keyset.Outside{{Name: name, KeyType: kty, Curve: crv, Members: m, Prepare: good.Prepare}}
	}
	pub := keyset.Member{Name: "pub", Min: 1, Max: 10}
	for what, c := range map[string]struct {
		list []keyset.Outside
		want error
	}{
		"none":                        {nil, nil},
		"a new one":                   {[]keyset.Outside{good}, nil},
		"two with keys of one type":   {[]keyset.Outside{good, akp("X-2", good.Prepare)}, nil},
		"a known one":                 {known("RS256", "RSA", "", rsaKey...), nil},
		"a known one, other order":    {known("RS256", "RSA", "", rsaKey[1], rsaKey[0]), nil},
		"another curve":               {known("ES256K", "EC", "secp256k1", keyset.Member{Name: "x", Min: 32, Max: 32}, keyset.Member{Name: "y", Min: 32, Max: 32}), nil},
		"a curve of OKP":              {known("Ed448", "OKP", "Ed448", keyset.Member{Name: "x", Min: 57, Max: 57}), nil},
		"the longest name":            {name(strings.Repeat("n", 64)), nil},
		"twice":                       {[]keyset.Outside{good, good}, keyset.ErrTwice},
		"a known one twice":           {append(known("RS256", "RSA", "", rsaKey...), known("RS256", "RSA", "", rsaKey...)...), keyset.ErrTwice},
		"no name":                     {name(""), keyset.ErrName},
		"a name too long":             {name(strings.Repeat("n", 65)), keyset.ErrName},
		"none as name":                {name("none"), keyset.ErrName},
		"none in another case":        {name("NONE"), keyset.ErrName},
		"symmetric":                   {name("HS256"), keyset.ErrName},
		"symmetric in another case":   {name("hs512"), keyset.ErrName},
		"a known one in another case": {name("rs256"), keyset.ErrName},
		"another in another case":     {[]keyset.Outside{good, akp("x-1", good.Prepare)}, keyset.ErrName},
		"a name with a space":         {name("X 1"), keyset.ErrName},
		"a name with a quote":         {name(`X"1`), keyset.ErrName},
		"a name with a line break":    {name("X\n1"), keyset.ErrName},
		"no key type":                 {keyType("", ""), keyset.ErrKeyType},
		"symmetric keys":              {keyType("oct", ""), keyset.ErrKeyType},
		"RSA keys under a new name":   {keyType("RSA", ""), keyset.ErrKeyType},
		"a known curve, new name":     {keyType("EC", "P-256"), keyset.ErrKeyType},
		"another known curve":         {keyType("OKP", "Ed25519"), keyset.ErrKeyType},
		"EC without a curve":          {keyType("EC", ""), keyset.ErrKeyType},
		"a curve with a quote":        {keyType("EC", `"`), keyset.ErrKeyType},
		"a known one, other type":     {known("RS256", "EC", "P-256", rsaKey...), keyset.ErrKeyType},
		"a known one, other curve":    {known("ES256", "EC", "P-384", keyset.Member{Name: "x", Min: 1, Max: 48}, keyset.Member{Name: "y", Min: 1, Max: 48}), keyset.ErrKeyType},
		"a known one, other members":  {known("RS256", "RSA", "", rsaKey[0]), keyset.ErrMembers},
		"a known one, further member": {known("RS256", "RSA", "", rsaKey[0], rsaKey[1], pub), keyset.ErrMembers},
		"no members":                  {members(), keyset.ErrMembers},
		"too many members":            {members(keyset.Member{Name: "a", Min: 1, Max: 1}, keyset.Member{Name: "b", Min: 1, Max: 1}, keyset.Member{Name: "c", Min: 1, Max: 1}, keyset.Member{Name: "z", Min: 1, Max: 1}, pub), keyset.ErrMembers},
		"a member twice":              {members(pub, pub), keyset.ErrMembers},
		"a member without a name":     {members(keyset.Member{Min: 1, Max: 1}), keyset.ErrMembers},
		"a private member":            {members(keyset.Member{Name: "priv", Min: 1, Max: 1}), keyset.ErrMembers},
		"a symmetric key as member":   {members(keyset.Member{Name: "k", Min: 1, Max: 1}), keyset.ErrMembers},
		"a reserved member":           {members(keyset.Member{Name: "kid", Min: 1, Max: 1}), keyset.ErrMembers},
		"a member that may be empty":  {members(keyset.Member{Name: "pub", Max: 1}), keyset.ErrMembers},
		"a member without bound":      {members(keyset.Member{Name: "pub", Min: 1}), keyset.ErrMembers},
		"the largest member":          {members(keyset.Member{Name: "pub", Min: 1, Max: keyset.MaxMember}), nil},
		"a larger member":             {members(keyset.Member{Name: "pub", Min: 1, Max: keyset.MaxMember + 1}), keyset.ErrMembers},
		"keys read in two ways": {[]keyset.Outside{good, {Name: "X-2", KeyType: "AKP", Members: good.Members, Prepare: good.Prepare}},
			keyset.ErrMembers},
		"keys with and without curve": {[]keyset.Outside{good, {Name: "X-2", KeyType: "AKP", Curve: "c", NamedByKey: true, Members: good.Members, Prepare: good.Prepare}},
			keyset.ErrMembers},
		"keys of several curves": {append(known("X-2", "EC", "one", rsaKey...), known("X-3", "EC", "two", pub)...), nil},
		"one curve, two forms":   {append(known("X-2", "EC", "one", rsaKey...), known("X-3", "EC", "one", pub)...), keyset.ErrMembers},
	} {
		known, err := new(keyset.Algorithms), error(nil)
		for i := 0; i < len(c.list) && err == nil; i++ {
			err = known.Add(c.list[i])
		}
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v; want %v", what, err, c.want)
		}
	}
}

func algorithmsWith(t testing.TB, outside ...keyset.Outside) *keyset.Algorithms {
	t.Helper()
	known := new(keyset.Algorithms)
	for _, o := range outside {
		if err := known.Add(o); err != nil {
			t.Fatal(err)
		}
	}
	return known
}

func parseKey(t testing.TB, text string, known *keyset.Algorithms) (*keyset.Key, error) {
	t.Helper()
	members, err := strictjson.Parse(text, nil)
	if err != nil {
		t.Fatal(err)
	}
	return keyset.ParseKey(members, known)
}

func TestKeysOfOutsideAlgorithms(t *testing.T) {
	known := algorithmsWith(t, akp("X-1", prepares(says(true), nil)), akp("X-2", prepares(says(true), nil)),
		keyset.Outside{Name: "ES256K", KeyType: "EC", Curve: "secp256k1", Members: []keyset.Member{{Name: "x", Min: 1, Max: 2}, {Name: "y", Min: 1, Max: 2}}, Prepare: prepares(says(true), nil)})
	for text, want := range map[string]string{ // to the algorithm that it fits
		`{"kty":"AKP","alg":"X-1","pub":"AAAA"}`:                               "X-1",
		`{"kty":"AKP","alg":"X-2","pub":"AAAA","kid":"k","x5c":["x"],"n":"!"}`: "X-2",
		`{"kty":"AKP","alg":"X-1","pub":"AAA"}`:                                "X-1", // two octets
		`{"kty":"AKP","alg":"X-1","pub":"AAAAAA"}`:                             "X-1", // four
		`{"kty":"AKP","alg":"X-1","pub":"AA"}`:                                 "",    // one
		`{"kty":"AKP","alg":"X-1","pub":"AAAAAAA"}`:                            "",    // five
		`{"kty":"AKP","pub":"AAAA"}`:                                           "",    // alg is required
		`{"kty":"AKP","alg":"X-3","pub":"AAAA"}`:                               "",
		`{"kty":"AKP","alg":"x-1","pub":"AAAA"}`:                               "",
		`{"kty":"akp","alg":"X-1","pub":"AAAA"}`:                               "",
		`{"kty":"AKP","alg":7,"pub":"AAAA"}`:                                   "",
		`{"kty":"AKP","alg":"X-1","pub":"AAAA","priv":"AAAA"}`:                 "",
		`{"kty":"AKP","alg":"X-1","pub":"AAAA","d":"AAAA"}`:                    "",
		`{"kty":"AKP","alg":"X-1","PUB":"AAAA"}`:                               "",
		`{"kty":"AKP","alg":"X-1","pub":["AAAA"]}`:                             "",
		`{"kty":"AKP","alg":"X-1","pub":""}`:                                   "",
		`{"kty":"AKP","alg":"X-1","pub":"AAA="}`:                               "", // padded
		`{"kty":"AKP","alg":"X-1","pub":"AAB"}`:                                "", // bits that do not count
		`{"kty":"AKP","alg":"X-1","pub":"++++"}`:                               "",
		`{"kty":"AKP","alg":"X-1","pub":"AA\nAA"}`:                             "",
		`{"kty":"AKP","alg":"X-1","pub":"AAAA","kid":7}`:                       "",
		`{"kty":"EC","crv":"secp256k1","x":"AA","y":"AA"}`:                     "ES256K",
		`{"kty":"EC","crv":"secp256k1","alg":"ES256K","x":"AA","y":"AA"}`:      "ES256K",
		`{"kty":"EC","crv":"secp256k1","alg":"ES256","x":"AA","y":"AA"}`:       "",
		`{"kty":"EC","crv":"secp256k1","x":"AA"}`:                              "",
		`{"kty":"EC","crv":"secp256r1","x":"AA","y":"AA"}`:                     "",
		`{"kty":"EC","x":"AA","y":"AA"}`:                                       "",
	} {
		key, err := parseKey(t, text, known)
		fits := ""
		for _, name := range append([]string{"X-1", "X-2", "ES256K"}, algorithmNames...) {
			if a := known.ByName(name); err == nil && key.Fits(a) && key.Ready(a) {
				fits += name
			}
		}
		if fits != want {
			t.Errorf("%s fits %q, %v; want %q", text, fits, err, want)
		}
		if _, err := parseKey(t, text, nil); err == nil {
			t.Errorf("%s is taken without an algorithm for it", text)
		}
	}
}

// TestThumbprintOfOutsideKeys: the members in the order of their names (RFC
// 7638, Section 3.3), alg among them where the key names its algorithm.
func TestThumbprintOfOutsideKeys(t *testing.T) {
	known := algorithmsWith(t, akp("X-1", prepares(says(true), nil)),
		keyset.Outside{Name: "ES256K", KeyType: "EC", Curve: "secp256k1", Members: []keyset.Member{{Name: "y", Min: 1, Max: 2}, {Name: "x", Min: 1, Max: 2}}, Prepare: prepares(says(true), nil)})
	for text, members := range map[string]string{
		`{"kid":"k","use":"sig","pub":"AAAA","kty":"AKP","alg":"X-1"}`:    `{"alg":"X-1","kty":"AKP","pub":"AAAA"}`,
		`{"alg":"ES256K","y":"AQ","x":"AA","kty":"EC","crv":"secp256k1"}`: `{"crv":"secp256k1","kty":"EC","x":"AA","y":"AQ"}`,
	} {
		key, err := parseKey(t, text, known)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256([]byte(members))
		if got, want := key.Thumbprint(), base64.RawURLEncoding.EncodeToString(sum[:]); got != want {
			t.Errorf("Thumbprint of %s = %q; want %q, of %s", text, got, want, members)
		}
	}
}

// TestWhoDecides: an outside algorithm's yes is one; its no is one only where
// the standard library has nothing to say.
func TestWhoDecides(t *testing.T) {
	private := newKey(t, "RS256")
	text := string(set(t, jwk(t, private, nil)))
	text = strings.TrimSuffix(strings.TrimPrefix(text, `{"keys":[`), `]}`)
	good, bad := signed(t, "RS256", private, "input"), signed(t, "RS256", private, "other")
	prepare := map[string]func(map[string][]byte) (keyset.Prepared, error){
		"yes":         prepares(says(true), nil),
		"no":          prepares(says(false), nil),
		"panic":       prepares(panics{}, nil),
		"error":       prepares(says(true), errors.New("no key")),
		"no key":      prepares(nil, nil),
		"panic early": func(map[string][]byte) (keyset.Prepared, error) { panic("told to") },
	}
	for what, f := range prepare {
		known := algorithmsWith(t, akp("X-1", f), keyset.Outside{Name: "RS256", KeyType: "RSA", Members: []keyset.Member{{Name: "n", Min: 256, Max: 256}, {Name: "e", Min: 3, Max: 3}}, Prepare: f})
		key, err := parseKey(t, text, known)
		if err != nil {
			t.Fatal(err)
		}
		a := known.ByName("RS256")
		if !key.Ready(a) || !key.Verify(a, "input", good) || key.Verify(a, "input", bad) != (what == "yes") {
			t.Errorf("%s about RS256: the standard library does not decide", what)
		}
		if other := known.ByName("RS384"); key.Verify(other, "input", good) || !key.Verify(other, "input", signed(t, "RS384", private, "input")) {
			t.Errorf("%s about RS256 changes RS384", what)
		}
		if key, err = parseKey(t, `{"kty":"AKP","alg":"X-1","pub":"AAAA"}`, known); err != nil {
			t.Fatal(err)
		}
		a = known.ByName("X-1")
		ready := what == "yes" || what == "no" || what == "panic"
		if key.Ready(a) != ready || key.Verify(a, "input", good) != (what == "yes") {
			t.Errorf("%s about X-1: Ready = %v, Verify = %v", what, key.Ready(a), key.Verify(a, "input", good))
		}
	}
}

// TestMembersAreTheKeys: what is prepared is the key that was parsed, bounded,
// once, and the octets are the preparer's own.
func TestMembersAreTheKeys(t *testing.T) {
	var got []map[string][]byte
	prepare := func(members map[string][]byte) (keyset.Prepared, error) {
		got = append(got, maps.Clone(members))
		for _, octets := range members {
			clear(octets)
		}
		clear(members)
		return says(true), nil
	}
	coordinate := func(name string, size int) keyset.Member { return keyset.Member{Name: name, Min: size, Max: size} }
	known := algorithmsWith(t, akp("X-1", prepare),
		keyset.Outside{Name: "RS512", KeyType: "RSA", Members: []keyset.Member{{Name: "n", Min: 256, Max: 256}, {Name: "e", Min: 3, Max: 3}}, Prepare: prepare},
		keyset.Outside{Name: "PS256", KeyType: "RSA", Members: []keyset.Member{{Name: "n", Min: 257, Max: 512}, {Name: "e", Min: 3, Max: 3}}, Prepare: prepare}, // a longer modulus
		keyset.Outside{Name: "ES512", KeyType: "EC", Curve: "P-521", Members: []keyset.Member{coordinate("x", 66), coordinate("y", 66)}, Prepare: prepare},
		keyset.Outside{Name: "EdDSA", KeyType: "OKP", Curve: "Ed25519", Members: []keyset.Member{coordinate("x", 32)}, Prepare: prepare})
	for name, members := range map[string][]string{"RS512": {"n", "e"}, "PS256": nil, "ES512": {"x", "y"}, "EdDSA": {"x"}} {
		private := newKey(t, name)
		text := jwk(t, private, nil)
		s, err := keyset.Parse(set(t, text), known)
		if err != nil {
			t.Fatal(err)
		}
		got = nil
		a := known.ByName(name)
		key := s.Candidates(nil, "", false, a)[0]
		thumbprint := key.Thumbprint()
		for range 3 {
			if !key.Verify(a, "input", signed(t, name, private, "input")) {
				t.Errorf("%s: a good signature is refused", name)
			}
		}
		if members == nil {
			if len(got) != 0 {
				t.Errorf("%s: a key beyond the bounds was prepared", name)
			}
			continue
		}
		if len(got) != 1 || len(got[0]) != len(members) {
			t.Fatalf("%s: prepared %d times", name, len(got))
		}
		for _, m := range members {
			if octets, ok := got[0][m]; !ok || len(octets) == 0 {
				t.Errorf("%s: no member %q", name, m)
			}
		}
		if key.Thumbprint() != thumbprint || !a.Verify(key.Public, "input", signed(t, name, private, "input")) {
			t.Errorf("%s: the preparer changed the key", name)
		}
	}
	got = nil
	s, err := keyset.Parse([]byte(`{"keys":[{"kty":"AKP","alg":"X-1","pub":"AQID","kid":"a"}]}`), known)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		for _, key := range s.Candidates(nil, "a", true, known.ByName("X-1")) {
			key.Verify(known.ByName("X-1"), "input", []byte{1})
		}
	}
	if len(got) != 1 || len(got[0]) != 1 {
		t.Errorf("X-1: prepared %d times with %v", len(got), got)
	}
}

// TestSetsWithOutsideKeys: they are chosen by the same rules as all others.
func TestSetsWithOutsideKeys(t *testing.T) {
	known := algorithmsWith(t, akp("X-1", func(members map[string][]byte) (keyset.Prepared, error) {
		if members["pub"][0] == 0xff {
			return nil, errors.New("not a key")
		}
		return says(true), nil
	}))
	good, other := jwk(t, newKey(t, "RS256"), map[string]any{"kid": "r"}), jwk(t, newKey(t, "ES256"), map[string]any{"kid": "e"})
	one := map[string]any{"kty": "AKP", "alg": "X-1", "pub": "AQID", "kid": "one"}
	change := func(to map[string]any) map[string]any {
		all := maps.Clone(one)
		maps.Copy(all, to)
		return all
	}
	for what, c := range map[string]struct {
		keys         []map[string]any
		kid          string
		hasKID       bool
		x1, rs, uses int
	}{
		"by kid":              {[]map[string]any{good, one, other}, "one", true, 1, 0, 3},
		"without kid":         {[]map[string]any{good, one, other}, "", false, 1, 1, 3},
		"two without kid":     {[]map[string]any{good, one, change(map[string]any{"kid": "two", "pub": "AQIE"})}, "", false, 0, 1, 3},
		"one is no good":      {[]map[string]any{good, one, change(map[string]any{"kid": "two", "pub": "_wIE"})}, "", false, 1, 1, 3},
		"no good by kid":      {[]map[string]any{good, change(map[string]any{"pub": "_wIE"})}, "one", true, 0, 0, 2},
		"five share a kid":    {[]map[string]any{one, one, one, one, one}, "one", true, 4, 0, 5},
		"for encryption":      {[]map[string]any{good, change(map[string]any{"use": "enc"})}, "one", true, 0, 0, 1},
		"for other purposes":  {[]map[string]any{good, change(map[string]any{"key_ops": []string{"sign"}})}, "one", true, 0, 0, 1},
		"of another algoritm": {[]map[string]any{good, change(map[string]any{"alg": "X-2"})}, "one", true, 0, 0, 1},
	} {
		s, err := keyset.Parse(set(t, c.keys...), known)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		x1 := len(s.Candidates(nil, c.kid, c.hasKID, known.ByName("X-1")))
		rs := len(s.Candidates(nil, c.kid, c.hasKID, known.ByName("RS256")))
		if x1 != c.x1 || rs != c.rs || s.Len() != c.uses {
			t.Errorf("%s: %d candidates of X-1, %d of RS256, %d keys; want %d, %d, %d", what, x1, rs, s.Len(), c.x1, c.rs, c.uses)
		}
	}
	with, err := keyset.Parse(set(t, good, one), known)
	if err != nil {
		t.Fatal(err)
	}
	for _, keys := range [][]map[string]any{{good}, {good, change(map[string]any{"pub": "AQIE"})}, {good, change(map[string]any{"kid": "two"})}} {
		if another, err := keyset.Parse(set(t, keys...), known); err != nil || with.SameKeys(another) {
			t.Errorf("sets with different keys count as the same: %v", err)
		}
	}
	if again, err := keyset.Parse(set(t, one, good), known); err != nil || !with.SameKeys(again) {
		t.Errorf("sets with the same keys count as different: %v", err)
	}
	if _, err := keyset.Parse(set(t, one), nil); !errors.Is(err, keyset.ErrNoUsable) {
		t.Errorf("a set of keys that nothing reads: %v", err)
	}
}
