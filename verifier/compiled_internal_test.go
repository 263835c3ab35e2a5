package verifier

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// newCompiled keeps what a resolver returns beside a configuration that says no more
// than an audience.
func newCompiled(t *testing.T, audience string) *compiledPolicies {
	t.Helper()
	var m mistakes
	s := newStandard(&m, &Config{Audience: audience, Issuers: []Issuer{{}}})
	s.sources.dynamic = true
	if err := m.err(); err != nil {
		t.Fatal(err)
	}
	return &compiledPolicies{standard: s, most: 100}
}

func held(m *sync.Map) (n int) {
	m.Range(func(any, any) bool { n++; return true })
	return n
}

func (c *compiledPolicies) counts() string {
	return fmt.Sprint(c.count.Load(), c.uncompared.Load(), held(&c.domains), held(&c.pointers), held(&c.contents))
}

func TestDomainsAreCompiledOnce(t *testing.T) {
	c := newCompiled(t, "api")
	first, err := c.domain("https://a.example/")
	if err != nil {
		t.Fatal(err)
	}
	again, err := c.domain("https://a.example/")
	other, otherErr := c.domain("https://b.example/")
	if err != nil || otherErr != nil || again != first || other == first || c.counts() != "2 0 2 0 0" {
		t.Errorf("domain: %v, %v, the same again: %v, another: %v, counts %s", err, otherErr, again == first, other != first, c.counts())
	}
	for name, refused := range map[string]struct {
		by   *compiledPolicies
		want string
	}{
		"https://a.example/.well-known/x": {c, `verifier: Config.Domains "https://a.example/.well-known/x" is the address of a document`},
		"https://a.example/":              {newCompiled(t, ""), "verifier: Config.Audiences is empty"},
	} {
		before := refused.by.counts()
		p, err := refused.by.domain(name)
		if !errors.Is(err, ErrConfig) || p != nil || refused.by.counts() != before {
			t.Errorf("%s: %v, %v; want ErrConfig, and nothing kept", name, p, err)
		} else if !strings.HasPrefix(err.Error(), refused.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v; want one mistake: %s", name, err, refused.want)
		}
	}
}

func doNothing(*http.Request) (*http.Response, error) { return nil, errors.New("no network") }

func askNobody(context.Context, IntrospectionRequest) (Introspection, error) {
	return Introspection{}, nil
}

