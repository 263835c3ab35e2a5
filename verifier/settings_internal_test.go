package verifier

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/internal/cachecontrol"
	"github.com/portcullis-go/portcullis/internal/fetch"
	"github.com/portcullis-go/portcullis/internal/lifecycle"
)

// told is what a check complained about, "" for nothing.
func told(m *mistakes) string {
	if m.err() == nil {
		return ""
	}
	return m.err().Error()
}

func TestDurationsOfSettings(t *testing.T) {
	b := bounds{byDefault: 5 * time.Second, min: time.Millisecond, max: time.Minute}
	tiny := bounds{byDefault: 5 * time.Second, min: 10, max: time.Minute}
	const units = "; a plain number counts nanoseconds"
	for name, c := range map[string]struct {
		bounds   bounds
		value    time.Duration
		optional bool
		want     time.Duration
		problem  string // a part of it
		units    bool
	}{
		"zero":                    {b, 0, false, 5 * time.Second, "", false},
		"optional zero":           {b, 0, true, 5 * time.Second, "", false},
		"negative":                {b, -1, false, 5 * time.Second, "is not between 1ms and 1m0s", false},
		"optional negative":       {b, -1, true, 0, "", false},
		"least":                   {b, time.Millisecond, false, time.Millisecond, "", false},
		"most":                    {b, time.Minute, true, time.Minute, "", false},
		"more":                    {b, time.Minute + 1, false, 5 * time.Second, "is not between", false},
		"less":                    {b, time.Millisecond - 1, false, 5 * time.Second, "is not between", false},
		"a microsecond":           {b, time.Microsecond, false, 5 * time.Second, "is not between", false},
		"a number":                {b, time.Microsecond - 1, false, 5 * time.Second, "write 999 * time.Second", true},
		"one":                     {b, 1, true, 5 * time.Second, "write 1 * time.Second", true},
		"more, of few":            {bounds{5 * time.Second, 10, 20, false}, 21, false, 5 * time.Second, "is not between 10ns and 20ns", false},
		"a few, and that is good": {tiny, 10, false, 10, "", false},
	} {
		var m mistakes
		c.bounds.optional = c.optional
		got := m.duration("F", c.value, c.bounds)
		text := told(&m)
		if got != c.want || (text == "") != (c.problem == "") || !strings.Contains(text, c.problem) || strings.Contains(text, units) != c.units {
			t.Errorf("%s: %v, %q; want %v and %q", name, got, text, c.want, c.problem)
		}
		if text != "" && !strings.HasPrefix(text, "verifier: Config.F "+c.value.String()+" ") {
			t.Errorf("%s: %q; want field and value", name, text)
		}
	}
}

func TestNumbersOfSettings(t *testing.T) {
	for value, want := range map[int]int{0: 7, -1: 7, 1: 7, 2: 2, 3: 3, 9: 9, 10: 10, 11: 7} {
		var m mistakes
		if got := m.size("F", value, 7, 2, 10); got != want {
			t.Errorf("size(%d) = %d; want %d", value, got, want)
		}
		if text, bad := told(&m), value != 0 && want == 7; bad != (text == fmt.Sprintf("verifier: Config.F %d is not between 2 and 10", value)) || !bad && text != "" {
			t.Errorf("size(%d): %q", value, text)
		}
	}
	for _, c := range []struct {
		value, want float64
		bad         bool
	}{{0, 0.2, false}, {-1, 0, false}, {-0.001, 0, false}, {0.1, 0.1, false}, {0.5, 0.5, false}, {0.51, 0.2, true}, {math.Inf(1), 0.2, true}, {math.NaN(), 0.2, true}} {
		var m mistakes
		if got := m.share("F", c.value, 0.2, 0.5); got != c.want {
			t.Errorf("share(%v) = %v; want %v", c.value, got, c.want)
		}
		if text := told(&m); c.bad != (text == fmt.Sprintf("verifier: Config.F %v is more than 0.5", c.value)) || !c.bad && text != "" {
			t.Errorf("share(%v): %q", c.value, text)
		}
	}
}

