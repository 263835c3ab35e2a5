package verifier_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"math/big"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/reason"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

var tokensKey, _ = rsa.GenerateKey(rand.Reader, 2048)

// to is whom the tests encrypt to.
func to(id string) verifiertest.Recipient {
	return verifiertest.Recipient{Key: tokensKey.Public(), ID: id}
}

func newEncrypted(t *testing.T, change func(*verifier.Config)) *office {
	return newOffice(t, func(c *verifier.Config) {
		c.Issuers[0].Opaque = verifier.OpaqueTokens{}
		c.Decryption.Keys = []verifier.DecryptionKey{{ID: "k1", Private: tokensKey}}
		if change != nil {
			change(c)
		}
	})
}

func TestEncryptedToken(t *testing.T) {
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	o := newEncrypted(t, func(c *verifier.Config) {
		c.Decryption.Keys = append(c.Decryption.Keys, verifier.DecryptionKey{ID: "k2", Private: curve})
	})
	for name, token := range map[string]string{
		"by kid":      o.issuer.SignEncrypted(to("k1"), tokensAPI, nil),
		"without kid": o.issuer.SignEncrypted(to(""), tokensAPI, nil),
		"EC":          o.issuer.SignEncrypted(verifiertest.Recipient{Key: curve.Public(), ID: "k2", Encoding: "A128CBC-HS256"}, tokensAPI, nil),
		"no typ":      o.issuer.Encrypt(to("k1"), map[string]any{"typ": nil}, o.issuer.Sign(tokensAPI, nil)),
		"cty at+jwt":  o.issuer.Encrypt(to("k1"), map[string]any{"cty": "at+JWT"}, o.issuer.Sign(tokensAPI, nil)),
	} {
		got, err := o.VerifyAccessToken(t.Context(), token)
		if err != nil || got.Subject != "user-1" || got.Algorithm != "ES256" {
			t.Errorf("%s: VerifyAccessToken = %v", name, err)
		}
	}
	o.verify(t, o.issuer.Sign(tokensAPI, nil), "")
}

func TestEncryptedTokenWithoutKeysIsMalformed(t *testing.T) {
	o := newEncrypted(t, func(c *verifier.Config) { c.Decryption.Keys = nil })
	o.verify(t, o.issuer.SignEncrypted(to("k1"), tokensAPI, nil), reason.TokenMalformed)
}

// The token inside is judged as one that came by itself, by every rule.
func TestInnerTokenIsJudged(t *testing.T) {
	o := newEncrypted(t, nil)
	bad := o.issuer.Sign(tokensAPI, nil)
	bad = bad[:strings.LastIndexByte(bad, '.')+1] + strings.Repeat("A", 86)
	for name, test := range map[string]struct {
		inner string
		want  verifier.Reason
	}{
		"bad signature":    {bad, reason.Signature},
		"expired":          {o.issuer.Sign(tokensAPI, map[string]any{"exp": 1}), reason.Expired},
		"another audience": {o.issuer.Sign("https://other.example.com/", nil), reason.Audience},
		"another issuer":   {o.issuer.Sign(tokensAPI, map[string]any{"iss": "https://other.example.com/"}), reason.IssuerNotAllowed},
		"another type":     {o.issuer.SignWith(map[string]any{"typ": "dpop+jwt"}, o.issuer.Claims(tokensAPI, nil)), reason.TokenType},
		"unsigned":         {"eyJhbGciOiJub25lIn0.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUuY29tLyJ9.AAAA", reason.Algorithm},
	} {
		got, err := o.VerifyAccessToken(t.Context(), o.issuer.Encrypt(to("k1"), nil, test.inner))
		if r := reasonOf(t, err); r != test.want || got != nil {
			t.Errorf("%s: %q; want %q", name, r, test.want)
		}
	}
}