// TestIssuersAreCompiledOnce: equal ones by what they say, and those that cannot be
// compared by their pointers.
func TestIssuersAreCompiledOnce(t *testing.T) {
	compiled := func(c *compiledPolicies, i *Issuer) *policy {
		t.Helper()
		p, err := c.issuer(i)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	c := newCompiled(t, "api")
	one, two, other := &Issuer{Name: "https://a.example"}, &Issuer{Name: "https://a.example"}, &Issuer{Name: "https://a.example", Types: []string{"x"}}
	first := compiled(c, one)
	if compiled(c, one) != first || compiled(c, two) != first || compiled(c, other) == first || c.counts() != "2 0 0 2 2" {
		t.Errorf("what can be compared: counts %s", c.counts())
	}
	if _, known := c.pointers.Load(one); !known {
		t.Error("the pointer is not known")
	}
	c = newCompiled(t, "api")
	one, two = &Issuer{Name: "https://a.example", Doer: DoerFunc(doNothing)}, &Issuer{Name: "https://a.example", Doer: DoerFunc(doNothing)}
	if p := compiled(c, one); compiled(c, one) != p || compiled(c, two) == p || c.counts() != "2 2 0 2 0" {
		t.Errorf("what cannot be compared: counts %s", c.counts())
	}
	before := c.counts()
	if p, err := c.issuer(&Issuer{}); !errors.Is(err, ErrConfig) || p != nil || c.counts() != before {
		t.Errorf("an issuer of no name: %v, %v, counts %s", p, err, c.counts())
	}
}

// TestCompiledPoliciesAreForgotten: all of them, when there are too many.
func TestCompiledPoliciesAreForgotten(t *testing.T) {
	c := newCompiled(t, "api")
	c.most = 3
	fill := func() {
		t.Helper()
		_, err := c.domain("https://a.example/")
		_, err2 := c.issuer(&Issuer{Name: "https://a.example"})
		_, err3 := c.issuer(&Issuer{Name: "https://a.example", Doer: DoerFunc(doNothing)})
		if err := errors.Join(err, err2, err3); err != nil {
			t.Fatal(err)
		}
	}
	if fill(); c.counts() != "3 1 1 2 1" {
		t.Errorf("as many as may be: counts %s", c.counts())
	}
	if _, err := c.domain("https://b.example/"); err != nil || c.counts() != "0 0 1 0 0" {
		t.Errorf("one more: %v, counts %s; want the new one alone", err, c.counts())
	}
	c.forget()
	c.most = 100
	fill()
	c.uncompared.Store(maxUncompared - 1)
	fresh := func(want string) {
		t.Helper()
		if _, err := c.issuer(&Issuer{Name: "https://a.example", Doer: DoerFunc(doNothing)}); err != nil || c.counts() != want {
			t.Errorf("one that cannot be compared: %v, counts %s; want %s", err, c.counts(), want)
		}
	}
	fresh(fmt.Sprint(4, maxUncompared, 1, 3, 1))
	fresh("1 0 0 1 0")
	c.forget()
	if c.counts() != "0 0 0 0 0" {
		t.Errorf("forgotten: counts %s", c.counts())
	}
}

// TestIssuersThatSayOtherThingsDiffer, and those that say the same do not.
func TestIssuersThatSayOtherThingsDiffer(t *testing.T) {
	doer, asked := new(http.Client), new(pointedIntrospector)
	values := func() map[string][]string {
		m := make(map[string][]string)
		for i := range 9 {
			m[fmt.Sprint("c", i)] = []string{"v"}
		}
		return m
	}
	all := func() []Issuer {
		return []Issuer{
			{Name: "a"}, {Name: "b"}, {SubjectPrefix: "a"}, {NoAudience: AudienceRule{Claim: "a"}}, {Aliases: []string{"a"}}, {Aliases: []string{"a", "b"}}, {Aliases: []string{"ab"}},
			{Aliases: []string{"b", "a"}}, {Audiences: []string{"a"}}, {Aliases: []string{"a"}, Audiences: []string{"b"}}, {Aliases: []string{"b"}, Audiences: []string{"a"}},
			{NoAudience: AudienceRule{Values: []string{"a"}}}, {Algorithms: []string{"a"}}, {RequiredClaims: []string{"a"}}, {Optional: []string{"a"}}, {Types: []string{"a"}},
			{Claims: ClaimNames{Scope: []string{"a"}}}, {Claims: ClaimNames{ClientID: []string{"a"}}}, {Claims: ClaimNames{Permissions: []string{"a"}}},
			{Encryption: EncryptionRule{Keys: []string{"a"}}}, {Encryption: EncryptionRule{Required: true}}, {Leeway: 1}, {Leeway: -1}, {Leeway: 2}, {Profile: 1}, {Profile: 2},
			{RequiredValues: map[string][]string{"a": {"x"}}}, {RequiredValues: map[string][]string{"b": {"x"}}}, {RequiredValues: map[string][]string{"a": {"y"}}},
			{RequiredValues: map[string][]string{"a": {"x", "y"}}}, {RequiredValues: map[string][]string{"a": {"x"}, "y": nil}}, {RequiredValues: values()},
			{Keys: KeysURL("a")}, {Keys: KeysFile("a")}, {Doer: doer}, {Opaque: OpaqueTokens{Introspector: asked}}, {Opaque: OpaqueTokens{Introspector: asked, JWTs: true}}, {},
		}
	}
	list, again := all(), all()
	contents := make(map[issuerContent]int)
	for i := range list {
		content, comparable := contentOf(&list[i])
		if !comparable {
			t.Fatalf("%d cannot be compared", i)
		}
		if other, known := contents[content]; known {
			t.Errorf("%+v says the same as %+v", list[i], list[other])
		}
		contents[content] = i
		for range 5 { // whatever the order of a map
			if same, _ := contentOf(&again[i]); same != content {
				t.Errorf("%+v says other things than itself", list[i])
			}
		}
	}
	for name, i := range map[string]Issuer{
		"Doer": {Doer: DoerFunc(doNothing)}, "Introspector": {Opaque: OpaqueTokens{Introspector: IntrospectorFunc(askNobody)}},
		"Introspector beside a Doer":  {Doer: doer, Opaque: OpaqueTokens{Introspector: IntrospectorFunc(askNobody)}},
		"Doer beside an Introspector": {Doer: DoerFunc(doNothing), Opaque: OpaqueTokens{Introspector: asked}},
	} {
		if content, comparable := contentOf(&i); comparable || content != (issuerContent{}) {
			t.Errorf("%s is a function, and can be compared", name)
		}
	}
}

type pointedIntrospector struct{ _ int }

func (*pointedIntrospector) Introspect(ctx context.Context, req IntrospectionRequest) (Introspection, error) {
	return askNobody(ctx, req)
}

// nameOfListed is a gate's, and counts.
type listReader struct{ read int }

func (r *listReader) nameOf(domain string) (string, error) {
	r.read++
	if domain == "bad" {
		return "", errResolverInvalid
	}
	return "name of " + domain, nil
}

func listOf(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprint(i)
	}
	return list
}

