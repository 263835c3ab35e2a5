package verifier_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/resolver"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/reason"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// twoWorlds returns worlds whose issuers have different keys.
func twoWorlds(t *testing.T) (ours, theirs *fuzzWorld) {
	ours, theirs = newFuzzWorld(t, nil), newFuzzWorld(t, nil)
	theirs.issuer = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, ed25519.SeedSize))
	return ours, theirs
}

// documentsOf are the documents under https://a.example that state an issuer.
func documentsOf(w *fuzzWorld, stated string) *documents {
	d := &documents{bodies: map[string]string{"https://a.example/keys": string(w.jwks())}}
	for _, name := range []string{"https://a.example", "https://a.example/x", "https://A.example/x"} {
		d.bodies[name+"/.well-known/openid-configuration"] = `{"issuer":"` + stated + `","jwks_uri":"https://a.example/keys"}`
	}
	return d
}

// byTenant is an IssuerResolver that chooses by the Host field.
func byTenant(issuers map[string]*verifier.Issuer) *tenants {
	return &tenants{answer: func(req verifier.ResolveRequest) (*verifier.Issuer, error) {
		if i := issuers[req.Header().Get("Host")]; i != nil {
			return i, nil
		}
		return nil, verifier.ErrNotAllowed
	}}
}

func (j *court) at(host string, claims claims) error {
	_, err := j.VerifyAccessToken(j.t.Context(), j.token("", claims), verifier.WithRequest("", http.Header{"Host": {host}}))
	return err
}

// TestDoersOfTenants: two tenants may give one name to servers that are reached by
// different Doers, such as those of two networks. Neither memory, the shared cache
// nor the memo may take what one Doer fetched for what the other one would have.
func TestDoersOfTenants(t *testing.T) {
	ours, theirs := twoWorlds(t)
	one, two := documentsOf(ours, "https://a.example"), documentsOf(theirs, "https://a.example")
	url, shared := verifier.KeysURL("https://a.example/keys"), verifier.KeysShared("https://s.example", verifier.KeysURL("https://a.example/keys"))
	for name, doers := range map[string][2]verifier.Doer{
		"pointers":        {one, two},
		"functions":       {verifier.DoerFunc(one.Do), verifier.DoerFunc(two.Do)},
		"values":          {valueDoer{one}, valueDoer{two}},
		"one of Config's": {nil, two},
	} {
		for kind, keys := range map[string]verifier.Keys{"discovery": {}, "URL": url, "shared": shared} {
			if name == "functions" && kind == "shared" {
				continue // one KeysShared is one source; functions cannot be compared
			}
			t.Run(name+" "+kind, func(t *testing.T) {
				r := byTenant(map[string]*verifier.Issuer{
					"one": {Name: "https://a.example", Keys: keys, Doer: doers[0]}, "two": {Name: "https://a.example", Keys: keys, Doer: doers[1]},
				})
				cache := verifiertest.NewCache(nil, 0)
				for range 2 { // of a fleet
					j := newCourt(t, verifier.Config{Domains: r, Audience: "api", Doer: one, Cache: cache, TokenMemo: 10})
					for range 2 {
						for _, c := range []struct {
							host string
							w    *fuzzWorld
							good bool
						}{{"one", ours, true}, {"two", ours, false}, {"two", theirs, true}, {"one", theirs, false}} {
							j.w = c.w
							if err := j.at(c.host, nil); (err == nil) != c.good {
								t.Errorf("tenant %s: %v; want accepted %v", c.host, err, c.good)
							}
						}
					}
				}
			})
		}
	}
}

type valueDoer struct{ *documents }