// Whoever made a token learns from the answer nothing about why it cannot be opened:
// wrong key, bad tag, bad padding and bad content have one answer, to the byte.
func TestOneAnswerToWhatCannotBeOpened(t *testing.T) {
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	o := newEncrypted(t, nil)
	good := o.issuer.Sign(tokensAPI, nil)
	gcm := o.issuer.Encrypt(to("k1"), nil, good)
	cbc := o.issuer.Encrypt(verifiertest.Recipient{Key: tokensKey.Public(), ID: "k1", Encoding: "A128CBC-HS256"}, nil, good)
	damaged := func(token string, part int) string {
		parts := strings.Split(token, ".")
		c := "A"
		if parts[part][0] == 'A' {
			c = "B"
		}
		parts[part] = c + parts[part][1:]
		return strings.Join(parts, ".")
	}
	var want string
	for name, token := range map[string]string{
		"wrong key":     o.issuer.Encrypt(verifiertest.Recipient{Key: other.Public(), ID: "k1"}, nil, good),
		"unknown kid":   o.issuer.Encrypt(to("k9"), nil, good),
		"bad key":       damaged(gcm, 1),
		"bad tag":       damaged(gcm, 4),
		"bad content":   damaged(gcm, 3),
		"bad padding":   damaged(cbc, 3),
		"claims inside": o.issuer.Encrypt(to("k1"), nil, `{"iss":"https://id.example.com/","aud":"https://api.example.com/","exp":9999999999}`),
		"JWE inside":    o.issuer.Encrypt(to("k1"), nil, gcm),
		"not a JWS":     o.issuer.Encrypt(to("k1"), nil, "a.b.c"),
		"cut JWS":       o.issuer.Encrypt(to("k1"), nil, good[:len(good)-1]+"!"),
		"crit inside":   o.issuer.Encrypt(to("k1"), nil, o.issuer.SignWith(map[string]any{"crit": []string{"x"}, "x": 1}, o.issuer.Claims(tokensAPI, nil))),
		"not text":      o.issuer.Encrypt(to("k1"), nil, "\xff\x00.\x01."),
		"no cty":        o.issuer.Encrypt(to("k1"), map[string]any{"cty": nil}, good),
		"RSA-OAEP":      o.issuer.Encrypt(verifiertest.Recipient{Key: tokensKey.Public(), ID: "k1", Algorithm: "RSA-OAEP"}, nil, good),
		"RSA1_5":        o.issuer.Encrypt(verifiertest.Recipient{Key: tokensKey.Public(), ID: "k1", Algorithm: "RSA1_5"}, nil, good),
		"encoding":      o.issuer.Encrypt(verifiertest.Recipient{Key: tokensKey.Public(), ID: "k1", Encoding: "A128GCM"}, nil, good),
	} {
		_, err := o.VerifyRequest(t.Context(), verifier.Request{Header: http.Header{"Authorization": {"Bearer " + token}}})
		if got := reasonOf(t, err); got != reason.TokenDecryption {
			t.Errorf("%s: %q; want %q", name, got, reason.TokenDecryption)
			continue
		}
		answer := newRecorded(err)
		if want == "" {
			want = answer
		}
		if answer != want {
			t.Errorf("%s: the answer is\n%s\nwant that to all\n%s", name, answer, want)
		}
	}
}

// newRecorded writes the answer to an error out.
func newRecorded(err error) string {
	w := &writtenAnswer{header: make(http.Header)}
	verifier.WriteError(w, err)
	return w.text()
}

type writtenAnswer struct {
	header http.Header
	status int
	body   strings.Builder
}

func (r *writtenAnswer) Header() http.Header         { return r.header }
func (r *writtenAnswer) WriteHeader(status int)      { r.status = status }
func (r *writtenAnswer) Write(b []byte) (int, error) { return r.body.Write(b) }
func (r *writtenAnswer) text() string {
	var b strings.Builder
	_ = r.header.Write(&b)
	return http.StatusText(r.status) + "\n" + b.String() + r.body.String()
}