// TestListsOfResolvers: what is in a list, and how often it is read.
func TestListsOfResolvers(t *testing.T) {
	replaced := func(n, at int, with string) []string {
		list := listOf(n)
		list[at] = with
		return list
	}
	for name, c := range map[string]struct {
		list  []string
		name  string
		want  bool
		bad   bool
		reads int // of two calls
	}{
		"short":             {listOf(8), "name of 3", true, false, 16},
		"short, as it is":   {replaced(8, 2, "name of x"), "name of x", true, false, 14},
		"short, twice":      {[]string{"1", "1", "2"}, "name of 1", true, false, 6},
		"short, the last":   {listOf(8), "name of 7", true, false, 16},
		"short, absent":     {listOf(8), "name of 8", false, false, 16},
		"short, bad":        {replaced(8, 7, "bad"), "name of 0", false, true, 16},
		"short, bad first":  {replaced(8, 0, "bad"), "name of 1", false, true, 2},
		"one":               {[]string{"1"}, "name of 1", true, false, 2},
		"long":              {listOf(9), "name of 3", true, false, 9},
		"long, the last":    {listOf(9), "name of 8", true, false, 9},
		"long, absent":      {listOf(9), "name of 9", false, false, 9},
		"long, bad":         {replaced(9, 8, "bad"), "name of 0", false, true, 9},
		"long, bad at once": {replaced(9, 0, "bad"), "name of 1", false, true, 1},
	} {
		var n normalLists
		var r listReader
		for call := range 2 {
			got, err := n.has(c.list, c.name, r.nameOf)
			if err == nil && got != c.want || (err != nil) != c.bad {
				t.Errorf("%s, call %d: %v, %v; want %v and an error: %v", name, call, got, err, c.want, c.bad)
			}
			if call == 0 && got && err != nil {
				t.Errorf("%s: listed, and an error", name)
			}
		}
		if r.read != c.reads {
			t.Errorf("%s: %d entries were read; want %d", name, r.read, c.reads)
		}
	}
}

// TestListsAreToldApart: by their ends, their lengths, and then in full.
func TestListsAreToldApart(t *testing.T) {
	var n normalLists
	var r listReader
	base := listOf(12)
	longer := append(slices.Clone(base), "11")
	first, last, middle := slices.Clone(base), slices.Clone(base), slices.Clone(base)
	first[0], last[11], middle[5] = "x", "x", "x"
	for range 2 {
		for _, list := range [][]string{base, longer, first, last} {
			if got, err := n.has(list, "name of 3", r.nameOf); !got || err != nil {
				t.Errorf("has = %v, %v", got, err)
			}
		}
	}
	if r.read != 12+13+12+12 || len(*n.lists.Load()) != 4 || n.listed != r.read {
		t.Errorf("%d entries were read, %d lists of %d are kept", r.read, len(*n.lists.Load()), n.listed)
	}
	if got, err := n.has(middle, "name of x", r.nameOf); !got || err != nil || len(*n.lists.Load()) != 4 || n.listed != 12+13+12+12 {
		t.Errorf("another list of the same ends: %v, %v, %d lists of %d are kept; want it to take the place of the first", got, err, len(*n.lists.Load()), n.listed)
	}
	base[5] = "y" // the caller's own
	if got, err := n.has(middle, "name of x", r.nameOf); !got || err != nil {
		t.Errorf("has = %v, %v after a change by the caller", got, err)
	}
}

// TestRememberedListsAreBounded: in number and in length.
func TestRememberedListsAreBounded(t *testing.T) {
	var n normalLists
	var r listReader
	add := func(list []string, lists, listed int) {
		t.Helper()
		if _, err := n.has(list, "", r.nameOf); err != nil {
			t.Fatal(err)
		}
		if got := len(*n.lists.Load()); got != lists || n.listed != listed {
			t.Errorf("%d lists of %d are kept; want %d of %d", got, n.listed, lists, listed)
		}
	}
	known := make(map[listKey]*normalList)
	for i := range maxLists - 1 {
		known[listKey{length: -i - 1}] = &normalList{}
	}
	n.lists.Store(&known)
	add(listOf(9), maxLists, 9)
	add(listOf(10), 1, 10)
	n.listed = maxListed - 11
	add(listOf(11), 2, maxListed)
	add(listOf(12), 1, 12)
}