func TestTextsOfSettings(t *testing.T) {
	for text, want := range map[string]string{
		"a": "", "a b": "", "": "verifier: Config.F[1] is blank", " \t": "verifier: Config.F[1] is blank",
		" a": `verifier: Config.F[1] " a" has blanks around it, and is compared byte by byte; remove them`,
	} {
		var m mistakes
		m.texts("F", []string{"good", text})
		if got := told(&m); got != want {
			t.Errorf("%q: %q; want %q", text, got, want)
		}
	}
}

// TestValuesOfMistakesAreShortened: to 100 bytes, and to whole characters.
func TestValuesOfMistakesAreShortened(t *testing.T) {
	x := strings.Repeat("x", 98)
	for value, want := range map[string]string{
		"": "", "a": "a", x + "yz": x + "yz", x + "yz1": x + "yz", x + "yä": x + "y", x + "äz": x + "ä", x + "y\xa0\xa0": x,
		strings.Repeat("\xa0", 101): "", x + "y😀": x + "y",
	} {
		var m mistakes
		m.of("F", value, "is bad")
		if got := told(&m); got != fmt.Sprintf("verifier: Config.F %q is bad", want) {
			t.Errorf("%q: %q; want %q in it", value, got, want)
		}
	}
	if e := (&ConfigError{Field: "F", Problem: "is bad"}); e.Error() != "verifier: Config.F is bad" || !errors.Is(e, ErrConfig) || errors.Is(e, ErrArgument) {
		t.Errorf("%v, ErrConfig is %v", e, errors.Is(e, ErrConfig))
	}
	var m mistakes
	if m.err() != nil {
		t.Errorf("no mistake: %v", m.err())
	}
	m.add("A", "is bad")
	m.add("B", "is bad")
	if got := told(&m); got != "verifier: Config.A is bad\nverifier: Config.B is bad" {
		t.Errorf("two mistakes: %q", got)
	}
}

func TestWhatIsNil(t *testing.T) {
	for name, c := range map[string]struct {
		value any
		want  bool
	}{
		"nothing": {nil, true}, "pointer": {(*int)(nil), true}, "map": {map[string]int(nil), true}, "function": {DoerFunc(nil), true}, "channel": {(chan int)(nil), true}, "slice": {StaticLists(nil), true},
		"a pointer": {new(int), false}, "a map": {map[string]int{}, false}, "a function": {DoerFunc(doNothing), false}, "a slice": {StaticLists{}, false}, "a struct": {struct{}{}, false}, "zero": {0, false},
	} {
		if got := isNil(c.value); got != c.want {
			t.Errorf("%s: isNil = %v", name, got)
		}
	}
}

// StaticLists is a type of lists.
type StaticLists []string

