package resolver_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/portcullis-go/portcullis/resolver"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/reason"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// registry says which tenants are allowed, and notes which ones it was asked for.
type registry struct {
	mu    sync.Mutex
	asked []string
	err   error
	none  bool
}

func (r *registry) allowed(_ context.Context, tenant string) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, tenant)
	return !r.none && !strings.HasPrefix(tenant, "closed"), r.err
}

// server is an issuer of many tenants.
type server struct {
	*verifiertest.Issuer
	*registry
	base string
}

// newServer publishes metadata for all tenants, in which member is a part of the keys'
// entries.
func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{Issuer: verifiertest.NewIssuer(t), registry: &registry{}}
	s.base = s.URL()
	s.SetDiscovery(fmt.Appendf(nil, `{"issuer":%q,"jwks_uri":%q}`, s.name(), s.base+".well-known/jwks.json"))
	return s
}

func (s *server) name() string                { return s.base + "{tenant}/v2.0" }
func (s *server) tenant(tenant string) string { return s.base + tenant + "/v2.0" }

func (s *server) config() resolver.TemplateConfig {
	return resolver.TemplateConfig{
		Name: s.name(), Keys: verifier.KeysMetadata(s.base + ".well-known/openid-configuration"), Allowed: s.allowed, TenantClaim: "tid",
	}
}

// verifier has the tenants of the server, and what change says.
func (s *server) verifier(t *testing.T, change func(*resolver.TemplateConfig)) *verifier.Verifier {
	t.Helper()
	cfg := s.config()
	if change != nil {
		change(&cfg)
	}
	r, err := resolver.Template(cfg)
	if err != nil {
		t.Fatal(err)
	}
	v, err := verifier.New(verifier.Config{Domains: r, Audience: "api", Doer: s.Client(), TokenMemo: 100})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.Close() })
	return v
}

func (s *server) token(iss, tid string) string {
	extra := map[string]any{"iss": iss}
	if tid != "" {
		extra["tid"] = tid
	}
	return s.Sign("api", extra)
}

func (s *server) fetches() int { c := s.Requests(); return c.Discovery + c.JWKS }

func reasonOf(err error) verifier.Reason {
	var e *verifier.Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return ""
}

// TestTemplateRules: what may stand in the place of the tenant, and what else a token
// must have.
func TestTemplateRules(t *testing.T) {
	s := newServer(t)
	host := strings.TrimSuffix(strings.TrimPrefix(s.base, "https://"), "/")
	for name, c := range map[string]struct {
		iss, tid string
		want     verifier.Reason
		asked    bool // whether the predicate was
	}{
		"a tenant":              {s.tenant("one-1"), "one-1", "", true},
		"the longest":           {s.tenant(strings.Repeat("a", 128)), strings.Repeat("a", 128), "", true},
		"longer than that":      {s.tenant(strings.Repeat("a", 129)), strings.Repeat("a", 129), reason.IssuerNotAllowed, false},
		"no tenant":             {s.tenant(""), "", reason.IssuerNotAllowed, false},
		"a closed tenant":       {s.tenant("closed"), "closed", reason.IssuerNotAllowed, true},
		"a slash in it":         {s.tenant("one/two"), "one/two", reason.IssuerNotAllowed, false},
		"dots":                  {s.tenant(".."), "..", reason.IssuerNotAllowed, false},
		"an escape":             {s.tenant("one%2f"), "one%2f", reason.IssuerNotAllowed, false},
		"a query":               {s.tenant("one?x"), "one?x", reason.IssuerNotAllowed, false},
		"the placeholder":       {s.name(), "{tenant}", reason.IssuerNotAllowed, false},
		"no end":                {s.base + "one", "one", reason.IssuerNotAllowed, false},
		"a longer end":          {s.tenant("one") + "/", "one", reason.IssuerNotAllowed, false},
		"another host":          {"https://evil.example/one/v2.0", "one", reason.IssuerNotAllowed, false},
		"a host around it":      {"https://" + host + ".evil.example/one/v2.0", "one", reason.IssuerNotAllowed, false},
		"credentials":           {"https://" + host + "@evil.example/one/v2.0", "one", reason.IssuerNotAllowed, false},
		"http":                  {"http" + strings.TrimPrefix(s.tenant("one"), "https"), "one", reason.IssuerNotAllowed, false},
		"another spelling":      {"HTTPS" + strings.TrimPrefix(s.tenant("one"), "https"), "one", reason.IssuerNotAllowed, true},
		"blanks around":         {" " + s.tenant("one"), "one", reason.IssuerNotAllowed, true},
		"another tenant claim":  {s.tenant("one"), "two", reason.ClaimValue, true},
		"the claim in capitals": {s.tenant("one"), "ONE", reason.ClaimValue, true},
		"no tenant claim":       {s.tenant("one"), "", reason.ClaimMissing, true},
	} {
		t.Run(name, func(t *testing.T) {
			v := s.verifier(t, nil)
			s.asked = nil
			before := s.fetches()
			_, err := v.VerifyAccessToken(t.Context(), s.token(c.iss, c.tid))
			if got := reasonOf(err); got != c.want || err == nil != (c.want == "") {
				t.Errorf("VerifyAccessToken of %q = %v; want %q", c.iss, err, c.want)
			}
			if asked := len(s.asked) > 0; asked != c.asked {
				t.Errorf("Allowed was asked for %q; want %v", s.asked, c.asked)
			}
			if fetched := s.fetches() > before; fetched != (c.want == "") {
				t.Errorf("documents were fetched: %v; want that for good tokens alone", fetched)
			}
		})
	}
}