func TestIssuerDemandsEncryption(t *testing.T) {
	second, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	o := newEncrypted(t, func(c *verifier.Config) {
		c.TokenMemo = 10
		c.Decryption.Keys = append(c.Decryption.Keys, verifier.DecryptionKey{ID: "k2", Private: second})
		c.Issuers[0].Encryption = verifier.EncryptionRule{Required: true, Keys: []string{"k1"}}
	})
	for range 2 {
		o.verify(t, o.issuer.Sign(tokensAPI, nil), reason.TokenNotEncrypted)
		o.verify(t, o.issuer.SignEncrypted(to("k1"), tokensAPI, nil), "")
		o.verify(t, o.issuer.SignEncrypted(to(""), tokensAPI, nil), "")
		o.verify(t, o.issuer.SignEncrypted(verifiertest.Recipient{Key: second.Public(), ID: "k2"}, tokensAPI, nil), reason.TokenNotEncrypted)
	}
}

func TestProofIsOverTheEncryptedToken(t *testing.T) {
	o := newEncrypted(t, nil)
	client := verifiertest.NewDPoPClient(t, o.clock, "")
	inner := o.issuer.Sign(tokensAPI, map[string]any{"cnf": client.Confirmation()})
	token := o.issuer.Encrypt(to("k1"), nil, inner)
	for name, test := range map[string]struct {
		over string
		want bool
	}{"what was sent": {token, true}, "what is inside": {inner, false}} {
		_, err := o.VerifyRequest(t.Context(), verifier.Request{Method: "GET", URL: tokensAPI, Header: http.Header{
			"Authorization": {"DPoP " + token}, "Dpop": {client.Proof("GET", tokensAPI, test.over)},
		}})
		if (err == nil) != test.want {
			t.Errorf("a proof over %s: %v", name, err)
		}
	}
}

// remoteKey is a KeyDecrypter.
type remoteKey func(ctx context.Context, algorithm string, encrypted []byte) ([]byte, error)

func (r remoteKey) DecryptKey(ctx context.Context, algorithm string, encrypted []byte) ([]byte, error) {
	return r(ctx, algorithm, encrypted)
}

func TestKeyDecrypter(t *testing.T) {
	for name, test := range map[string]struct {
		decrypt remoteKey
		want    verifier.Reason
	}{
		"good": {func(_ context.Context, _ string, encrypted []byte) ([]byte, error) {
			return tokensKey.Decrypt(nil, encrypted, &rsa.OAEPOptions{Hash: crypto.SHA256})
		}, ""},
		"refused": {func(context.Context, string, []byte) ([]byte, error) { return nil, verifier.ErrDecryption }, reason.TokenDecryption},
		"down":    {func(context.Context, string, []byte) ([]byte, error) { return nil, errors.New("down") }, reason.Decryption},
		"panic":   {func(context.Context, string, []byte) ([]byte, error) { panic("boom") }, reason.Decryption},
	} {
		o := newEncrypted(t, func(c *verifier.Config) {
			c.Decryption.Keys = []verifier.DecryptionKey{{ID: "k1", Decrypter: test.decrypt}}
		})
		_, err := o.VerifyAccessToken(t.Context(), o.issuer.SignEncrypted(to("k1"), tokensAPI, nil))
		if got := reasonOf(t, err); got != test.want || (test.want == reason.Decryption) != errors.Is(err, verifier.ErrUnavailable) {
			t.Errorf("%s: %q; want %q", name, got, test.want)
		}
	}
}

