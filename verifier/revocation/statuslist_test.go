package revocation_test

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/revocation"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

const listURL = "https://id.example.com/statuslists/1"

// publisher is an issuer that publishes one status list.
type publisher struct {
	*verifiertest.Issuer
	clock *verifiertest.Clock

	mu     sync.Mutex
	body   string
	status int
	calls  int
	hosts  []string
	uri    string // of the list, where a test needs another one than listURL
}

func newPublisher(t *testing.T) *publisher {
	clock := verifiertest.NewClock(start)
	return &publisher{
		Issuer: verifiertest.NewIssuer(t, verifiertest.WithURL(issuerName), verifiertest.WithClock(clock), verifiertest.WithAlgorithm("ES256")),
		clock:  clock, status: 200,
	}
}

func (p *publisher) Do(r *http.Request) (*http.Response, error) {
	if !strings.Contains(r.URL.Path, "/statuslists/") {
		return p.Client().Do(r)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls++
	p.hosts = append(p.hosts, r.URL.Host)
	return &http.Response{StatusCode: p.status, Header: http.Header{"Content-Type": {"application/statuslist+jwt"}}, Body: io.NopCloser(strings.NewReader(p.body)), ContentLength: -1, Request: r}, nil
}

func (p *publisher) set(status int, body string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status, p.body = status, body
}

func (p *publisher) asked() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls
}

// deflate makes the lst of a list.
func deflate(data []byte) string {
	var b bytes.Buffer
	w, _ := zlib.NewWriterLevel(&b, zlib.BestCompression)
	_, _ = w.Write(data)
	_ = w.Close()
	return base64.RawURLEncoding.EncodeToString(b.Bytes())
}

// list signs a Status List Token. change may alter its claims; header replaces
// parameters.
func (p *publisher) list(bits int, data []byte, header map[string]any, change func(map[string]any)) string {
	claims := map[string]any{
		"sub": listURL, "iat": p.clock.Now().Unix(), "status_list": map[string]any{"bits": bits, "lst": deflate(data)},
	}
	if change != nil {
		change(claims)
	}
	all := map[string]any{"typ": "statuslist+jwt"}
	for name, value := range header {
		all[name] = value
	}
	return p.SignWith(all, claims)
}

func (p *publisher) verifier(t *testing.T, change func(*revocation.StatusListsConfig)) *verifier.Verifier {
	t.Helper()
	cfg := revocation.StatusListsConfig{Issuers: []revocation.StatusIssuer{{Name: p.Domain()}}, Doer: p, Clock: p.clock}
	if change != nil {
		change(&cfg)
	}
	lists, err := revocation.NewStatusLists(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lists.Close() })
	verification := p.Config(api)
	verification.TokenMemo = 10
	verification.Revocation.Checker = lists
	v, err := verifier.New(verification)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.Close() })
	return v
}

// at signs a token with a place in the list.
func (p *publisher) at(index any) string {
	return p.Sign(api, map[string]any{"status": map[string]any{"status_list": map[string]any{"idx": index, "uri": listURL}}})
}

// The example of draft-ietf-oauth-status-list, Section 4.1: sixteen statuses of one
// bit, and twelve of two.
func TestStatusListExamples(t *testing.T) {
	for _, test := range []struct {
		name string
		bits int
		lst  string
		want string
	}{
		{"one bit", 1, "eNrbuRgAAhcBXQ", "1001110111000101"},
		{"two bits", 2, "eNo76fITAAPfAgc", "120301011233"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newPublisher(t)
			p.set(200, p.list(test.bits, nil, nil, func(c map[string]any) {
				c["status_list"] = map[string]any{"bits": test.bits, "lst": test.lst}
			}))
			v := p.verifier(t, nil)
			for i, status := range test.want {
				_, err := v.VerifyAccessToken(t.Context(), p.at(i))
				if revoked := errors.Is(err, verifier.ErrInvalidToken); revoked != (status != '0') || !revoked && err != nil {
					t.Errorf("idx %d: %v; the status is %c", i, err, status)
				}
			}
			if _, err := v.VerifyAccessToken(t.Context(), p.at(1000)); !errors.Is(err, verifier.ErrUnavailable) {
				t.Errorf("beyond the list: %v; want ErrUnavailable", err)
			}
			if p.asked() != 1 {
				t.Errorf("the list was fetched %d times; want once", p.asked())
			}
		})
	}
}