// TestTemplateRulesCountBesideTheTenantClaim: what Rules requires counts too.
func TestTemplateRulesCountBesideTheTenantClaim(t *testing.T) {
	s := newServer(t)
	for _, claim := range []string{"tid", ""} {
		v := s.verifier(t, func(c *resolver.TemplateConfig) {
			c.TenantClaim, c.Rules.RequiredValues = claim, map[string][]string{"use": {"access"}}
		})
		for use, want := range map[string]verifier.Reason{"access": "", "id": reason.ClaimValue} {
			token := s.Sign("api", map[string]any{"iss": s.tenant("one"), "tid": "one", "use": use})
			if _, err := v.VerifyAccessToken(t.Context(), token); reasonOf(err) != want {
				t.Errorf("tenant claim %q, use %q: %v; want %q", claim, use, err, want)
			}
		}
	}
}

// TestTemplateFetchesOnce: documents are those of the fixed place, for all tenants
// together, and nothing of a token gets into a URL.
func TestTemplateFetchesOnce(t *testing.T) {
	s := newServer(t)
	v := s.verifier(t, nil)
	for range 4 {
		for n := range 150 {
			tenant := fmt.Sprintf("tenant-%d", n)
			if _, err := v.VerifyAccessToken(t.Context(), s.token(s.tenant(tenant), tenant)); err != nil {
				t.Fatalf("VerifyAccessToken for %s = %v", tenant, err)
			}
		}
	}
	if got := s.Requests(); got.Discovery != 1 || got.JWKS != 1 {
		t.Errorf("600 tokens of 150 tenants cost %d metadata and %d key requests; want 1 and 1", got.Discovery, got.JWKS)
	}
	if len(s.asked) != 600 {
		t.Errorf("Allowed was asked %d times; want 600, once for every token", len(s.asked))
	}
}

// TestTemplateForgetsNoRefusal: a tenant that is closed is refused from its next token
// on, remembered or not, and a registry that is down is no refusal.
func TestTemplateForgetsNoRefusal(t *testing.T) {
	s := newServer(t)
	v := s.verifier(t, nil)
	token := s.token(s.tenant("one"), "one")
	want := func(what string, r verifier.Reason) {
		t.Helper()
		if _, err := v.VerifyAccessToken(t.Context(), token); reasonOf(err) != r {
			t.Errorf("%s: %v; want %q", what, err, r)
		}
	}
	want("open", "")
	want("open, remembered", "")
	s.none = true
	want("closed", reason.IssuerNotAllowed)
	s.none, s.err = false, errors.New("down")
	want("registry down", reason.Resolver)
	s.err = nil
	want("open again", "")
}

// TestTemplateKeysOfOneIssuer: a key with a member issuer signs for that one alone.
func TestTemplateKeysOfOneIssuer(t *testing.T) {
	s := newServer(t)
	plain := string(s.JWKS())
	for _, c := range []struct {
		member, tenant string
		want           verifier.Reason
	}{
		{s.name(), "one", ""},
		{s.tenant("one"), "one", ""},
		{s.tenant("one"), "two", reason.KeyUnknown},
		{s.base, "one", reason.KeyUnknown},
	} {
		s.SetJWKS([]byte(strings.Replace(plain, `{"keys":[{`, fmt.Sprintf(`{"keys":[{"issuer":%q,`, c.member), 1)))
		v := s.verifier(t, nil)
		if _, err := v.VerifyAccessToken(t.Context(), s.token(s.tenant(c.tenant), c.tenant)); reasonOf(err) != c.want {
			t.Errorf("key of %q, token of %s: %v; want %q", c.member, c.tenant, err, c.want)
		}
	}
}

