package exchange_test

import (
	"encoding/json"
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

// TestManyKeys: two requests have one key if, and only if, they are equal.
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
		e.client(t, func(c *exchange.Config) {
			c.Domains, c.OnBehalfOf = []string{"custom.example"}, exchange.OnBehalfOfEntra
		}),
		e.client(t, func(c *exchange.Config) {
			c.Domains, c.Auth = []string{"custom.example"}, exchange.ClientAssertion(constant("a.b.c"), "")
		}),
		e.client(t, func(c *exchange.Config) {
			c.Domains, c.Auth = []string{"custom.example"}, exchange.ClientAssertion(constant("a.b.c"), "urn:other")
		}),
		e.client(t, func(c *exchange.Config) {
			c.Domains, c.Auth = []string{"custom.example"}, exchange.PrivateKeyJWT(exchange.PrivateKeyJWTConfig{Key: newKey(t, "ES256")})
		}),
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
	t.Logf("%d equal and %d different pairs", equal, different)
	if equal < pairs/10 || different < pairs/10 {
		t.Errorf("%d equal and %d different pairs: the test does not try both", equal, different)
	}
}

// The kinds of requests.
const (
	kindProfile = iota
	kindVault
	kindBehalf
	kindIDJAG
	kindBearer
	nKinds
)

const (
	entra    = 4 // the client that has that form
	nClients = 8
)

// anyRequest is a request of any kind, and who sends it.
type anyRequest struct {
	client    int
	kind      int
	fields    [11]string
	resources []string
	audiences []string
	extra     url.Values
	header    http.Header
	refresh   bool
	domain    string
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
	c.resources, c.audiences = slices.Clone(r.resources), slices.Clone(r.audiences)
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
	list := func(prefix string) (list []string) {
		for range random.IntN(3) {
			list = append(list, prefix+solid(random))
		}
		return list
	}
	values := func() []string {
		list := make([]string, random.IntN(3))
		for i := range list {
			list[i] = word(random)
		}
		return list
	}
	switch random.IntN(10) {
	case 0:
		r.client = random.IntN(nClients)
	case 1:
		if random.IntN(4) == 0 {
			r.kind = random.IntN(nKinds)
		}
	case 2:
		r.resources = list("urn:")
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
	case 8:
		r.audiences = list("")
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

// token makes a word one that can be a token.
func token(text string) string { return strings.ReplaceAll(text, " ", "-") }

// request returns the request as the package knows it, and what of it counts, in
// order.
func (r *anyRequest) request() (request any, parts []any) {
	f := &r.fields
	audiences := slices.Clone(r.audiences)
	if f[4] != "" {
		audiences = append([]string{f[4]}, audiences...)
	}
	subject := token(orElse(f[0], "s"))
	switch {
	case r.kind == kindVault:
		c := exchange.ConnectionRequest{AccessToken: subject, Connection: orElse(f[8], "c"), LoginHint: f[9], Extra: r.extra, Header: r.header, Domain: r.domain}
		if r.refresh {
			c.AccessToken, c.RefreshToken = "", c.AccessToken
		}
		return c, []any{c.AccessToken, c.RefreshToken, c.Connection, c.LoginHint}
	case r.kind == kindBehalf && r.client == entra:
		b := exchange.OnBehalfOfRequest{AccessToken: subject, Scope: orElse(f[5], "x"), Extra: r.extra, Header: r.header, Domain: r.domain}
		return b, []any{subject, scopeSet(b.Scope)}
	case r.kind == kindBehalf:
		b := exchange.OnBehalfOfRequest{
			AccessToken: subject, Audience: orElse(f[4], "x"), Audiences: r.audiences, Scope: f[5], Resource: r.resources,
			Organization: f[7], Extra: r.extra, Header: r.header, Domain: r.domain,
		}
		return b, []any{subject, append([]string{b.Audience}, r.audiences...), scopeSet(f[5]), slices.Clone(r.resources), f[7]}
	case r.kind == kindIDJAG:
		j := exchange.IDJAGRequest{
			SubjectToken: subject, SubjectTokenType: f[1], Audience: orElse(f[4], "x"), Scope: f[5], Resource: r.resources, Extra: r.extra, Header: r.header, Domain: r.domain,
		}
		return j, []any{subject, orElse(f[1], exchange.TypeIDToken), j.Audience, scopeSet(f[5]), slices.Clone(r.resources)}
	case r.kind == kindBearer:
		j := exchange.JWTBearerRequest{
			Assertion: subject, Audience: f[4], Audiences: r.audiences, Scope: f[5], Resource: r.resources, Extra: r.extra, Header: r.header, Domain: r.domain,
		}
		return j, []any{subject, audiences, scopeSet(f[5]), slices.Clone(r.resources)}
	default:
		p := exchange.ProfileRequest{
			SubjectToken: subject, SubjectTokenType: orElse(f[1], "t"), SubjectIssuer: f[10], ActorToken: token(f[2]), ActorTokenType: f[3],
			Audience: f[4], Audiences: r.audiences, Scope: f[5], RequestedTokenType: f[6], Organization: f[7],
			Resource: r.resources, Extra: r.extra, Header: r.header, Domain: r.domain,
		}
		if p.ActorToken == "" || p.ActorTokenType == "" {
			p.ActorToken, p.ActorTokenType = "", ""
		}
		return p, []any{
			subject, p.SubjectTokenType, p.SubjectIssuer, p.ActorToken, p.ActorTokenType, audiences, scopeSet(f[5]),
			p.RequestedTokenType, p.Organization, slices.Clone(p.Resource),
		}
	}
}

func scopeSet(text string) []string {
	set := make(map[string]bool)
	for _, s := range strings.Split(text, " ") {
		set[s] = true
	}
	delete(set, "")
	return slices.Sorted(maps.Keys(set))
}

func (r *anyRequest) key(t *testing.T, clients []*exchange.Client) string {
	t.Helper()
	request, _ := r.request()
	key, err := clients[r.client].Key(request)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// canonical writes a request in a form that is equal for equal requests: with
// the scopes as a set, the issuer by its name, and without what is not sent.
func (r *anyRequest) canonical() string {
	issuer := domain
	if strings.Contains(strings.ToLower(r.domain), "custom") {
		issuer = "custom"
	}
	client := r.client
	if client == entra && r.kind != kindBehalf {
		client = 0 // the same client but for the form of that one request
	}
	_, parts := r.request()
	extra := maps.Clone(r.extra)
	maps.DeleteFunc(extra, func(_ string, values []string) bool { return len(values) == 0 })
	// Maps are written in the order of their names, and every text is quoted; an
	// absent list is an empty one.
	data, err := json.Marshal([]any{client, r.kind, issuer, parts, extra, r.header})
	if err != nil {
		panic(err)
	}
	return strings.ReplaceAll(string(data), "null", "[]")
}