// Only so many tokens are opened at once; one that the header condemns takes no
// place.
func TestOpeningIsBounded(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	calls := 0
	o := newEncrypted(t, func(c *verifier.Config) {
		c.Decryption.MaxInFlight = 1
		c.Decryption.Keys = []verifier.DecryptionKey{{ID: "k1", Decrypter: remoteKey(func(context.Context, string, []byte) ([]byte, error) {
			calls++
			arrived <- struct{}{}
			<-release
			return nil, verifier.ErrDecryption
		})}}
	})
	good := o.issuer.SignEncrypted(to("k1"), tokensAPI, nil)
	var wg sync.WaitGroup
	wg.Go(func() { o.verify(t, good, reason.TokenDecryption) })
	<-arrived
	_, err := o.VerifyAccessToken(t.Context(), good)
	if got := reasonOf(t, err); got != reason.Decryption || !errors.Is(err, verifier.ErrUnavailable) {
		t.Errorf("the second: %q; want %q at once", got, reason.Decryption)
	}
	close(release)
	wg.Wait()
	o.verify(t, o.issuer.Encrypt(to("k1"), map[string]any{"zip": "DEF"}, "x.y.z"), reason.TokenDecryption)
	o.verify(t, strings.Replace(good, ".", "!.", 1), reason.TokenDecryption)
	if calls != 1 {
		t.Errorf("the private key was used %d times; want once", calls)
	}
}

func TestDecryptionConfig(t *testing.T) {
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	small, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	many := func(n int) (keys []verifier.DecryptionKey) {
		for i := range n {
			keys = append(keys, verifier.DecryptionKey{ID: strconv.Itoa(i), Private: curve})
		}
		return keys
	}
	if v, err := verifier.New(verifier.Config{Domain: officeName, Audience: tokensAPI, Decryption: verifier.DecryptionConfig{Keys: many(16)}}); err != nil {
		t.Errorf("16 keys: New = %v", err)
	} else {
		_ = v.Close()
	}
	weak := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 2046), E: 65537}} // 2047 bits
	for name, d := range map[string]verifier.DecryptionConfig{
		"weak":       {Keys: []verifier.DecryptionKey{{Private: weak}}},
		"neither":    {Keys: []verifier.DecryptionKey{{ID: "a"}}},
		"both":       {Keys: []verifier.DecryptionKey{{Private: tokensKey, Decrypter: remoteKey(nil)}}},
		"public":     {Keys: []verifier.DecryptionKey{{Private: tokensKey.Public()}}},
		"secret":     {Keys: []verifier.DecryptionKey{{Private: []byte("0123456789abcdef")}}},
		"twice":      {Keys: []verifier.DecryptionKey{{ID: "a", Private: tokensKey}, {ID: "a", Private: tokensKey}}},
		"both, EC":   {Keys: []verifier.DecryptionKey{{Private: curve, Decrypter: remoteKey(func(context.Context, string, []byte) ([]byte, error) { return nil, nil })}}},
		"both, RSA":  {Keys: []verifier.DecryptionKey{{Private: tokensKey, Decrypter: remoteKey(func(context.Context, string, []byte) ([]byte, error) { return nil, nil })}}},
		"P-224":      {Keys: []verifier.DecryptionKey{{Private: small}}},
		"too many":   {Keys: many(17)},
		"RSA1_5":     {Algorithms: []string{"RSA1_5"}},
		"dir":        {Algorithms: []string{"dir"}},
		"case":       {Encodings: []string{"a256gcm"}},
		"in flight":  {MaxInFlight: -1},
		"nil remote": {Keys: []verifier.DecryptionKey{{Decrypter: remoteKey(nil)}}},
	} {
		if _, err := verifier.New(verifier.Config{Domain: officeName, Audience: tokensAPI, Decryption: d}); !errors.Is(err, verifier.ErrConfig) {
			t.Errorf("%s: New = %v; want ErrConfig", name, err)
		}
	}
	for name, rule := range map[string]verifier.EncryptionRule{"no keys": {Required: true}, "unknown key": {Keys: []string{"x"}}} {
		if _, err := verifier.New(verifier.Config{Audience: tokensAPI, Issuers: []verifier.Issuer{{Name: officeName, Encryption: rule}}}); !errors.Is(err, verifier.ErrConfig) {
			t.Errorf("%s: New = %v; want ErrConfig", name, err)
		}
	}
}