func TestStatusListsThatAreNotBelieved(t *testing.T) {
	good := []byte{0, 0}
	for _, test := range []struct {
		name string
		list func(*publisher) (int, string)
	}{
		{"status 404", func(p *publisher) (int, string) { return 404, p.list(1, good, nil, nil) }},
		{"status 503", func(p *publisher) (int, string) { return 503, "" }},
		{"not a JWT", func(p *publisher) (int, string) { return 200, `{"status_list":{}}` }},
		{"type of an access token", func(p *publisher) (int, string) { return 200, p.list(1, good, map[string]any{"typ": "at+jwt"}, nil) }},
		{"no type", func(p *publisher) (int, string) { return 200, p.list(1, good, map[string]any{"typ": nil}, nil) }},
		{"signed by somebody else", func(p *publisher) (int, string) {
			other := &publisher{Issuer: verifiertest.NewIssuer(t, verifiertest.WithURL(issuerName), verifiertest.WithClock(p.clock), verifiertest.WithAlgorithm("ES256")), clock: p.clock}
			return 200, other.list(1, good, nil, nil)
		}},
		{"signature changed", func(p *publisher) (int, string) {
			body := p.list(1, good, nil, nil)
			at := len(body) - 10
			c := byte('A')
			if body[at] == c {
				c = 'B'
			}
			return 200, body[:at] + string(c) + body[at+1:]
		}},
		{"algorithm not allowed", func(p *publisher) (int, string) {
			return 200, "eyJhbGciOiJub25lIiwidHlwIjoic3RhdHVzbGlzdCtqd3QifQ." + strings.Split(p.list(1, good, nil, nil), ".")[1] + ".AAAA"
		}},
		{"sub of another list", func(p *publisher) (int, string) {
			return 200, p.list(1, good, nil, func(c map[string]any) { c["sub"] = listURL + "2" })
		}},
		{"without sub", func(p *publisher) (int, string) {
			return 200, p.list(1, good, nil, func(c map[string]any) { delete(c, "sub") })
		}},
		{"without iat", func(p *publisher) (int, string) {
			return 200, p.list(1, good, nil, func(c map[string]any) { delete(c, "iat") })
		}},
		{"iss of another issuer", func(p *publisher) (int, string) {
			return 200, p.list(1, good, nil, func(c map[string]any) { c["iss"] = "https://other.example.com/" })
		}},
		{"iss is the domain alone", func(p *publisher) (int, string) {
			return 200, p.list(1, good, nil, func(c map[string]any) { c["iss"] = "id.example.com" })
		}},
		{"expired", func(p *publisher) (int, string) {
			return 200, p.list(1, good, nil, func(c map[string]any) { c["exp"] = start.Unix() })
		}},
		{"exp is text", func(p *publisher) (int, string) {
			return 200, p.list(1, good, nil, func(c map[string]any) { c["exp"] = "x" })
		}},
		{"ttl is zero", func(p *publisher) (int, string) {
			return 200, p.list(1, good, nil, func(c map[string]any) { c["ttl"] = 0 })
		}},
		{"three bits", func(p *publisher) (int, string) { return 200, p.list(3, good, nil, nil) }},
		{"no bits", func(p *publisher) (int, string) {
			return 200, p.list(1, good, nil, func(c map[string]any) { c["status_list"] = map[string]any{"lst": deflate(good)} })
		}},
		{"lst is not compressed", func(p *publisher) (int, string) {
			return 200, p.list(1, good, nil, func(c map[string]any) { c["status_list"] = map[string]any{"bits": 1, "lst": "AAAA"} })
		}},
		{"lst is cut off", func(p *publisher) (int, string) {
			return 200, p.list(1, good, nil, func(c map[string]any) {
				c["status_list"] = map[string]any{"bits": 1, "lst": deflate(bytes.Repeat([]byte{7, 9, 1}, 100))[:20]}
			})
		}},
		{"something after it", func(p *publisher) (int, string) {
			return 200, p.list(1, good, nil, func(c map[string]any) {
				data, _ := base64.RawURLEncoding.DecodeString(deflate(good))
				c["status_list"] = map[string]any{"bits": 1, "lst": base64.RawURLEncoding.EncodeToString(append(data, 1))}
			})
		}},
		{"inflates beyond the bound", func(p *publisher) (int, string) { return 200, p.list(1, make([]byte, 1025), nil, nil) }},
		{"inflates to 100 MB", func(p *publisher) (int, string) { return 200, p.list(1, make([]byte, 100<<20), nil, nil) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newPublisher(t)
			p.set(test.list(p))
			v := p.verifier(t, func(c *revocation.StatusListsConfig) { c.MaxSize, c.MaxMemory = 1024, 1<<20 })
			if _, err := v.VerifyAccessToken(t.Context(), p.at(3)); !errors.Is(err, verifier.ErrUnavailable) {
				t.Errorf("VerifyAccessToken = %v; want ErrUnavailable", err)
			}
		})
	}
}