// TestDocumentsAreThoseOfTheSpellings: metadata that states an alias is good for
// the tenant that has the alias, whoever came first.
func TestDocumentsAreThoseOfTheSpellings(t *testing.T) {
	w, _ := twoWorlds(t)
	for stated, issuers := range map[string]map[string]*verifier.Issuer{
		"https://b.example": {"good": {Name: "https://a.example", Aliases: []string{"https://b.example"}}, "bad": {Name: "https://a.example"}},
		"https://a.example": {"good": {Name: "a.example"}, "bad": {Name: "https://a.example/"}},
	} {
		for _, order := range [][]string{{"good", "bad"}, {"bad", "good"}} {
			j := newCourt(t, verifier.Config{Domains: byTenant(issuers), Audience: "api", Doer: documentsOf(w, stated), Cache: verifiertest.NewCache(nil, 0)})
			for _, host := range order {
				iss := "https://a.example"
				if host == "bad" {
					iss = issuers["bad"].Name
				}
				if err := j.at(host, claims{"iss": iss}); (err == nil) != (host == "good") {
					t.Errorf("stated %s, order %v: %s tenant: %v", stated, order, host, err)
				}
			}
		}
	}
}

// TestFetchersWithoutStateAreDifferent: pointers to empty values of different types
// can have one address.
func TestFetchersWithoutStateAreDifferent(t *testing.T) {
	w, _ := twoWorlds(t)
	j := newCourt(t, verifier.Config{Audience: "api", Domains: byTenant(map[string]*verifier.Issuer{
		"one": {Name: "https://a.example", Keys: verifier.KeysFrom(new(fuzzFetcher))}, "two": {Name: "https://a.example", Keys: verifier.KeysFrom(new(noFetcher))},
	})})
	j.w = w
	if err := j.at("one", nil); err != nil {
		t.Error(err)
	}
	if err := j.at("two", nil); !errors.Is(err, verifier.ErrUnavailable) {
		t.Errorf("the other fetcher: %v; want ErrUnavailable", err)
	}
}

type (
	fuzzFetcher struct{}
	noFetcher   struct{}
)

func (*fuzzFetcher) FetchKeys(context.Context, verifier.KeyRequest) (verifier.KeySet, error) {
	w := &fuzzWorld{issuer: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))}
	return verifier.KeySet{JWKS: w.jwks()}, nil
}

func (*noFetcher) FetchKeys(context.Context, verifier.KeyRequest) (verifier.KeySet, error) {
	return verifier.KeySet{}, errors.New("none")
}

// TestOneNameOneFetcher: the shared cache could not tell two fetchers apart.
func TestOneNameOneFetcher(t *testing.T) {
	from := func() verifier.Keys {
		return verifier.KeysShared("https://s.example", verifier.KeysFrom(verifier.KeyFetcherFunc((*fuzzFetcher)(nil).FetchKeys)))
	}
	one := from()
	for name, c := range map[string]struct {
		keys [2]verifier.Keys
		good bool
	}{
		"one value":  {[2]verifier.Keys{one, one}, true},
		"two values": {[2]verifier.Keys{from(), from()}, false},
		"one by name": {[2]verifier.Keys{verifier.KeysFrom(verifier.KeyFetcherFunc((*fuzzFetcher)(nil).FetchKeys)),
			verifier.KeysShared("https://a.example", verifier.KeysFrom(verifier.KeyFetcherFunc((*fuzzFetcher)(nil).FetchKeys)))}, false},
	} {
		v, err := verifier.New(verifier.Config{Audience: "api", Issuers: []verifier.Issuer{
			{Name: "https://a.example", Keys: c.keys[0]}, {Name: "https://b.example", Keys: c.keys[1]},
		}})
		if (err == nil) != c.good {
			t.Errorf("%s: New = %v; want it taken: %v", name, err, c.good)
		}
		if err == nil {
			_ = v.Close()
		}
	}
}