// TestTemplateMetadataOfAnother: the metadata must state the template, byte by byte.
func TestTemplateMetadataOfAnother(t *testing.T) {
	s := newServer(t)
	for _, stated := range []string{s.tenant("one"), s.base, strings.ReplaceAll(s.name(), "tenant", "Tenant")} {
		s.SetDiscovery(fmt.Appendf(nil, `{"issuer":%q,"jwks_uri":%q}`, stated, s.base+".well-known/jwks.json"))
		v := s.verifier(t, nil)
		if _, err := v.VerifyAccessToken(t.Context(), s.token(s.tenant("one"), "one")); reasonOf(err) != reason.Discovery {
			t.Errorf("metadata of %q: %v; want %q", stated, err, reason.Discovery)
		}
	}
}

func TestTemplateRefusesInvalidNames(t *testing.T) {
	cfg := resolver.TemplateConfig{
		Keys:    verifier.KeysURL("https://login.example/keys"),
		Allowed: func(context.Context, string) (bool, error) { return true, nil },
	}
	for _, name := range []string{
		"https://login.example/common", "https://login.example/{a}/{b}", "https://login.example/{}/v2.0", "https://login.example/{tenant/v2.0", "https://login.example/{tenant",
		"https://login.example/t-{tenant}/v2.0", "https://login.example/{tenant}.x/v2.0", "https://login.example/{a/b}", "https://login.example/{{a}}",
		"https://{tenant}.login.example/v2.0", "https://{tenant}/v2.0", "https://login.example:{tenant}/v2.0", "{tenant}://login.example/v2.0",
		"https://{tenant}@login.example/v2.0", "https://login.example/?t={tenant}", "https://login.example/#{tenant}",
		"http://login.example/{tenant}", "https://Login.example/{tenant}", "login.example/{tenant}", "",
	} {
		cfg.Name = name
		if r, err := resolver.Template(cfg); err == nil {
			t.Errorf("Template(%q) = %v; want an error", name, r)
		}
	}
	for _, name := range []string{"https://login.example/{tenant}", "https://login.example/{tenant}/", "https://login.example:8443/a/{tenant}/b"} {
		cfg.Name = name
		if _, err := resolver.Template(cfg); err != nil {
			t.Errorf("Template(%q) = %v; want a resolver", name, err)
		}
	}
}

func TestTemplateRefusesInvalidConfigurations(t *testing.T) {
	keys := verifier.KeysURL("https://login.example/keys")
	for name, change := range map[string]func(*resolver.TemplateConfig){
		"no predicate":         func(c *resolver.TemplateConfig) { c.Allowed = nil },
		"no keys":              func(c *resolver.TemplateConfig) { c.Keys = verifier.Keys{} },
		"discovery":            func(c *resolver.TemplateConfig) { c.Keys = verifier.KeysDiscovery("keys.example") },
		"a name in the rules":  func(c *resolver.TemplateConfig) { c.Rules.Name = "x" },
		"aliases in the rules": func(c *resolver.TemplateConfig) { c.Rules.Aliases = []string{"x"} },
		"keys in the rules":    func(c *resolver.TemplateConfig) { c.Rules.Keys = keys },
		"a prefix of subjects": func(c *resolver.TemplateConfig) { c.Rules.SubjectPrefix = "spiffe://a.example/" },
		"a tenant in the rules": func(c *resolver.TemplateConfig) {
			c.Rules.RequiredValues = map[string][]string{"tid": {"one", "two"}}
		},
		"a wrong algorithm": func(c *resolver.TemplateConfig) { c.Rules.Algorithms = []string{"HS256"} },
	} {
		cfg := resolver.TemplateConfig{
			Name: "https://login.example/{tenant}", Keys: keys, TenantClaim: "tid",
			Allowed: func(context.Context, string) (bool, error) { return true, nil },
		}
		change(&cfg)
		if r, err := resolver.Template(cfg); err == nil {
			t.Errorf("%s: Template = %v; want an error", name, r)
		}
	}
}