// TestIdentitiesOfKeys: equal ones come from one place.
func TestIdentitiesOfKeys(t *testing.T) {
	set, fetcher := []byte(`{"keys":[]}`), new(pointedFetcher)
	all := func() []Keys {
		return []Keys{
			{}, KeysDiscovery(), KeysDiscovery("a"), KeysDiscovery("a", "b"), KeysDiscovery("a b"), KeysMetadata("a"), KeysMetadata("a", "b"), KeysURL("a"), KeysURL("b"), KeysFile("a"),
			KeysStatic(set), KeysFrom(fetcher), KeysFrom(new(pointedFetcher)), KeysShared("n", KeysURL("a")), KeysURL("a").ForUse("u"), KeysURL("a").ForUse("v"),
		}
	}
	list, again := all(), all()
	again[12] = list[12] // each has a fetcher of its own
	for i := range list {
		for j := range again {
			if same := list[i].identity() == again[j].identity(); same != (i == j) {
				t.Errorf("%d and %d are the same: %v", i, j, same)
			}
		}
	}
	none := func(context.Context, KeyRequest) (KeySet, error) { return KeySet{}, nil }
	for name, keys := range map[string]func() Keys{
		"a function": func() Keys { return KeysFrom(KeyFetcherFunc(none)) }, "united": func() Keys { return KeysUnited(KeysURL("a"), KeysURL("b")) }, "one united": func() Keys { return KeysUnited(KeysURL("a")) },
	} {
		one, two := keys(), keys()
		if one.identity() != one.identity() || one.identity() == two.identity() {
			t.Errorf("%s: want each value to be its own", name)
		}
	}
	if k := KeysFrom(fetcher).of; k.instance() != any(fetcher) {
		t.Error("a fetcher that can be compared is not known by itself")
	}
	if k := KeysFrom(KeyFetcherFunc(none)).of; k.instance() != any(k) {
		t.Error("a function is not known by its Keys")
	}
}

type pointedFetcher struct{ _ int }

func (*pointedFetcher) FetchKeys(context.Context, KeyRequest) (KeySet, error) { return KeySet{}, nil }

// TestKeysOfProofsAreForgotten: all of them, when there are too many.
func TestKeysOfProofsAreForgotten(t *testing.T) {
	var k proofKeys
	one, two := &proofKey{thumbprint: "1"}, &proofKey{thumbprint: "2"}
	if k.get("a") != nil {
		t.Error("a key of nobody")
	}
	k.remember("a", one)
	k.remember("a", two)
	if k.get("a") != one || k.count.Load() != 1 {
		t.Errorf("the same header twice: %v, %d", k.get("a"), k.count.Load())
	}
	k.count.Store(maxProofKeys - 1)
	k.remember("b", two)
	if k.get("a") != one || k.get("b") != two || k.count.Load() != maxProofKeys {
		t.Errorf("as many as may be: %d", k.count.Load())
	}
	k.remember("c", one)
	if k.get("a") != nil || k.get("b") != nil || k.get("c") != nil || k.count.Load() != 0 {
		t.Errorf("one more: %d, and some are kept", k.count.Load())
	}
}

// TestNewCompilesForSoManyIssuers: twice as many policies as issuers can be held, within
// bounds; and only issuers of a fixed list have their place from the beginning.
func TestNewCompilesForSoManyIssuers(t *testing.T) {
	for issuers, want := range map[int]int64{0: maxCompiled, 1: minCompiled, 64: minCompiled, 65: 130, 1 << 17: maxCompiled, 1<<17 - 1: maxCompiled - 2, 1_000_000: maxCompiled} {
		v, err := New(Config{Audience: "api", Issuers: []Issuer{{Name: "a.example"}}, Refresh: RefreshConfig{MaxIssuers: issuers}})
		if err != nil {
			t.Fatal(err)
		}
		if v.gate.compiled.most != want || v.gate.all[0].entry == nil {
			t.Errorf("MaxIssuers %d: %d policies; want %d, and a place for the issuer", issuers, v.gate.compiled.most, want)
		}
		_ = v.Close()
	}
	v, err := New(Config{
		Audience: "api", Issuers: []Issuer{{Name: "a.example"}},
		Domains: DomainResolverFunc(func(context.Context, ResolveRequest) ([]string, error) { return nil, nil }),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if v.gate.all[0].entry != nil || v.memo != nil {
		t.Error("an issuer that a resolver must list has a place, or there is a memo")
	}
	if now := v.clock.Now(); time.Since(now) < 0 || time.Since(now) > time.Hour {
		t.Errorf("the clock says %v", now)
	}
}