// TestAReturnedNameIsExact: an Issuer that a resolver returns is judged alike with
// rules and without: a Name that is a URL is one spelling.
func TestAReturnedNameIsExact(t *testing.T) {
	w, _ := twoWorlds(t)
	names := []string{"https://a.example", "https://a.example/", "https://A.example/x", "https://a.example/x"}
	accepted := 0
	for _, stated := range names {
		d := documentsOf(w, stated)
		for _, name := range append([]string{"a.example"}, names...) {
			for _, iss := range names {
				var got [2]verifier.Reason
				for i, issuer := range []*verifier.Issuer{{Name: name}, {Name: name, Leeway: -1}} {
					j := newCourt(t, verifier.Config{Domains: byTenant(map[string]*verifier.Issuer{"": issuer}), Audience: "api", Doer: d})
					got[i] = reasonOf(t, j.at("", claims{"iss": iss}))
				}
				exact := iss == name || name == "a.example" && (iss == "https://a.example" || iss == "https://a.example/")
				if got[0] != got[1] || got[0] == "" && (!exact || iss != stated) {
					t.Errorf("Name %s, iss %s, stated %s: %q alone, %q with a rule", name, iss, stated, got[0], got[1])
				}
				if got[0] == "" {
					accepted++
				}
			}
		}
	}
	if accepted != 6 {
		t.Errorf("%d of the tokens were accepted; want 6", accepted)
	}
}

// TestEveryRuleCounts: an Issuer that differs from another one in any field is not
// judged by what was compiled for that, and stands for no entry of Config.Issuers.
func TestEveryRuleCounts(t *testing.T) {
	keys := verifier.KeysStatic(newFuzzWorld(t, nil).jwks())
	full := func() *verifier.Issuer {
		return &verifier.Issuer{
			Name: "https://a.example", Aliases: []string{"https://b.example"}, Keys: keys, Audiences: []string{"api"},
			Leeway: time.Second, Profile: verifier.ProfileJWT, RequiredValues: map[string][]string{"sub": {"s"}}, Types: []string{"x+jwt"},
			NoAudience: verifier.AudienceRule{Claim: "sub", Values: []string{"s"}}, Claims: verifier.ClaimNames{Scope: []string{"scope"}},
		}
	}
	var now *verifier.Issuer
	j := newCourt(t, verifier.Config{Audience: "api", Domains: &tenants{answer: func(verifier.ResolveRequest) (*verifier.Issuer, error) { return now, nil }}})
	for name, c := range map[string]struct {
		change func(*verifier.Issuer)
		claims claims
	}{
		"Name":            {func(i *verifier.Issuer) { i.Name = "https://c.example" }, nil},
		"Aliases":         {func(i *verifier.Issuer) { i.Aliases = nil }, claims{"iss": "https://b.example"}},
		"Keys":            {func(i *verifier.Issuer) { i.Keys = verifier.KeysFrom(new(noFetcher)) }, nil},
		"Audiences":       {func(i *verifier.Issuer) { i.Audiences = []string{"other"} }, nil},
		"NoAudience":      {func(i *verifier.Issuer) { i.NoAudience = verifier.AudienceRule{} }, claims{"aud": nil}},
		"its claim":       {func(i *verifier.Issuer) { i.NoAudience.Claim = "azp" }, claims{"aud": nil}},
		"its values":      {func(i *verifier.Issuer) { i.NoAudience.Values = []string{"t"} }, claims{"aud": nil}},
		"Algorithms":      {func(i *verifier.Issuer) { i.Algorithms = []string{"RS256"} }, nil},
		"RequiredClaims":  {func(i *verifier.Issuer) { i.RequiredClaims = []string{"x"} }, nil},
		"RequiredValues":  {func(i *verifier.Issuer) { i.RequiredValues = map[string][]string{"sub": {"t"}} }, nil},
		"their claims":    {func(i *verifier.Issuer) { i.RequiredValues = map[string][]string{"x": {"s"}} }, nil},
		"Optional":        {func(i *verifier.Issuer) { i.Optional = []string{"iat"} }, claims{"iat": nil}},
		"Leeway":          {func(i *verifier.Issuer) { i.Leeway = -1 }, claims{"exp": issuersNow}},
		"Profile":         {func(i *verifier.Issuer) { i.Profile = verifier.ProfileRFC9068 }, nil},
		"Claims":          {func(i *verifier.Issuer) { i.Claims.ClientID = []string{"aud_list"} }, claims{"aud_list": []string{"x"}}},
		"SubjectPrefix":   {func(i *verifier.Issuer) { i.SubjectPrefix = "spiffe://a.example/" }, nil},
		"Encryption.Keys": {func(i *verifier.Issuer) { i.Encryption.Keys = []string{"unknown"} }, nil},
		"Encryption":      {func(i *verifier.Issuer) { i.Encryption.Required = true }, nil},
		"Opaque.Prefix":   {func(i *verifier.Issuer) { i.Opaque.Prefix = "x" }, nil},
	} {
		now = full()
		before := j.at("", c.claims)
		now = full()
		c.change(now)
		after := j.at("", c.claims)
		if (before == nil) == (after == nil) {
			t.Errorf("%s: %v, then %v; want the changed Issuer to count", name, before, after)
		}
	}
	if n := reflect.TypeFor[verifier.Issuer]().NumField(); n != 17 {
		t.Errorf("Issuer has %d fields; list the new ones here", n)
	}
}

