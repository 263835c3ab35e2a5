package verifier_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/portcullis-go/portcullis/verifier"
)

// spellingPool has names that look alike.
var spellingPool = []string{
	"a.example", "https://a.example", "https://a.example/", "https://A.example", "A.example/", "https://a.example/x", "https://A.example/x", "https://a.example/x/",
	"b.example", "https://b.example/", "b.example:443", "https://b.example:443/", "http://b.example", "http://b.example/", "did:web:b.example", "b.example/x",
}

// normalOf is what a text stands for as a domain, or "".
func normalOf(text string) string {
	rest, https := strings.CutPrefix(text, "https://")
	if !https && strings.Contains(rest, "://") || strings.HasPrefix(rest, "did:") {
		return ""
	}
	host, path, _ := strings.Cut(rest, "/")
	if path != "" && !https {
		return ""
	}
	return "https://" + strings.ToLower(host) + "/" + path
}

// modelIssuer is an Issuer and what it accepts.
type modelIssuer struct {
	verifier.Issuer
	key byte
}

func (m *modelIssuer) spellings() []string {
	list := append([]string{m.Name}, m.Aliases...)
	if normal := normalOf(m.Name); !strings.Contains(m.Name, "://") && normal != "" {
		list = append([]string{normal, strings.TrimSuffix(normal, "/")}, m.Aliases...)
	}
	return list
}

// names reports whether an entry of a list stands for the issuer.
func (m *modelIssuer) names(entry string) bool {
	return slices.ContainsFunc(m.spellings(), func(s string) bool { return s == entry || normalOf(s) != "" && normalOf(s) == normalOf(entry) })
}

func (m *modelIssuer) accepts(iss, audience string, key byte) bool {
	audiences := m.Audiences
	if len(audiences) == 0 {
		audiences = []string{"api"}
	}
	return slices.Contains(m.spellings(), iss) && slices.Contains(audiences, audience) && m.key == key
}

func seedOf(key byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{key}, ed25519.SeedSize))
}

// randomIssuer has one of three keys and one of two audiences.
func randomIssuer(r *rand.Rand, sets [3]verifier.Keys) *modelIssuer {
	pick := func() string { return spellingPool[r.IntN(len(spellingPool))] }
	m := &modelIssuer{key: byte(r.IntN(3))}
	m.Name, m.Keys = pick(), sets[m.key]
	if r.IntN(2) == 0 {
		m.Audiences = []string{[]string{"api", "other"}[r.IntN(2)]}
	}
	for range r.IntN(3) {
		m.Aliases = append(m.Aliases, pick())
	}
	return m
}

// chooser answers with what the test wants, in one of the two ways.
type chooser struct {
	list   []string
	issuer *verifier.Issuer
}

func (c *chooser) ResolveDomains(context.Context, verifier.ResolveRequest) ([]string, error) {
	return c.list, nil
}

type issuerChooser struct{ *chooser }

func (c issuerChooser) ResolveIssuer(context.Context, verifier.ResolveRequest) (*verifier.Issuer, error) {
	return c.issuer, nil
}

// TestManySigners compares the gate with a model: a token is accepted if, and only if,
// its iss is a spelling of an issuer that is allowed for this very request, with that
// issuer's key and audience, whatever was accepted before.
func TestManySigners(t *testing.T) {
	w := newFuzzWorld(t, nil)
	var sets [3]verifier.Keys
	for i := range sets {
		w.issuer = seedOf(byte(i))
		sets[i] = verifier.KeysStatic(w.jwks())
	}
	accepted, refused := 0, 0
	for seed := range uint64(120) {
		r := rand.New(rand.NewPCG(seed, 7))
		c := &chooser{}
		cfg := verifier.Config{Audience: "api", TokenMemo: 32 * int(seed%2)}
		var models []*modelIssuer
		for range 1 + r.IntN(4) { // those that New takes together
			m := randomIssuer(r, sets)
			if !slices.ContainsFunc(models, func(other *modelIssuer) bool {
				return slices.ContainsFunc(m.spellings(), other.names)
			}) {
				models, cfg.Issuers = append(models, m), append(cfg.Issuers, m.Issuer)
			}
		}
		byIssuer := seed%3 == 0
		cfg.Domains = c
		if byIssuer {
			cfg.Domains = issuerChooser{c}
		}
		cfg.Doer = verifier.DoerFunc(func(*http.Request) (*http.Response, error) { return nil, context.DeadlineExceeded })
		j := newCourt(t, cfg)
		j.w = w
		iss, audience, key := "", "", byte(0)
		var before *modelIssuer
		for range 60 {
			if iss == "" || r.IntN(4) == 0 { // else the same token again
				iss, audience, key = spellingPool[r.IntN(len(spellingPool))], []string{"api", "other"}[r.IntN(2)], byte(r.IntN(3))
			}
			want := false
			if byIssuer {
				m := randomIssuer(r, sets)
				if len(models) > 0 && r.IntN(2) == 0 {
					m = models[r.IntN(len(models))]
				}
				if before != nil && r.IntN(2) == 0 { // one rule is another
					changed := *before
					changed.Audiences = []string{[]string{"api", "other"}[r.IntN(2)]}
					m = &changed
				}
				if want = m.accepts(iss, audience, key); want || before == nil {
					before = m
				}
				value := m.Issuer
				c.issuer = &value
			} else {
				c.list = nil
				for range 1 + r.IntN(12) {
					if e := spellingPool[r.IntN(len(spellingPool))]; normalOf(e) != "" {
						c.list = append(c.list, e)
					}
				}
				c.list = append(c.list, "z.example")
				want = slices.ContainsFunc(models, func(m *modelIssuer) bool {
					return m.accepts(iss, audience, key) && slices.ContainsFunc(c.list, m.names)
				})
			}
			w.issuer = seedOf(key)
			_, err := j.VerifyAccessToken(t.Context(), j.token("", claims{"iss": iss, "aud": audience}))
			if (err == nil) != want {
				t.Fatalf("seed %d: iss %q, aud %s, key %d, list %q, issuer %+v of %+v: %v; want accepted %v", seed, iss, audience, key, c.list, c.issuer, cfg.Issuers, err, want)
			}
			if want {
				accepted++
			} else {
				refused++
			}
		}
	}
	if accepted < 100 || refused < 100 {
		t.Errorf("%d accepted, %d refused; want 100 of each at least", accepted, refused)
	}
}