func TestStatusClaims(t *testing.T) {
	place := func(index, uri any) map[string]any {
		return map[string]any{"status_list": map[string]any{"idx": index, "uri": uri}}
	}
	for _, test := range []struct {
		name   string
		status any
		want   error
	}{
		{"none", nil, nil},
		{"good", place(0, listURL), nil},
		{"null", jsonNull{}, verifier.ErrUnavailable},
		{"not an object", "x", verifier.ErrUnavailable},
		{"another mechanism", map[string]any{"other": 1}, verifier.ErrUnavailable},
		{"status_list is a list", map[string]any{"status_list": []int{1}}, verifier.ErrUnavailable},
		{"idx is negative", place(-1, listURL), verifier.ErrUnavailable},
		{"idx is text", place("0", listURL), verifier.ErrUnavailable},
		{"idx is a fraction", place(0.5, listURL), verifier.ErrUnavailable},
		{"idx is huge", place(uint64(1)<<63, listURL), verifier.ErrUnavailable},
		{"idx is missing", map[string]any{"status_list": map[string]any{"uri": listURL}}, verifier.ErrUnavailable},
		{"uri is missing", map[string]any{"status_list": map[string]any{"idx": 0}}, verifier.ErrUnavailable},
		{"another host", place(0, "https://evil.example.com/statuslists/1"), verifier.ErrUnavailable},
		{"another port", place(0, "https://id.example.com:8443/statuslists/1"), verifier.ErrUnavailable},
		{"http", place(0, "http://id.example.com/statuslists/1"), verifier.ErrUnavailable},
		{"http on loopback", place(0, "http://127.0.0.1/statuslists/1"), verifier.ErrUnavailable},
		{"credentials", place(0, "https://a:b@id.example.com/statuslists/1"), verifier.ErrUnavailable},
		{"file", place(0, "file:///statuslists/1"), verifier.ErrUnavailable},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newPublisher(t)
			p.set(200, p.list(1, []byte{0}, nil, nil))
			v := p.verifier(t, nil)
			_, err := v.VerifyAccessToken(t.Context(), p.Sign(api, map[string]any{"status": test.status}))
			if !errors.Is(err, test.want) {
				t.Errorf("VerifyAccessToken = %v; want %v", err, test.want)
			}
			for _, host := range p.hosts {
				if host != "id.example.com" {
					t.Errorf("%s was asked", host)
				}
			}
		})
	}
}

// jsonNull is a claim that is null, which a nil would remove.
type jsonNull struct{}

func (jsonNull) MarshalJSON() ([]byte, error) { return []byte("null"), nil }

func TestNoListIsFetchedForATokenThatFails(t *testing.T) {
	p := newPublisher(t)
	p.set(200, p.list(1, []byte{0}, nil, nil))
	token := p.at(0)
	if _, err := p.verifier(t, nil).VerifyAccessToken(t.Context(), token[:len(token)-4]+"AAAA"); err == nil || p.asked() != 0 {
		t.Errorf("VerifyAccessToken = %v after %d fetches of the list; want none", err, p.asked())
	}
}