// TestTokensThatNameNoIssuer: of a host's Issuers one at most is asked about them,
// and the other host's never.
func TestTokensThatNameNoIssuer(t *testing.T) {
	var asked []string
	ask := verifier.IntrospectorFunc(func(_ context.Context, r verifier.IntrospectionRequest) (verifier.Introspection, error) {
		asked = append(asked, r.Issuer)
		return verifier.Introspection{Active: true, Claims: []byte(`{"aud":"api","sub":"s","iat":1767225590,"exp":1767225700}`)}, nil
	})
	one := verifier.Issuer{Name: "https://a.example", Opaque: verifier.OpaqueTokens{Introspector: ask}}
	other := verifier.Issuer{Name: "https://d.example", Opaque: verifier.OpaqueTokens{Introspector: ask}}
	if r, err := resolver.IssuersByHost(map[string][]verifier.Issuer{"one": {one, other}}); err == nil {
		t.Errorf("IssuersByHost of two introspecting issuers = %v; want an error", r)
	}
	r, err := resolver.IssuersByHost(map[string][]verifier.Issuer{"one": {one, {Name: "https://c.example"}}, "two": {{Name: "https://b.example"}}, "three": {other}})
	if err != nil {
		t.Fatal(err)
	}
	cached, err := resolver.Cached(r, resolver.CacheConfig{Key: resolver.HostAndIssuerKey})
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]verifier.DomainResolver{"by host": r, "in a chain": resolver.Chain(r, resolver.Static("x.example")), "cached": cached} {
		j := newCourt(t, verifier.Config{Domains: r, Audience: "api"})
		for host, want := range map[string]struct {
			reason verifier.Reason
			asked  string
		}{"one": {"", "https://a.example"}, "two": {reason.IssuerNotAllowed, ""}, "three": {"", "https://d.example"}} {
			asked = nil
			_, err = j.VerifyAccessToken(t.Context(), "opaque", verifier.WithRequest("", http.Header{"Host": {host}}))
			if got := reasonOf(t, err); got != want.reason || strings.Join(asked, " ") != want.asked {
				t.Errorf("%s, host %s: %q, asked %v; want %q, asked %q", name, host, got, asked, want.reason, want.asked)
			}
		}
	}
}

// TestTenantsAtOnce: many requests of tenants that share a name, with more of them
// than policies are kept, never get the keys of one another.
func TestTenantsAtOnce(t *testing.T) {
	ours, theirs := twoWorlds(t)
	one, two := documentsOf(ours, "https://a.example"), documentsOf(theirs, "https://a.example")
	r := &freshTenants{one: one, two: two}
	j := newCourt(t, verifier.Config{Domains: r, Audience: "api", TokenMemo: 64, Refresh: verifier.RefreshConfig{MaxIssuers: 2}})
	good := map[string]string{}
	for host, w := range map[string]*fuzzWorld{"one": ours, "two": theirs} {
		j.w = w
		good[host] = j.token("", nil)
	}
	var wg sync.WaitGroup
	var accepted atomic.Int64
	for n := range 8 {
		wg.Go(func() {
			for i := range 60 {
				tenant, signer := []string{"one", "two"}[(n+i)%2], []string{"one", "two"}[i/2%2]
				_, err := j.VerifyAccessToken(t.Context(), good[signer], verifier.WithRequest("", http.Header{"Host": {tenant}}))
				if err == nil {
					accepted.Add(1)
				}
				if (err == nil) != (tenant == signer) {
					t.Errorf("a token of tenant %s at tenant %s: %v", signer, tenant, err)
				}
			}
		})
	}
	wg.Wait()
	if accepted.Load() != 8*60/2 {
		t.Errorf("%d tokens were accepted; want each tenant's own", accepted.Load())
	}
}