func TestRefreshPolicies(t *testing.T) {
	def := lifecycle.DefaultPolicy()
	with := func(change func(*lifecycle.Policy)) lifecycle.Policy {
		p := def
		change(&p)
		return p
	}
	for name, c := range map[string]struct {
		ttl     time.Duration
		refresh RefreshConfig
		want    lifecycle.Policy
		problem string
	}{
		"nothing":           {0, RefreshConfig{}, def, ""},
		"TTL":               {time.Hour, RefreshConfig{}, with(func(p *lifecycle.Policy) { p.TTL = time.Hour }), ""},
		"least TTL":         {time.Second, RefreshConfig{}, with(func(p *lifecycle.Policy) { p.TTL, p.Floor = time.Second, time.Second }), ""},
		"most TTL":          {24 * time.Hour, RefreshConfig{}, with(func(p *lifecycle.Policy) { p.TTL = 24 * time.Hour }), ""},
		"more TTL":          {24*time.Hour + 1, RefreshConfig{}, def, "CacheTTL"},
		"no TTL":            {-1, RefreshConfig{}, def, "CacheTTL"},
		"Floor":             {0, RefreshConfig{Floor: time.Millisecond}, with(func(p *lifecycle.Policy) { p.Floor = time.Millisecond }), ""},
		"no Floor":          {0, RefreshConfig{Floor: -1}, with(func(p *lifecycle.Policy) { p.Floor = 0 }), ""},
		"Floor of the TTL":  {0, RefreshConfig{Floor: def.TTL}, with(func(p *lifecycle.Policy) { p.Floor = def.TTL }), ""},
		"Floor above":       {0, RefreshConfig{Floor: def.TTL + 1}, with(func(p *lifecycle.Policy) { p.Floor = def.TTL + 1 }), "Refresh.Floor is longer"},
		"more Floor":        {24 * time.Hour, RefreshConfig{Floor: time.Hour + 1}, with(func(p *lifecycle.Policy) { p.TTL = 24 * time.Hour }), "Refresh.Floor 1h0m"},
		"StaleIfError":      {0, RefreshConfig{StaleIfError: 24 * time.Hour}, with(func(p *lifecycle.Policy) { p.StaleIfError = 24 * time.Hour }), ""},
		"more StaleIfError": {0, RefreshConfig{StaleIfError: 24*time.Hour + 1}, def, "Refresh.StaleIfError"},
		"no StaleIfError":   {0, RefreshConfig{StaleIfError: -1}, with(func(p *lifecycle.Policy) { p.StaleIfError = 0 }), ""},
		"FetchTimeout":      {0, RefreshConfig{FetchTimeout: 10 * time.Millisecond}, with(func(p *lifecycle.Policy) { p.FetchTimeout = 10 * time.Millisecond }), ""},
		"less FetchTimeout": {0, RefreshConfig{FetchTimeout: 10*time.Millisecond - 1}, def, "Refresh.FetchTimeout"},
		"Window":            {0, RefreshConfig{UnknownKeyWindow: time.Hour}, with(func(p *lifecycle.Policy) { p.ForcedWindow = time.Hour }), ""},
		"no Window":         {0, RefreshConfig{UnknownKeyWindow: -1}, def, "Refresh.UnknownKeyWindow"},
		"CacheTimeout":      {0, RefreshConfig{CacheTimeout: 10 * time.Second}, with(func(p *lifecycle.Policy) { p.CacheTimeout = 10 * time.Second }), ""},
		"no CacheTimeout":   {0, RefreshConfig{CacheTimeout: -1}, def, "Refresh.CacheTimeout"},
		"Jitter":            {0, RefreshConfig{Jitter: 0.5}, with(func(p *lifecycle.Policy) { p.Jitter = 0.5 }), ""},
		"no Jitter":         {0, RefreshConfig{Jitter: -1}, with(func(p *lifecycle.Policy) { p.Jitter = 0 }), ""},
		"Ahead":             {0, RefreshConfig{Ahead: 0.9}, with(func(p *lifecycle.Policy) { p.RefreshAhead = 0.9 }), ""},
		"more Ahead":        {0, RefreshConfig{Ahead: 0.91}, def, "Refresh.Ahead"},
		"one Issuer":        {0, RefreshConfig{MaxIssuers: 1}, with(func(p *lifecycle.Policy) { p.MaxIssuers = 1 }), ""},
		"many Issuers":      {0, RefreshConfig{MaxIssuers: 1_000_001}, def, "Refresh.MaxIssuers"},
		"MaxMemory":         {0, RefreshConfig{MaxMemory: 1 << 20}, with(func(p *lifecycle.Policy) { p.MaxBytes = 1 << 20 }), ""},
		"less MaxMemory":    {0, RefreshConfig{MaxMemory: 1<<20 - 1}, def, "Refresh.MaxMemory"},
		"one attempt":       {0, RefreshConfig{UnknownKeyAttempts: 1}, with(func(p *lifecycle.Policy) { p.ForcedMax = 1 }), ""},
		"100 attempts":      {0, RefreshConfig{UnknownKeyAttempts: 100}, with(func(p *lifecycle.Policy) { p.ForcedMax = 100 }), ""},
		"101 attempts":      {0, RefreshConfig{UnknownKeyAttempts: 101}, def, "Refresh.UnknownKeyAttempts"},
		"no attempts":       {0, RefreshConfig{UnknownKeyAttempts: -1}, with(func(p *lifecycle.Policy) { p.ForcedMax = 0 }), ""},
		"ObeyNoStore":       {0, RefreshConfig{ObeyNoStore: true}, with(func(p *lifecycle.Policy) { p.ShareNoStore = false }), ""},
	} {
		var m mistakes
		got := newRefreshPolicy(&m, c.ttl, &c.refresh)
		if got != c.want {
			t.Errorf("%s: %+v; want %+v", name, got, c.want)
		}
		if text := told(&m); (text == "") != (c.problem == "") || !strings.Contains(text, c.problem) || strings.Contains(text, "\n") {
			t.Errorf("%s: %q; want one mistake about %q", name, text, c.problem)
		}
	}
}

