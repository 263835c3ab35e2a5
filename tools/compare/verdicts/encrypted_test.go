package verdicts_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	josecipher "github.com/go-jose/go-jose/v4/cipher"
	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwe"

	"github.com/portcullis-go/portcullis/verifier"
)

var (
	keyAlgorithms = []jwa.KeyEncryptionAlgorithm{
		jwa.RSA_OAEP_256(), jwa.RSA_OAEP(), jwa.ECDH_ES(), jwa.ECDH_ES_A128KW(), jwa.ECDH_ES_A192KW(), jwa.ECDH_ES_A256KW(),
	}
	encodings = []encoding{
		{"A128GCM", 16, 16}, {"A192GCM", 24, 16}, {"A256GCM", 32, 16}, {"A128CBC-HS256", 32, 16}, {"A192CBC-HS384", 48, 24}, {"A256CBC-HS512", 64, 32},
	}
)

// encoding is a content encryption algorithm, with the sizes of key and tag in
// bytes.
type encoding struct {
	name     string
	key, tag int
}

// envelope makes encrypted tokens of any header and content.
type envelope struct {
	*world
	inner string // a good token
}

func newEnvelope(tb testing.TB) *envelope {
	w := newWorld(tb)
	return &envelope{w, w.sign(tb, 2, `{"alg":"ES256","typ":"at+jwt","kid":"e"}`, claims)}
}

func (e *envelope) opens(tb testing.TB) *verifier.Verifier {
	tb.Helper()
	var algorithms, contents []string
	for _, a := range keyAlgorithms {
		algorithms = append(algorithms, a.String())
	}
	for _, c := range encodings {
		contents = append(contents, c.name)
	}
	v, err := verifier.New(verifier.Config{
		Issuers:  []verifier.Issuer{{Name: "tenant.example.com", Keys: verifier.KeysStatic([]byte(e.expand(tb, keys)))}},
		Audience: audience, Algorithms: e.names,
		Clock: verifier.ClockFunc(func() time.Time { return time.Unix(now, 0) }),
		Decryption: verifier.DecryptionConfig{
			Keys: []verifier.DecryptionKey{{ID: "r", Private: e.rsa}, {ID: "e", Private: e.ec}}, Algorithms: algorithms, Encodings: contents,
		},
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = v.Close() })
	return v
}

// seal encrypts content the way of two algorithms, under a header that may say
// otherwise. $ALG, $ENC and $EPK of the header are what is true.
func (e *envelope) seal(tb testing.TB, alg, enc byte, header, content string) (token, expanded string) {
	tb.Helper()
	algorithm, c := keyAlgorithms[int(alg)%len(keyAlgorithms)].String(), encodings[int(enc)%len(encodings)]
	ephemeral, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	point, err := ephemeral.PublicKey.Bytes()
	if err != nil {
		tb.Fatal(err)
	}
	epk := `"kty":"EC","crv":"P-256","x":"` + b64(point[1:33]) + `","y":"` + b64(point[33:]) + `"`
	header = strings.NewReplacer("$ALG", algorithm, "$ENC", c.name, "$EPK", epk).Replace(header)

	key := make([]byte, c.key)
	_, _ = rand.Read(key)
	var encryptedKey []byte
	var h hash.Hash = sha256.New()
	switch algorithm {
	case "RSA-OAEP":
		h = sha1.New()
		fallthrough
	case "RSA-OAEP-256":
		encryptedKey, err = rsa.EncryptOAEP(h, rand.Reader, &e.rsa.PublicKey, key, nil)
	case "ECDH-ES":
		apu, apv := parties(header)
		key = josecipher.DeriveECDHES(c.name, apu, apv, ephemeral, &e.ec.PublicKey, c.key)
	default: // ECDH-ES+A128KW
		var bits int
		_, _ = fmt.Sscanf(algorithm, "ECDH-ES+A%dKW", &bits)
		apu, apv := parties(header)
		block, blockErr := aes.NewCipher(josecipher.DeriveECDHES(algorithm, apu, apv, ephemeral, &e.ec.PublicKey, bits/8))
		if blockErr != nil {
			tb.Fatal(blockErr)
		}
		encryptedKey, err = josecipher.KeyWrap(block, key)
	}
	if err != nil {
		tb.Fatal(err)
	}
	aead, err := c.aead(key)
	if err != nil {
		tb.Fatal(err)
	}
	nonce := make([]byte, aead.NonceSize())
	_, _ = rand.Read(nonce)
	sealed := aead.Seal(nil, nonce, []byte(content), []byte(b64([]byte(header))))
	at := len(sealed) - c.tag
	return strings.Join([]string{b64([]byte(header)), b64(encryptedKey), b64(nonce), b64(sealed[:at]), b64(sealed[at:])}, "."), header
}

