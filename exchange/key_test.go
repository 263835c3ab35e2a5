package exchange_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/portcullis-go/portcullis/exchange"
)

// pairs is how many pairs of requests the keys are tried with.
const pairs = 100_000

// TestKeys: two requests have one key if, and only if, they are equal.
//
// The second request of a pair is a copy of the first with up to two changes,
// of values so few and so much alike that any way of joining fields that is
// not one-to-one shows.
func TestManyKeys(t *testing.T) {
	e := answering(200, `{"access_token":"t"}`)
	clients := []*exchange.Client{
		e.client(t, func(c *exchange.Config) { c.Domains = []string{"custom.example"} }),
		e.client(t, func(c *exchange.Config) { c.Domains, c.ClientID = []string{"custom.example"}, "client-2" }),
		e.client(t, func(c *exchange.Config) {
			c.Domains, c.Auth = []string{"custom.example"}, exchange.ClientSecretPost(secret)
		}),
		e.client(t, func(c *exchange.Config) { c.Domains, c.DPoPKey = []string{"custom.example"}, newKey(t, "ES256") }),
	}
	random := rand.New(rand.NewPCG(1, 2))
	equal, different := 0, 0
	a := randomRequest(random)
	for range pairs {
		for range 4 {
			a.change(random)
		}
		b := a.copy()
		for range random.IntN(3) {
			b.change(random)
		}
		keyA, keyB := a.key(t, clients), b.key(t, clients)
		same := a.canonical() == b.canonical()
		if same {
			equal++
		} else {
			different++
		}
		if (keyA == keyB) != same {
			t.Fatalf("equal keys: %t, equal requests: %t\n%s\n%s", keyA == keyB, same, a.canonical(), b.canonical())
		}
	}
	if equal < pairs/10 || different < pairs/10 {
		t.Errorf("%d equal and %d different pairs: the test does not try both", equal, different)
	}
}

// anyRequest is a request of either kind, and who sends it.
type anyRequest struct {
	client  int
	vault   bool
	fields  [10]string
	list    []string // resources
	extra   url.Values
	header  http.Header
	refresh bool
	domain  string
}

// words are the values of fields.
var words = []string{"", "a", "b", "ab", "aa", "a b", "b a", "a  b", "a b a", "1", "11"}

func word(random *rand.Rand) string { return words[random.IntN(len(words))] }

// solid words are accepted where a value is needed.
func solid(random *rand.Rand) string { return words[1+random.IntN(4)] }

var domains = []string{"", domain, "custom.example", "https://CUSTOM.example/"}

func randomRequest(random *rand.Rand) *anyRequest {
	r := &anyRequest{extra: make(url.Values), header: make(http.Header)}
	for range 30 {
		r.change(random)
	}
	return r
}

func (r *anyRequest) copy() *anyRequest {
	c := *r
	c.list = slices.Clone(r.list)
	c.extra, c.header = make(url.Values), make(http.Header)
	for name, values := range r.extra {
		c.extra[name] = slices.Clone(values)
	}
	for name, values := range r.header {
		c.header[name] = slices.Clone(values)
	}
	return &c
}

// change sets one thing at random.
func (r *anyRequest) change(random *rand.Rand) {
	values := func() []string {
		list := make([]string, random.IntN(3))
		for i := range list {
			list[i] = word(random)
		}
		return list
	}
	switch random.IntN(9) {
	case 0:
		r.client = random.IntN(4)
	case 1:
		r.vault = random.IntN(8) == 0
	case 2:
		r.list = nil
		for range random.IntN(3) {
			r.list = append(r.list, "urn:"+solid(random))
		}
	case 3:
		r.extra[solid(random)] = values()
	case 4:
		r.header["X-"+strings.ToUpper(words[1+random.IntN(2)])] = values()
	case 5:
		r.refresh = !r.refresh
	case 6:
		r.domain = domains[random.IntN(len(domains))]
	case 7:
		r.fields[5] = word(random) // scope, the one that is more than a text
	default:
		r.fields[random.IntN(len(r.fields))] = word(random)
	}
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

func (r *anyRequest) profile() exchange.ProfileRequest {
	f := &r.fields
	p := exchange.ProfileRequest{
		SubjectToken: orElse(f[0], "s"), SubjectTokenType: orElse(f[1], "t"), ActorToken: f[2], ActorTokenType: f[3], Audience: f[4], Scope: f[5],
		RequestedTokenType: f[6], Organization: f[7], Resource: r.list, Extra: r.extra, Header: r.header, Domain: r.domain,
	}
	if p.ActorToken == "" || p.ActorTokenType == "" {
		p.ActorToken, p.ActorTokenType = "", ""
	}
	return p
}

func (r *anyRequest) connection() exchange.ConnectionRequest {
	f := &r.fields
	c := exchange.ConnectionRequest{AccessToken: orElse(f[0], "s"), Connection: orElse(f[8], "c"), LoginHint: f[9], Extra: r.extra, Header: r.header, Domain: r.domain}
	if r.refresh {
		c.AccessToken, c.RefreshToken = "", c.AccessToken
	}
	return c
}

func (r *anyRequest) key(t *testing.T, clients []*exchange.Client) string {
	t.Helper()
	var key string
	var err error
	if r.vault {
		key, err = clients[r.client].VaultKey(r.connection())
	} else {
		key, err = clients[r.client].ProfileKey(r.profile())
	}
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// canonical writes a request in a form that is equal for equal requests: with
// the scopes as a set, the issuer by its name, and without what is not sent.
func (r *anyRequest) canonical() string {
	var fields []any
	issuer := domain
	if strings.Contains(strings.ToLower(r.domain), "custom") {
		issuer = "custom"
	}
	if r.vault {
		c := r.connection()
		fields = append(fields, c.AccessToken, c.RefreshToken, c.Connection, c.LoginHint)
	} else {
		p := r.profile()
		set := make(map[string]bool)
		for _, s := range strings.Split(p.Scope, " ") {
			set[s] = true
		}
		delete(set, "")
		fields = append(fields, p.SubjectToken, p.SubjectTokenType, p.ActorToken, p.ActorTokenType, p.Audience,
			slices.Sorted(maps.Keys(set)), p.RequestedTokenType, p.Organization, slices.Clone(p.Resource))
	}
	extra := maps.Clone(r.extra)
	maps.DeleteFunc(extra, func(_ string, values []string) bool { return len(values) == 0 })
	// %q of a map is sorted and quotes every text; an absent list is an empty one.
	return strings.ReplaceAll(fmt.Sprintf("%d %t %q %q %q %q", r.client, r.vault, issuer, fields, extra, r.header), "%!q(<nil>)", "[]")
}