// TestTemplateInOthers: decorators pass on that a resolver brings the rules.
func TestTemplateInOthers(t *testing.T) {
	s := newServer(t)
	template, err := resolver.Template(s.config())
	if err != nil {
		t.Fatal(err)
	}
	cached, err := resolver.Cached(template, resolver.CacheConfig{Key: resolver.IssuerKey})
	if err != nil {
		t.Fatal(err)
	}
	second := verifiertest.NewIssuer(t)
	for name, r := range map[string]verifier.DomainResolver{
		"Chain, first":      resolver.Chain(template, resolver.Static(second.Domain())),
		"Chain, second":     resolver.Chain(resolver.Func(func(context.Context, verifier.ResolveRequest) ([]string, error) { return nil, resolver.ErrNoMatch }), template),
		"Cached":            cached,
		"Chain over Cached": resolver.Chain(cached, resolver.Static(second.Domain())),
	} {
		if _, ok := r.(verifier.IssuerResolver); !ok {
			t.Errorf("%s: the result is no IssuerResolver", name)
		}
		v, err := verifier.New(verifier.Config{Domains: r, Audience: "api", Doer: s.Client()})
		if err != nil {
			t.Fatal(err)
		}
		for what, c := range map[string]struct {
			token string
			want  verifier.Reason
		}{
			"a tenant":         {s.token(s.tenant("one"), "one"), ""},
			"of another claim": {s.token(s.tenant("one"), "two"), reason.ClaimValue},
			"a closed tenant":  {s.token(s.tenant("closed"), "closed"), reason.IssuerNotAllowed},
			"a stranger":       {s.token("https://evil.example/", "one"), reason.IssuerNotAllowed},
		} {
			if _, err := v.VerifyAccessToken(t.Context(), c.token); reasonOf(err) != c.want {
				t.Errorf("%s, %s: %v; want %q", name, what, err, c.want)
			}
		}
		_ = v.Close()
	}
}

// TestChainOfTemplateAndList: what the list has is judged by Config.
func TestChainOfTemplateAndList(t *testing.T) {
	s := newServer(t)
	template, err := resolver.Template(s.config())
	if err != nil {
		t.Fatal(err)
	}
	second := verifiertest.NewIssuer(t)
	v, err := verifier.New(verifier.Config{Domains: resolver.Chain(template, resolver.Static(second.Domain())), Audience: "api", Doer: second.Client()})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if _, err := v.VerifyAccessToken(t.Context(), second.Sign("api", nil)); err != nil {
		t.Errorf("a token of the list: %v", err)
	}
}

// TestIssuersByHost: each host has its issuers and their rules.
func TestIssuersByHost(t *testing.T) {
	a, b := verifiertest.NewIssuer(t), verifiertest.NewIssuer(t)
	r, err := resolver.IssuersByHost(map[string][]verifier.Issuer{
		"one.example": {{Name: a.Domain(), Audiences: []string{"one"}}},
		"two.example": {{Name: a.Domain(), Audiences: []string{"two"}}, {Name: b.Domain(), Aliases: []string{"b"}, Audiences: []string{"b"}, Keys: verifier.KeysStatic(b.JWKS())}},
	})
	if err != nil {
		t.Fatal(err)
	}
	cached, err := resolver.Cached(r, resolver.CacheConfig{Key: resolver.HostAndIssuerKey})
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]verifier.DomainResolver{"IssuersByHost": r, "Cached": cached, "Chain": resolver.Chain(cached)} {
		v, err := verifier.New(verifier.Config{Domains: r, Audience: "any", Doer: a.Client()})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second time from the cache
			for _, c := range []struct {
				host, token string
				want        verifier.Reason
			}{
				{"one.example", a.Sign("one", nil), ""},
				{"ONE.example:443", a.Sign("one", nil), ""},
				{"one.example", a.Sign("two", nil), reason.Audience},
				{"two.example", a.Sign("two", nil), ""},
				{"two.example", a.Sign("one", nil), reason.Audience},
				{"two.example", b.Sign("b", map[string]any{"iss": "b"}), ""},
				{"two.example", b.Sign("b", nil), ""},
				{"one.example", b.Sign("b", nil), reason.IssuerNotAllowed},
				{"one.example", b.Sign("one", map[string]any{"iss": a.URL()}), reason.Signature},
				{"three.example", a.Sign("one", nil), reason.IssuerNotAllowed},
			} {
				_, err := v.VerifyAccessToken(t.Context(), c.token, verifier.WithRequest("https://"+c.host+"/", nil))
				if reasonOf(err) != c.want {
					t.Errorf("%s at %s: %v; want %q", name, c.host, err, c.want)
				}
			}
		}
		_ = v.Close()
	}
}