func (c *encoding) aead(key []byte) (cipher.AEAD, error) {
	if strings.Contains(c.name, "CBC") {
		return josecipher.NewCBCHMAC(key, aes.NewCipher)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// parties reads apu and apv (RFC 7518, Section 4.6.1).
func parties(header string) (apu, apv []byte) {
	var h struct {
		U string `json:"apu"`
		V string `json:"apv"`
	}
	_ = json.Unmarshal([]byte(header), &h)
	apu, _ = base64.RawURLEncoding.DecodeString(h.U)
	apv, _ = base64.RawURLEncoding.DecodeString(h.V)
	return apu, apv
}

// spoil changes one part of a token: how says in which way.
func spoil(token string, how, part byte, at uint16, with byte) string {
	parts := strings.Split(token, ".")
	p := &parts[int(part)%len(parts)]
	raw, _ := base64.RawURLEncoding.DecodeString(*p)
	i := int(at) % (len(raw) + 1)
	j := int(at) % (len(*p) + 1)
	switch how % 9 {
	case 0:
	case 1: // other octets
		if i < len(raw) {
			raw[i] ^= with
		}
		*p = b64(raw)
	case 2: // less
		*p = b64(raw[:i])
	case 3: // more
		*p = b64(slices.Insert(raw, i, with))
	case 4: // without its beginning
		*p = b64(raw[i:])
	case 5: // another text
		*p = (*p)[:j] + string(rune(with)) + (*p)[j:]
	case 6: // other unused bits
		const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
		if last := len(*p) - 1; last >= 0 {
			c := max(0, strings.IndexByte(alphabet, (*p)[last]))
			*p = (*p)[:last] + alphabet[c^int(1+with%3):][:1]
		}
	case 7: // another part in its place
		*p = parts[int(with)%len(parts)]
	case 8: // another number of parts
		*p += "." + strings.Repeat(".", int(with)%3)
	}
	return strings.Join(parts, ".")
}

// unseal opens a token there.
func (e *envelope) unseal(token string) (content []byte, err error) {
	err = fmt.Errorf("not five parts")
	if strings.Count(token, ".") != 4 {
		return nil, err
	}
	for _, algorithm := range keyAlgorithms {
		var key any = e.ec
		if strings.HasPrefix(algorithm.String(), "RSA") {
			key = e.rsa
		}
		if content, err = jwe.Decrypt([]byte(token), jwe.WithKey(algorithm, key)); err == nil {
			return content, nil
		}
	}
	return nil, err
}

// refusals are the reasons for which a token that is opened there stays closed
// here.
func (e *envelope) refusals(tb testing.TB, v *verifier.Verifier, token string, content []byte) (reasons []string) {
	tb.Helper()
	is := func(reason string, yes bool) {
		if yes {
			reasons = append(reasons, reason)
		}
	}
	parts := strings.Split(token, ".")
	for _, part := range parts {
		_, err := base64.RawURLEncoding.Strict().DecodeString(part)
		is("base64url is canonical and without padding (RFC 7515, Section 2)", err != nil || strings.ContainsAny(part, "\r\n"))
	}
	text, _ := base64.RawURLEncoding.DecodeString(parts[0])
	members, strict := strictObject(text)
	is("the header is one JSON object in UTF-8 with every name once (RFC 7516, Section 4)", !strict)
	member := func(name string) (value string, has, ok bool) {
		raw, has := members[name]
		return value, has, !has || raw[0] == '"' && json.Unmarshal(raw, &value) == nil
	}
	for name := range members {
		is(name+" is never followed, nor understood", slices.Contains([]string{"zip", "crit", "jku", "jwk", "x5u", "x5c", "p2s", "p2c", "b64"}, name))
	}
	for _, name := range []string{"alg", "enc", "kid", "cty", "typ"} {
		_, _, ok := member(name)
		is(name+" is text", !ok)
	}
	algorithm, _, _ := member("alg")
	kid, has, _ := member("kid")
	of := map[bool]string{true: "r", false: "e"}[strings.HasPrefix(algorithm, "RSA")]
	is("kid names the key", has && kid != of)
	cty, _, _ := member("cty")
	cty = strings.TrimPrefix(strings.ToLower(cty), "application/")
	is("cty says that there is a JWT inside (RFC 7519, Section 5.2)", cty != "jwt" && cty != "at+jwt")
	is("an agreed key is not encrypted (RFC 7516, Section 5.2, step 10)", algorithm == "ECDH-ES" && parts[1] != "")
	_, err := v.VerifyAccessToken(tb.Context(), string(content))
	is("what is inside is a good token by itself", err != nil || strings.Count(string(content), ".") != 2)
	return reasons
}

var loneSurrogate = regexp.MustCompile(`(?i)\\ud[89a-f]`)

// strictObject reads a JSON object whose names are unique at every depth.
func strictObject(text []byte) (members map[string]json.RawMessage, ok bool) {
	if !utf8.Valid(text) || loneSurrogate.Match(text) || json.Unmarshal(text, &members) != nil {
		return members, false
	}
	d := json.NewDecoder(bytes.NewReader(text))
	var names []map[string]bool // of the objects that are open; nil for arrays
	name := false               // whether a name comes next
	for {
		t, err := d.Token()
		if err == io.EOF {
			return members, true
		}
		if err != nil {
			return members, false
		}
		switch t := t.(type) {
		case json.Delim:
			switch t {
			case '{':
				names = append(names, map[string]bool{})
			case '[':
				names = append(names, nil)
			default:
				names = names[:len(names)-1]
			}
			name = len(names) > 0 && names[len(names)-1] != nil
			continue
		case string:
			if name {
				open := names[len(names)-1]
				if open[t] {
					return members, false
				}
				open[t], name = true, false
				continue
			}
		}
		name = len(names) > 0 && names[len(names)-1] != nil
	}
}

const (
	rsaHeader = `{"alg":"$ALG","enc":"$ENC","kid":"r","cty":"JWT"}`
	ecHeader  = `{"alg":"$ALG","enc":"$ENC","kid":"e","cty":"JWT","epk":{$EPK}}`
)

// FuzzEncryptedToken: tokens encrypted the way of every algorithm, of any header
// and content, and spoilt thereafter. What is opened and accepted here is opened
// there to the same octets; what is opened there and refused here is so for a
// reason of ours that has a name, and nothing is opened in spite of one.
func FuzzEncryptedToken(f *testing.F) {
	e := newEnvelope(f)
	v := e.opens(f)
	for alg := range keyAlgorithms {
		header := ecHeader
		if alg < 2 {
			header = rsaHeader
		}
		for enc := range encodings {
			f.Add(byte(alg), byte(enc), header, "$TOKEN", byte(0), byte(0), uint16(0), byte(0))
			for how := byte(1); how < 9; how++ {
				f.Add(byte(alg), byte(enc), header, "$TOKEN", how, byte(enc), uint16(alg), byte(alg+1))
			}
		}
		for _, more := range []string{
			`"apu":"QQ","apv":"Qg"`, `"apu":"QQ=="`, `"apu":1`, `"apv":""`, `"zip":"DEF"`, `"crit":["x"],"x":1`, `"crit":["b64"],"b64":true`, `"jwk":{}`, `"p2c":1`, `"typ":"JWT"`, `"typ":1`,
			`"x5t":1`, `"iv":"AA","tag":"AA"`, `"alg":"dir"`, `"kid":"x"`, `"\u0061lg":"dir"`, `"x":{"a":1,"a":2}`, `"x":"\ud800"`, `"ALG":"dir"`, `"epk":{}`,
		} {
			f.Add(byte(alg), byte(2), strings.Replace(header, `"cty"`, more+`,"cty"`, 1), "$TOKEN", byte(0), byte(0), uint16(0), byte(0))
		}
		for _, content := range []string{"", "x", "$TOKEN.", "$TOKEN ", " $TOKEN", "a.b.c", `{"iss":"https://tenant.example.com/"}`, "....", "$TOKEN\x00"} {
			f.Add(byte(alg), byte(3), header, content, byte(0), byte(0), uint16(0), byte(0))
		}
		for part := range byte(5) {
			f.Add(byte(alg), byte(3), header, "$TOKEN", byte(6), part, uint16(0), byte(0))
		}
		for _, odd := range []string{
			`{"alg":"$ALG","enc":"$ENC","kid":"x","cty":"JWT","epk":{$EPK}}`, `{"alg":"$ALG","enc":"$ENC","kid":"","cty":"JWT","epk":{$EPK}}`,
			`{"alg":"$ALG","enc":"$ENC","epk":{$EPK}}`, `{"alg":"$ALG","enc":"A128GCM","cty":"JWT","epk":{$EPK}}`, `{"alg":"ECDH-ES","enc":"$ENC","cty":"JWT","epk":{$EPK}}`,
			`{"alg":"RSA-OAEP","enc":"$ENC","cty":"at+jwt"}`, ` {"enc":"$ENC","alg":"$ALG","cty":"application/JWT","epk":{$EPK,"d":"AA"}} `, `{"alg":"$ALG","enc":"$ENC","cty":"JWT","epk":{"kty":"EC","crv":"P-384","x":"AA","y":"AA"}}`,
			`{"alg":"$ALG","enc":"$ENC","cty":"JWT","epk":{"kty":"OKP","crv":"X25519","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}}`,
		} {
			f.Add(byte(alg), byte(0), odd, "$TOKEN", byte(0), byte(0), uint16(0), byte(0))
		}
	}
	f.Fuzz(func(t *testing.T, alg, enc byte, header, template string, how, part byte, at uint16, with byte) {
		content := strings.ReplaceAll(template, "$TOKEN", e.inner)
		sealed, expanded := e.seal(t, alg, enc, header, content)
		token := spoil(sealed, how, part, at, with)
		if len(token) > 16<<10 { // MaxTokenSize
			return
		}
		got, err := v.VerifyAccessToken(t.Context(), token)
		theirs, theirErr := e.unseal(token)
		switch {
		case err == nil && theirErr != nil:
			// Members that are ignored here are read, and perhaps refused, there.
			plain, _ := e.seal(t, alg, enc, plainEncrypted(expanded), content)
			if theirs, theirErr = e.unseal(plain); theirErr != nil || token != sealed {
				t.Fatalf("opened here, refused there: %v\nheader %s", theirErr, expanded)
			}
			fallthrough
		case err == nil:
			e.same(t, got, string(theirs), content)
			if reasons := e.refusals(t, v, token, theirs); len(reasons) > 0 {
				t.Fatalf("opened here in spite of %q\nheader %s", reasons, expanded)
			}
		case theirErr == nil:
			if string(theirs) != content {
				t.Fatalf("opened there to %q; %q was encrypted", theirs, content)
			}
			if len(e.refusals(t, v, token, theirs)) == 0 {
				t.Fatalf("opened there, refused here for no reason that has a name: %v\nheader %s\ncontent %q", err, expanded, template)
			}
		}
	})
}

// same fails unless a token that was accepted is what was opened there, and what
// was encrypted.
func (e *envelope) same(t *testing.T, got *verifier.Token, theirs, content string) {
	t.Helper()
	if theirs != content {
		t.Fatalf("opened there to %q; %q was encrypted", theirs, content)
	}
	var payload json.RawMessage
	if err := got.Decode(&payload); err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(theirs, ".")
	if len(parts) != 3 || parts[1] != b64(payload) {
		t.Fatalf("claims %s here; opened there to %q", payload, theirs)
	}
}

// plainEncrypted is the header without what is ignored here, for a token that is
// encrypted anew.
func plainEncrypted(text string) string {
	var header map[string]any
	if json.Unmarshal([]byte(text), &header) != nil {
		return text
	}
	if algorithm, _ := header["alg"].(string); strings.HasPrefix(algorithm, "RSA") {
		return encode(only(header, "alg", "enc", "kid", "cty", "typ"))
	}
	kept := only(header, "alg", "enc", "kid", "cty", "typ", "apu", "apv")
	kept["epk"] = "$"
	return strings.Replace(encode(kept), `"$"`, "{$EPK}", 1)
}

// TestEncryptedSeeds makes sure that the comparison compares something: tokens of
// every algorithm are opened on both sides, and spoilt ones on neither.
func TestEncryptedSeeds(t *testing.T) {
	e := newEnvelope(t)
	v := e.opens(t)
	for alg, algorithm := range keyAlgorithms {
		header := ecHeader
		if alg < 2 {
			header = rsaHeader
		}
		for enc, c := range encodings {
			token, _ := e.seal(t, byte(alg), byte(enc), header, e.inner)
			got, err := v.VerifyAccessToken(t.Context(), token)
			if err != nil {
				t.Errorf("%s, %s here: %v", algorithm, c.name, err)
				continue
			}
			theirs, err := e.unseal(token)
			if err != nil {
				t.Errorf("%s, %s there: %v", algorithm, c.name, err)
				continue
			}
			e.same(t, got, string(theirs), e.inner)
			if reasons := e.refusals(t, v, token, theirs); len(reasons) > 0 {
				t.Errorf("%s, %s: a good token has reasons to be refused: %q", algorithm, c.name, reasons)
			}
			spoilt := spoil(token, 1, 4, 0, 1)
			if _, err := v.VerifyAccessToken(t.Context(), spoilt); err == nil {
				t.Errorf("%s, %s here: a spoilt tag is accepted", algorithm, c.name)
			}
			if _, err := e.unseal(spoilt); err == nil {
				t.Errorf("%s, %s there: a spoilt tag is accepted", algorithm, c.name)
			}
		}
	}
}
