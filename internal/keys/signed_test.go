package keys_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/portcullis-go/portcullis/internal/jws"
	"github.com/portcullis-go/portcullis/internal/keys"
	"github.com/portcullis-go/portcullis/internal/keyset"
	"github.com/portcullis-go/portcullis/internal/lifecycle"
)

// signer has a key.
type signer struct{ key *ecdsa.PrivateKey }

func newSigner(t *testing.T) *signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &signer{key}
}

// jwk returns its public key with a kid, which may be none.
func (s *signer) jwk(t *testing.T, kid any) string {
	t.Helper()
	point, err := s.key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	part := base64.RawURLEncoding.EncodeToString
	all := map[string]any{"kty": "EC", "crv": "P-256", "x": part(point[1:33]), "y": part(point[33:])}
	if kid != nil {
		all["kid"] = kid
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// sign makes a JWT with a kid, which may be none.
func (s *signer) sign(t *testing.T, kid any) *jws.Token {
	t.Helper()
	header := map[string]any{"alg": "ES256"}
	if kid != nil {
		header["kid"] = kid
	}
	head, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	part := base64.RawURLEncoding.EncodeToString
	input := part(head) + "." + part([]byte("{}"))
	digest := sha256.Sum256([]byte(input))
	r, sig, err := ecdsa.Sign(rand.Reader, s.key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	signature := append(r.FillBytes(make([]byte, 32)), sig.FillBytes(make([]byte, 32))...)
	parsed, err := jws.Parse(input+"."+part(signature), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &parsed
}

func set(all ...string) string { return `{"keys":[` + strings.Join(all, ",") + `]}` }

// TestCheckSigned: by a key of the issuer, which is looked for once more if it may
// have come to be since. What could not be looked for is not decided.
func TestCheckSigned(t *testing.T) {
	one, two := newSigner(t), newSigner(t)
	undecided := errors.New("any other error")
	for text, c := range map[string]struct {
		cold   bool   // nothing is held when the JWT comes
		first  string // the set that is held, or is there first
		later  string // the set that is there when the JWT comes; "!" or a status: the source is down
		parsed *jws.Token
		want   error
		asked  int // for the set
	}{
		"by kid":                       {true, set(one.jwk(t, "1")), "", one.sign(t, "1"), nil, 1},
		"without kid":                  {true, set(two.jwk(t, "2")), "", two.sign(t, nil), nil, 1},
		"without kid, of two keys":     {true, set(one.jwk(t, "1"), two.jwk(t, "2")), "", two.sign(t, nil), keys.ErrSignature, 1},
		"by another key":               {true, set(one.jwk(t, "1")), "", two.sign(t, "1"), keys.ErrSignature, 1},
		"an unknown kid":               {true, set(one.jwk(t, "1")), "", two.sign(t, "2"), keys.ErrSignature, 1},
		"no keys":                      {true, "500", "", one.sign(t, "1"), undecided, 1},
		"held":                         {false, set(one.jwk(t, "1")), "500", one.sign(t, "1"), nil, 1},
		"held, by another key":         {false, set(one.jwk(t, "1")), set(two.jwk(t, "1")), two.sign(t, "1"), keys.ErrSignature, 1},
		"held, a new kid":              {false, set(one.jwk(t, "1")), set(two.jwk(t, "2")), two.sign(t, "2"), nil, 2},
		"held, an unknown kid":         {false, set(one.jwk(t, "1")), "", two.sign(t, "2"), keys.ErrSignature, 2},
		"held, a new key without kid":  {false, set(one.jwk(t, "1")), set(two.jwk(t, "2")), two.sign(t, nil), nil, 2},
		"held, beside an empty kid":    {false, set(one.jwk(t, "")), set(two.jwk(t, "2")), two.sign(t, nil), nil, 2},
		"held, no key without kid":     {false, set(one.jwk(t, "1")), "", two.sign(t, nil), keys.ErrSignature, 2},
		"held, and the source is down": {false, set(one.jwk(t, "1")), "500", two.sign(t, "2"), undecided, 2},
	} {
		w := newWeb()
		w.set(keysURL, c.first)
		s := newStore(t, nil)
		entry := s.Entry(source(t, keys.SourceConfig{Doer: w, JWKS: keysURL}))
		if !c.cold {
			if _, err := entry.Keys(t.Context(), s.now()); err != nil {
				t.Fatal(err)
			}
			if c.later != "" {
				w.set(keysURL, c.later)
			}
		}
		err := entry.CheckSigned(t.Context(), s.now(), "test", keyset.AlgorithmByName("ES256"), c.parsed)
		ok := errors.Is(err, c.want)
		if c.want == undecided {
			ok = err != nil && !errors.Is(err, keys.ErrSignature) && !errors.Is(err, keys.ErrLimited)
		}
		if !ok || w.count() != c.asked {
			t.Errorf("%s: %v after %d fetches; want %v after %d", text, err, w.count(), c.want, c.asked)
		}
	}
}

// TestCheckSignedIsLimited: too many unknown kids are not looked for, which decides
// nothing. Nor does a context that ends.
func TestCheckSignedIsLimited(t *testing.T) {
	one, two := newSigner(t), newSigner(t)
	held := func() (*store, *keys.Entry) {
		w := newWeb()
		w.set(keysURL, set(one.jwk(t, "1")))
		s := newStore(t, nil)
		entry := s.Entry(source(t, keys.SourceConfig{Doer: w, JWKS: keysURL}))
		if _, err := entry.Keys(t.Context(), s.now()); err != nil {
			t.Fatal(err)
		}
		return s, entry
	}
	check := func(ctx context.Context, s *store, e *keys.Entry, kid any) error {
		return e.CheckSigned(ctx, s.now(), "test", keyset.AlgorithmByName("ES256"), two.sign(t, kid))
	}
	s, entry := held()
	for n, want := range []error{keys.ErrSignature, keys.ErrSignature, keys.ErrLimited, keys.ErrLimited} {
		if err := check(t.Context(), s, entry, fmt.Sprint("unknown ", n)); !errors.Is(err, want) {
			t.Errorf("unknown kid %d: %v; want %v", n, err, want)
		}
	}
	hang := make(chan struct{})
	slow := newStore(t, nil)
	first := true
	entry = slow.Entry(source(t, keys.SourceConfig{Fetch: func(context.Context, string) (lifecycle.Answer, error) {
		if !first {
			<-hang
		}
		first = false
		return lifecycle.Answer{Body: []byte(set(one.jwk(t, "1")))}, nil
	}}))
	if _, err := entry.Keys(t.Context(), slow.now()); err != nil {
		t.Fatal(err)
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if err := check(done, slow, entry, "unknown"); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that is done: %v; want its error", err)
	}
	close(hang)
}

// TestEntriesThatSignedAreKept: an issuer one of whose keys signed something makes
// no room for those of which that is not known.
func TestEntriesThatSignedAreKept(t *testing.T) {
	one := newSigner(t)
	for text, use := range map[string]func(t *testing.T, s *store, e *keys.Entry) error{
		"a JWT": func(t *testing.T, s *store, e *keys.Entry) error {
			return e.CheckSigned(t.Context(), s.now(), "test", keyset.AlgorithmByName("ES256"), one.sign(t, "1"))
		},
		"a token": func(t *testing.T, s *store, e *keys.Entry) error {
			_, err := e.Keys(t.Context(), s.now())
			e.Used()
			return err
		},
	} {
		w := newWeb()
		w.set(keysURL, set(one.jwk(t, "1")))
		s := newStore(t, func(cfg *keys.Config) { cfg.Policy.MaxIssuers = 2 })
		entry := func(name string) *keys.Entry {
			return s.Entry(source(t, keys.SourceConfig{Name: name, Doer: w, JWKS: keysURL}))
		}
		if err := use(t, s, entry("https://a.example/")); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		for _, name := range []string{"https://b.example/", "https://c.example/"} {
			if _, err := entry(name).Keys(t.Context(), s.now()); err != nil {
				t.Fatal(err)
			}
		}
		before := w.count()
		if _, err := entry("https://a.example/").Keys(t.Context(), s.now()); err != nil || w.count() != before {
			t.Errorf("%s: %v, %d fetches more; want the keys held", text, err, w.count()-before)
		}
	}
}

// TestClosedStore fetches nothing any more.
func TestClosedStore(t *testing.T) {
	w := newWeb()
	s := newStore(t, nil)
	s.Close()
	if _, err := s.Entry(source(t, keys.SourceConfig{Doer: w})).Keys(t.Context(), s.now()); !errors.Is(err, lifecycle.ErrClosed) || keys.ClassOf(err) != keys.Closed || w.count() != 0 {
		t.Errorf("%v after %d requests; want ErrClosed after none", err, w.count())
	}
}