func TestIssuersByHostRefusesInvalidEntries(t *testing.T) {
	good := verifier.Issuer{Name: "a.example"}
	asked := func(name string) verifier.Issuer {
		return verifier.Issuer{Name: name, Opaque: verifier.OpaqueTokens{Introspector: verifier.IntrospectorFunc(
			func(context.Context, verifier.IntrospectionRequest) (verifier.Introspection, error) {
				return verifier.Introspection{}, nil
			})}}
	}
	for name, hosts := range map[string]map[string][]verifier.Issuer{
		"nothing":              nil,
		"no issuer":            {"one.example": nil},
		"no name":              {"one.example": {{}}},
		"a wrong algorithm":    {"one.example": {{Name: "a.example", Algorithms: []string{"none"}}}},
		"twice":                {"one.example": {good, good}},
		"twice, spelled":       {"one.example": {good, {Name: "https://a.example/"}}},
		"an alias of another":  {"one.example": {good, {Name: "b.example", Aliases: []string{"https://a.example"}}}},
		"the address of a doc": {"one.example": {{Name: "https://a.example/.well-known/openid-configuration"}}},
		"a URL as host":        {"https://one.example": {good}},
		"two that are asked":   {"one.example": {asked("a.example"), asked("b.example")}},
		"asked and nameless":   {"one.example": {asked("a.example"), {Name: "b.example", SubjectPrefix: "spiffe://b.example/"}}},
		"two nameless":         {"one.example": {{Name: "a.example", SubjectPrefix: "spiffe://a.example/"}, {Name: "b.example", SubjectPrefix: "spiffe://b.example/"}}},
	} {
		if r, err := resolver.IssuersByHost(hosts); err == nil {
			t.Errorf("%s: IssuersByHost = %v; want an error", name, r)
		}
	}
}

// TestIssuersByHostAnswersForItsIssuers: an issuer that the host does not have, and a
// token without one where the host has none for it, is a refusal of the resolver.
func TestIssuersByHostAnswersForItsIssuers(t *testing.T) {
	r, err := resolver.IssuersByHost(map[string][]verifier.Issuer{
		"one.example": {{Name: "a.example"}, {Name: "c.example"}}, "two.example": {{Name: "b.example", SubjectPrefix: "spiffe://b.example/"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ host, iss, want string }{
		{"one.example", "https://a.example/", "a.example"}, {"one.example", "https://b.example/", ""}, {"one.example", "", ""},
		{"two.example", "", "b.example"}, {"two.example", "https://b.example/", "b.example"}, {"two.example", "https://a.example/", ""}, {"three.example", "https://a.example/", ""},
	} {
		got, err := r.(verifier.IssuerResolver).ResolveIssuer(t.Context(), verifier.NewResolveRequest(c.iss, &url.URL{Scheme: "https", Host: c.host}, nil))
		switch {
		case c.want == "" && (got != nil || !errors.Is(err, verifier.ErrNotAllowed)):
			t.Errorf("%q at %s: %v, %v; want ErrNotAllowed", c.iss, c.host, got, err)
		case c.want != "" && (err != nil || got.Name != c.want):
			t.Errorf("%q at %s: %v, %v; want %s", c.iss, c.host, got, err, c.want)
		}
	}
}

// TestChainOfAListThatIsPartlyGarbage: it says that its resolver is broken, also of
// the issuers that can be read.
func TestChainOfAListThatIsPartlyGarbage(t *testing.T) {
	template, err := resolver.Template(resolver.TemplateConfig{
		Name: "https://login.example/{tenant}", Keys: verifier.KeysURL("https://login.example/keys"),
		Allowed: func(context.Context, string) (bool, error) { return true, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range [][]string{{"a.example", "no domain"}, {"no domain", "a.example"}, {}} {
		r := resolver.Chain(template, resolver.Func(func(context.Context, verifier.ResolveRequest) ([]string, error) { return list, nil }))
		got, err := r.(verifier.IssuerResolver).ResolveIssuer(t.Context(), verifier.NewResolveRequest("https://a.example/", nil, nil))
		if got != nil || err == nil || errors.Is(err, verifier.ErrNotAllowed) {
			t.Errorf("%q: %v, %v; want an error that decides nothing", list, got, err)
		}
	}
}

// Which algorithms there are, Config.SignatureAlgorithms decides.
func TestIssuersByHostTakesFurtherAlgorithms(t *testing.T) {
	issuer := verifier.Issuer{Name: "a.example", Algorithms: []string{"ML-DSA-65"}}
	if _, err := resolver.IssuersByHost(map[string][]verifier.Issuer{"one.example": {issuer}}); err != nil {
		t.Errorf("IssuersByHost = %v; want no error", err)
	}
}