func TestStatusListIsRefreshed(t *testing.T) {
	p := newPublisher(t)
	p.set(200, p.list(1, []byte{0}, nil, nil))
	v := p.verifier(t, func(c *revocation.StatusListsConfig) { c.TTL = time.Minute })
	token := p.at(0)
	if _, err := v.VerifyAccessToken(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	p.set(200, p.list(1, []byte{1}, nil, nil))
	p.clock.Advance(time.Minute + time.Second)
	if _, err := v.VerifyAccessToken(t.Context(), token); !errors.Is(err, verifier.ErrInvalidToken) {
		t.Errorf("VerifyAccessToken = %v after the TTL; want ErrInvalidToken: a remembered token is asked about too", err)
	}
}

func TestStatusListTTLOfTheList(t *testing.T) {
	p := newPublisher(t)
	p.set(200, p.list(1, []byte{0}, nil, func(c map[string]any) { c["ttl"] = 30 }))
	v := p.verifier(t, func(c *revocation.StatusListsConfig) { c.TTL = time.Hour })
	token := p.at(0)
	_, _ = v.VerifyAccessToken(t.Context(), token)
	p.clock.Advance(31 * time.Second)
	if _, err := v.VerifyAccessToken(t.Context(), token); err != nil || p.asked() != 2 {
		t.Errorf("VerifyAccessToken = %v after %d fetches; want two", err, p.asked())
	}
}

func TestStatusListOutage(t *testing.T) {
	for _, test := range []struct {
		name  string
		stale time.Duration
		exp   int64
		after time.Duration
		want  error
	}{
		{"fresh", 0, 0, 50 * time.Second, nil},
		{"no longer fresh", 0, 0, 61 * time.Second, verifier.ErrUnavailable},
		{"stale, and allowed", 10 * time.Minute, 0, 10 * time.Minute, nil},
		{"stale for too long", 10 * time.Minute, 0, 12 * time.Minute, verifier.ErrUnavailable},
		{"stale, and beyond its exp", 10 * time.Minute, start.Unix() + 120, 2 * time.Minute, verifier.ErrUnavailable},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newPublisher(t)
			p.set(200, p.list(1, []byte{0}, nil, func(c map[string]any) {
				if test.exp != 0 {
					c["exp"] = test.exp
				}
			}))
			v := p.verifier(t, func(c *revocation.StatusListsConfig) { c.TTL, c.MaxStale = time.Minute, test.stale })
			token := p.at(0)
			if _, err := v.VerifyAccessToken(t.Context(), token); err != nil {
				t.Fatal(err)
			}
			p.set(503, "")
			p.clock.Advance(test.after)
			if _, err := v.VerifyAccessToken(t.Context(), token); !errors.Is(err, test.want) {
				t.Errorf("VerifyAccessToken = %v; want %v", err, test.want)
			}
		})
	}
}

func TestStatusListAfterRotation(t *testing.T) {
	p := newPublisher(t)
	p.set(200, p.list(1, []byte{0}, nil, nil))
	v := p.verifier(t, func(c *revocation.StatusListsConfig) { c.TTL = time.Minute })
	_, _ = v.VerifyAccessToken(t.Context(), p.at(0))
	p.AddKey()
	p.set(200, p.list(1, []byte{1}, nil, nil))
	p.clock.Advance(2 * time.Minute)
	if _, err := v.VerifyAccessToken(t.Context(), p.at(0)); !errors.Is(err, verifier.ErrInvalidToken) {
		t.Errorf("VerifyAccessToken = %v; want ErrInvalidToken by a list that a new key signed", err)
	}
}

func TestStatusListsConfig(t *testing.T) {
	one := []revocation.StatusIssuer{{Name: "id.example.com"}}
	for name, cfg := range map[string]revocation.StatusListsConfig{
		"no issuers":   {},
		"TTL":          {Issuers: one, TTL: time.Millisecond},
		"MaxStale":     {Issuers: one, MaxStale: -1},
		"MaxSize":      {Issuers: one, MaxSize: 1 << 30},
		"MaxMemory":    {Issuers: one, MaxMemory: 1},
		"Hosts":        {Issuers: []revocation.StatusIssuer{{Name: "id.example.com", Hosts: []string{"https://x"}}}},
		"no host":      {Issuers: []revocation.StatusIssuer{{Name: "urn:x", JWKSURL: "https://id.example.com/k"}}},
		"Algorithms":   {Issuers: []revocation.StatusIssuer{{Name: "id.example.com", Algorithms: []string{"HS256"}}}},
		"http JWKSURL": {Issuers: []revocation.StatusIssuer{{Name: "id.example.com", JWKSURL: "http://id.example.com/k"}}},
	} {
		if _, err := revocation.NewStatusLists(cfg); !errors.Is(err, revocation.ErrConfig) {
			t.Errorf("%s: NewStatusLists = %v; want ErrConfig", name, err)
		}
	}
}