// TestShorterFreshness: that of the answer which is fresh for less long.
func TestShorterFreshness(t *testing.T) {
	aged := func(maxAge, age int64) cachecontrol.Directives {
		return cachecontrol.Directives{MaxAge: maxAge, HasMaxAge: true, Age: age}
	}
	none := cachecontrol.Directives{Age: 3}
	for name, c := range map[string]struct{ a, b, want cachecontrol.Directives }{
		"neither":         {none, cachecontrol.Directives{Age: 4}, none},
		"the first":       {aged(10, 0), none, aged(10, 0)},
		"the second":      {none, aged(10, 0), aged(10, 0)},
		"the first less":  {aged(9, 0), aged(10, 0), aged(9, 0)},
		"the second less": {aged(10, 0), aged(9, 0), aged(9, 0)},
		"as much":         {aged(12, 2), aged(11, 1), aged(12, 2)},
		"the first old":   {aged(20, 15), aged(10, 4), aged(20, 15)},
		"the second old":  {aged(10, 4), aged(20, 15), aged(20, 15)},
	} {
		if got := shorter(c.a, c.b); got != c.want {
			t.Errorf("%s: %+v; want %+v", name, got, c.want)
		}
		for _, which := range []string{"a", "b"} {
			a, b, want := c.a, c.b, c.want
			want.NoStore = true
			if which == "a" {
				a.NoStore = true
			} else {
				b.NoStore = true
			}
			if got := shorter(a, b); got != want {
				t.Errorf("%s, no-store of %s: %+v; want %+v", name, which, got, want)
			}
			a.NoStore, b.NoStore, want.NoStore, want.NoCache = false, false, false, true
			if which == "a" {
				a.NoCache = true
			} else {
				b.NoCache = true
			}
			if got := shorter(a, b); got != want {
				t.Errorf("%s, no-cache of %s: %+v; want %+v", name, which, got, want)
			}
		}
	}
}

// TestFreshnessOfFetchers is translated both ways.
func TestFreshnessOfFetchers(t *testing.T) {
	for _, c := range []struct {
		directives cachecontrol.Directives
		want       Freshness
	}{
		{cachecontrol.Directives{}, Freshness{}},
		{cachecontrol.Directives{MaxAge: 60, HasMaxAge: true, Age: 5, NoStore: true}, Freshness{MaxAge: time.Minute, HasMaxAge: true, Age: 5 * time.Second, NoStore: true}},
		{cachecontrol.Directives{MaxAge: 60, HasMaxAge: true, NoCache: true}, Freshness{HasMaxAge: true}},
		{cachecontrol.Directives{NoCache: true}, Freshness{HasMaxAge: true}},
	} {
		if got := freshness(c.directives); got != c.want {
			t.Errorf("freshness(%+v) = %+v; want %+v", c.directives, got, c.want)
		}
	}
	if got, want := directives(Freshness{MaxAge: time.Minute, HasMaxAge: true, Age: 5 * time.Second, NoStore: true}), (cachecontrol.Directives{MaxAge: 60, HasMaxAge: true, Age: 5, NoStore: true}); got != want {
		t.Errorf("directives = %+v; want %+v", got, want)
	}
}