// freshTenants returns another value each time, some with a rule that changes nothing.
type freshTenants struct {
	one, two verifier.Doer
	n        atomic.Int64
}

func (*freshTenants) ResolveDomains(context.Context, verifier.ResolveRequest) ([]string, error) {
	return nil, errors.New("an IssuerResolver is not asked for domains")
}

func (r *freshTenants) ResolveIssuer(_ context.Context, req verifier.ResolveRequest) (*verifier.Issuer, error) {
	i := &verifier.Issuer{Name: "https://a.example", Doer: r.one, Leeway: time.Duration(1+r.n.Add(1)%200) * time.Millisecond}
	if req.Header().Get("Host") == "two" {
		i.Doer = r.two
	}
	return i, nil
}

// TestFreshIssuersAreForgotten: a resolver that makes an Issuer with a function for
// each request must not let a client fill the memory.
func TestFreshIssuersAreForgotten(t *testing.T) {
	keys := verifier.KeysStatic(newFuzzWorld(t, nil).jwks())
	freed := new(atomic.Int64)
	j := newCourt(t, verifier.Config{Audience: "api", Domains: &tenants{answer: func(verifier.ResolveRequest) (*verifier.Issuer, error) {
		i := &verifier.Issuer{Name: "https://a.example", Keys: keys, Doer: verifier.DoerFunc(func(*http.Request) (*http.Response, error) { return nil, context.Canceled })}
		runtime.AddCleanup(i, func(n *atomic.Int64) { n.Add(1) }, freed)
		return i, nil
	}}})
	dead := j.token("", claims{"exp": 5})
	const requests = 40_000
	for range requests {
		_, _ = j.VerifyAccessToken(t.Context(), dead)
	}
	for range 50 {
		if freed.Load() > 0 {
			return
		}
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
	t.Errorf("all of %d Issuers are kept", requests)
}

// TestCompiledIssuersAreBounded: what a resolver returned is forgotten, too, when it
// returned very many different Issuers.
func TestCompiledIssuersAreBounded(t *testing.T) {
	keys := verifier.KeysStatic(newFuzzWorld(t, nil).jwks())
	freed := new(atomic.Int64)
	asked := 0
	j := newCourt(t, verifier.Config{Audience: "api", Refresh: verifier.RefreshConfig{MaxIssuers: 1}, Domains: &tenants{answer: func(verifier.ResolveRequest) (*verifier.Issuer, error) {
		asked++
		i := &verifier.Issuer{Name: "https://a.example", Keys: keys, Types: []string{fmt.Sprint("t", asked)}}
		runtime.AddCleanup(i, func(n *atomic.Int64) { n.Add(1) }, freed)
		return i, nil
	}}})
	dead := j.token("", claims{"exp": 5})
	const requests = 1000
	for range requests {
		_, _ = j.VerifyAccessToken(t.Context(), dead)
	}
	for range 50 {
		if freed.Load() > requests/2 {
			return
		}
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
	t.Errorf("%d of %d Issuers were freed; want most of them", freed.Load(), requests)
}

// TestOneIssuerOfNamelessTokens: a token without iss can be of one issuer alone.
func TestOneIssuerOfNamelessTokens(t *testing.T) {
	_, err := verifier.New(verifier.Config{Audience: "api", Issuers: []verifier.Issuer{
		{Name: "https://a.example", SubjectPrefix: "spiffe://a.example/"}, {Name: "https://b.example", SubjectPrefix: "spiffe://b.example/"},
	}})
	if !errors.Is(err, verifier.ErrConfig) {
		t.Errorf("New with two SubjectPrefixes = %v; want ErrConfig", err)
	}
}