// A list is of an issuer that is configured, signed as that one may sign, and found
// through metadata that states it. Tokens of the others that name one are undecided.
func TestStatusListsAreOfTheirIssuer(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*publisher, *revocation.StatusListsConfig)
		want   error
	}{
		"good":           {func(*publisher, *revocation.StatusListsConfig) {}, nil},
		"another issuer": {func(_ *publisher, c *revocation.StatusListsConfig) { c.Issuers[0].Name = "other.example.com" }, verifier.ErrUnavailable},
		"another path":   {func(_ *publisher, c *revocation.StatusListsConfig) { c.Issuers[0].Name = issuerName + "one" }, verifier.ErrUnavailable},
		"another algorithm": {func(_ *publisher, c *revocation.StatusListsConfig) {
			c.Issuers[0].Algorithms = []string{"RS256", "ES384"}
		}, verifier.ErrUnavailable},
		"this algorithm": {func(_ *publisher, c *revocation.StatusListsConfig) {
			c.Issuers[0].Algorithms = []string{"RS256", "ES256"}
		}, nil},
		"metadata of another": {func(p *publisher, _ *revocation.StatusListsConfig) { p.states("https://other.example.com/") }, verifier.ErrUnavailable},
		"metadata, capitals":  {func(p *publisher, _ *revocation.StatusListsConfig) { p.states("https://ID.example.com/") }, verifier.ErrUnavailable},
		"metadata, no scheme": {func(p *publisher, _ *revocation.StatusListsConfig) { p.states("id.example.com") }, verifier.ErrUnavailable},
		"metadata, no slash":  {func(p *publisher, _ *revocation.StatusListsConfig) { p.states("https://id.example.com") }, nil},
		"a URL of 2048 bytes": {func(p *publisher, _ *revocation.StatusListsConfig) {
			p.uri += "?" + strings.Repeat("x", 2047-len(listURL))
		}, nil},
		"a URL of 2049 bytes": {func(p *publisher, _ *revocation.StatusListsConfig) {
			p.uri += "?" + strings.Repeat("x", 2048-len(listURL))
		}, verifier.ErrUnavailable},
		"http beside https": {func(p *publisher, c *revocation.StatusListsConfig) {
			c.HTTPHosts, c.Issuers[0].Hosts = []string{"id.example.com"}, []string{"id.example.com:80"}
			p.uri = "http://id.example.com/statuslists/1"
		}, verifier.ErrUnavailable},
	} {
		p := newPublisher(t)
		p.uri = listURL
		cfg := revocation.StatusListsConfig{Issuers: []revocation.StatusIssuer{{Name: p.Domain()}}, Doer: p, Clock: p.clock}
		test.change(p, &cfg)
		p.set(200, p.list(1, []byte{0}, nil, func(c map[string]any) { c["sub"] = p.uri }))
		lists, err := revocation.NewStatusLists(cfg)
		if err != nil {
			t.Fatal(err)
		}
		verification := p.Config(api)
		verification.Domain, verification.Revocation.Checker = "", lists
		verification.Issuers = []verifier.Issuer{{Name: p.Domain(), Keys: verifier.KeysStatic(p.JWKS())}} // whatever the metadata state
		v, err := verifier.New(verification)
		if err != nil {
			t.Fatal(err)
		}
		token := p.Sign(api, map[string]any{"status": map[string]any{"status_list": map[string]any{"idx": 0, "uri": p.uri}}})
		if _, err := v.VerifyAccessToken(t.Context(), token); !errors.Is(err, test.want) {
			t.Errorf("%s: VerifyAccessToken = %v; want %v", name, err, test.want)
		}
		_ = v.Close()
		_ = lists.Close()
	}
}

// states makes the metadata state an issuer.
func (p *publisher) states(issuer string) {
	p.SetDiscovery([]byte(`{"issuer":"` + issuer + `","jwks_uri":"` + issuerName + `.well-known/jwks.json"}`))
}