// TestNamesOfIssuers: which are domains, which are exact, and which are none.
func TestNamesOfIssuers(t *testing.T) {
	long := "urn:" + strings.Repeat("x", maxIssuer-4)
	const document = "is the address of a document"
	for text, c := range map[string]struct {
		name    string
		exact   []string
		problem string
	}{
		"a.example":           {"https://a.example/", []string{"https://a.example/", "https://a.example"}, ""},
		"A.example":           {"https://a.example/", []string{"https://a.example/", "https://a.example"}, ""},
		"https://A.example":   {"https://A.example", []string{"https://A.example"}, ""},
		"https://a.example/x": {"https://a.example/x", []string{"https://a.example/x"}, ""},
		"urn:a b":             {"urn:a b", []string{"urn:a b"}, ""},
		"urn:\u0080":          {"urn:\u0080", []string{"urn:\u0080"}, ""},
		long:                  {long, []string{long}, ""},
		long + "x":            {"", nil, "is longer than"},
		"":                    {"", nil, "is missing"},
		" a.example":          {"", nil, "has blanks around it"},
		"urn:\x1fa":           {"", nil, "has control characters"},
		"urn:\x7fa":           {"", nil, "has control characters"},
		"https://a.example/.well-known/openid-configuration": {"", nil, document},
	} {
		s, problem := nameOf(text)
		if s.name != c.name || !slices.Equal(s.exact, c.exact) || (problem == "") != (c.problem == "") || !strings.HasPrefix(problem, c.problem) {
			t.Errorf("nameOf(%.40q) = %.40q, %.40q, %q; want %.40q, %.40q, %q", text, s.name, s.exact, problem, c.name, c.exact, c.problem)
		}
	}
	for text, c := range map[string]struct {
		name    string
		exact   []string
		problem string
	}{
		"a.example":            {"https://a.example/", []string{"https://a.example/", "https://a.example"}, ""},
		" A.example ":          {"https://a.example/", []string{"https://a.example/", "https://a.example"}, ""},
		"https://a.example":    {"https://a.example/", []string{"https://a.example/", "https://a.example"}, ""},
		"https://A.example/":   {"https://a.example/", []string{"https://a.example/", "https://a.example", "https://A.example/"}, ""},
		"https://a.example/x":  {"https://a.example/x", []string{"https://a.example/x"}, ""},
		"https://a.example/x/": {"https://a.example/x/", []string{"https://a.example/x/"}, ""},
		"https://A.example/x":  {"https://a.example/x", []string{"https://a.example/x", "https://A.example/x"}, ""},
		"http://a.example":     {"", nil, "is not an https URL; an issuer whose name begins with another scheme"},
		" http://a.example":    {"", nil, "is not an https URL; an issuer whose name begins with another scheme"},
		"a b":                  {"", nil, "is not a domain"},
		"":                     {"", nil, "is not a domain"},
		"https://a.example?x":  {"", nil, "is not a domain"},
		" HTTPS://a.example?x": {"", nil, "is not a domain"},
		"https://a.example/.well-known/openid-configuration": {"", nil, document},
	} {
		s, problem := domainOf(text)
		if s.name != c.name || !slices.Equal(s.exact, c.exact) || (problem == "") != (c.problem == "") || !strings.HasPrefix(problem, c.problem) {
			t.Errorf("domainOf(%q) = %q, %q, %q; want %q, %q, %q", text, s.name, s.exact, problem, c.name, c.exact, c.problem)
		}
	}
}

// TestNamesUnderWhichDocumentsAre: https and http URLs.
func TestNamesUnderWhichDocumentsAre(t *testing.T) {
	for name, want := range map[string][2]bool{
		"https://a.example/": {true, false}, "https://a.example/x": {true, false}, "https://a.example:8443": {true, false}, "http://a.example": {false, true}, "http://a.example/x": {false, true},
		"https:///x": {}, "http:///x": {}, "http:a": {}, "https:a": {}, "https://u@a.example": {}, "https://a.example/?q": {}, "https://a.example/?": {}, "https://a.example/#f": {},
		"a.example": {}, "//a.example": {}, "urn:a": {}, "": {}, "https://%zz": {}, "http://%zz": {}, "ftp://a.example": {},
	} {
		if got := [2]bool{hasHTTPS(name), isHTTP(name)}; got != want {
			t.Errorf("%q: %v; want %v", name, got, want)
		}
	}
}

// TestSameType: media types of typ headers.
func TestSameType(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"at+jwt", "at+jwt", true}, {"at+jwt", "AT+JWT", true}, {"application/at+jwt", "at+jwt", true}, {"at+jwt", "Application/AT+jwt", true}, {"application/x", "application/x", true},
		{"at+jwt", "jwt", false}, {"text/x", "x", false}, {"text/applica", "", false}, {"application/x/y", "x/y", false}, {"application/x/y", "application/x/y", true}, {"application/", "", false}, {"", "", true}, {"x", "", false},
	} {
		if got := sameType(c.a, c.b); got != c.want {
			t.Errorf("sameType(%q, %q) = %v", c.a, c.b, got)
		}
	}
}

// TestAddressesThatAreConnectedTo: those of the public internet alone.
func TestAddressesThatAreConnectedTo(t *testing.T) {
	for address, good := range map[string]bool{"1.1.1.1:443": true, "127.0.0.1:443": false, "10.0.0.1:443": false, "[::1]:443": false, "1.1.1.1": false, "": false} {
		if err := refusePrivate("tcp", address, nil); (err == nil) != good || err != nil && !errors.Is(err, fetch.ErrBlockedAddress) {
			t.Errorf("%q: %v; want it allowed: %v", address, err, good)
		}
	}
}

// TestNobodyIsTold: without an Observer nothing is measured.
func TestNobodyIsTold(t *testing.T) {
	var w watcher
	if !w.begin().IsZero() || w.documentEvents() != nil {
		t.Error("the time is taken for nobody, or documents are watched")
	}
	w.tell(Event{})
	w.finish(time.Time{}, "", nil)
}

// TestTokensOfNoVerifier: what has no payload, or one that no Verifier has seen, has no
// claims, and nothing panics.
func TestTokensOfNoVerifier(t *testing.T) {
	for name, token := range map[string]*Token{"nothing": {}, "half": {payload: `{"sub":"s","permissions":["p"],"act":{"sub":"a"},`, places: &places{permissions: []place{{path: []string{"permissions"}}}}}} {
		actor, err := token.Actor()
		if token.Claims() != nil || token.Permissions() != nil || actor != nil || err != nil || token.Decode(new(map[string]any)) == nil {
			t.Errorf("%s: %v, %v, %v, %v", name, token.Claims(), token.Permissions(), actor, err)
		}
	}
	if err := new(Token).Decode(new(map[string]any)); !errors.Is(err, errNoPayload) {
		t.Errorf("Decode without a payload = %v", err)
	}
	if got := (&Token{payload: `{"permissions":["p"]}`}).Permissions(); got != nil {
		t.Errorf("permissions of no place: %q", got)
	}
	for _, payload := range []string{`{"act":1}`, `{"act":{}}`, `{"act":{"sub":" "}}`} {
		token := &Token{payload: payload}
		if actor, err := token.Actor(); actor != nil || !errors.Is(err, ErrInvalidToken) {
			t.Errorf("%s: %v, %v; want ErrInvalidToken", payload, actor, err)
		}
		if chain, err := token.DelegationChain(); chain != nil || !errors.Is(err, ErrInvalidToken) {
			t.Errorf("%s: %v, %v; want ErrInvalidToken", payload, chain, err)
		}
	}
	original := &Token{Audience: []string{"a"}}
	if c := original.copy(); &c.Audience[0] == &original.Audience[0] || c.Audience[0] != "a" {
		t.Error("a copy shares its audience")
	}
}
