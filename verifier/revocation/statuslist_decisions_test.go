package revocation_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
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

// web serves status lists by their URL, with headers, and everything else as the
// issuer does.
type web struct {
	*verifiertest.Issuer
	clock *verifiertest.Clock

	mu     sync.Mutex
	lists  map[string]string // URL -> list; an absent one is 503
	header http.Header
	asked  []string
	tags   []string
	hang   string        // part of a URL whose requests wait for the end of their context
	hung   chan struct{} // told of each of them
	over   chan error    // ... and of its end
}

func newWeb(t *testing.T) *web {
	p := newPublisher(t)
	return &web{Issuer: p.Issuer, clock: p.clock, lists: make(map[string]string), header: http.Header{}, hung: make(chan struct{}, 10), over: make(chan error, 10)}
}

func (w *web) Do(r *http.Request) (*http.Response, error) {
	url := r.URL.String()
	if w.hang != "" && strings.Contains(url, w.hang) {
		w.hung <- struct{}{}
		<-r.Context().Done()
		w.over <- r.Context().Err()
		return nil, r.Context().Err()
	}
	if !strings.Contains(r.URL.Path, "/statuslists/") {
		return w.Client().Do(r)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = append(w.asked, url)
	w.tags = append(w.tags, r.Header.Get("If-None-Match"))
	body, ok := w.lists[url]
	resp := &http.Response{StatusCode: 200, Header: w.header.Clone(), Body: io.NopCloser(strings.NewReader(body)), ContentLength: -1, Request: r}
	switch {
	case !ok:
		resp.StatusCode = 503
	case w.header.Get("ETag") != "" && w.header.Get("ETag") == r.Header.Get("If-None-Match"):
		resp.StatusCode, resp.Body = 304, http.NoBody
	}
	return resp, nil
}

// put publishes a list at a URL; header and change as in publisher.list.
func (w *web) put(url string, data []byte, header map[string]any, change func(map[string]any)) {
	p := &publisher{Issuer: w.Issuer, clock: w.clock}
	text := p.list(1, data, header, func(c map[string]any) {
		c["sub"] = url
		if change != nil {
			change(c)
		}
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lists[url] = text
}

func (w *web) checker(t *testing.T, change func(*revocation.StatusListsConfig)) *revocation.StatusLists {
	t.Helper()
	cfg := revocation.StatusListsConfig{Issuers: []revocation.StatusIssuer{{Name: w.Domain()}}, Doer: w, Clock: w.clock}
	if change != nil {
		change(&cfg)
	}
	lists, err := revocation.NewStatusLists(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lists.Close() })
	return lists
}

// about is a verified token of the issuer with a status claim, as the Verifier asks
// about it.
func (w *web) about(t *testing.T, status any) verifier.RevocationRequest {
	t.Helper()
	cfg := w.Config(api)
	cfg.Domain, cfg.Issuers = "", []verifier.Issuer{{Name: w.Domain(), Keys: verifier.KeysStatic(w.JWKS())}} // whatever happens to its documents
	v, err := verifier.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	token, err := v.VerifyAccessToken(t.Context(), w.Sign(api, map[string]any{"status": status}))
	if err != nil {
		t.Fatal(err)
	}
	return verifier.RevocationRequest{Issuer: issuerName, IssuedAt: token.IssuedAt, ExpiresAt: token.ExpiresAt, Token: token}
}

func place(index, uri any) map[string]any {
	return map[string]any{"status_list": map[string]any{"idx": index, "uri": uri}}
}

// wantStatus asks about a place in a list.
func (w *web) wantStatus(t *testing.T, lists *revocation.StatusLists, index any, url string, revoked bool, want error) {
	t.Helper()
	got, err := lists.Revoked(t.Context(), w.about(t, place(index, url)))
	if got != revoked || !errors.Is(err, want) {
		t.Errorf("idx %v of %s: %v, %v; want %v, %v", index, url, got, err, revoked, want)
	}
}

// TestErrorsOfStatusLists: what a status claim, a place or a list is wrong about has
// an error of its own, and an outage has none of them.
func TestErrorsOfStatusLists(t *testing.T) {
	good := []byte{0x80, 1}
	claim := func(status any) func(*web) any { return func(*web) any { return status } }
	list := func(header map[string]any, change func(map[string]any)) func(*web) any {
		return func(w *web) any {
			w.put(listURL, good, header, change)
			return place(0, listURL)
		}
	}
	lst := func(text string) func(*web) any {
		return list(nil, func(c map[string]any) { c["status_list"] = map[string]any{"bits": 1, "lst": text} })
	}
	claims := func(name string, value any) func(*web) any {
		return list(nil, func(c map[string]any) { c[name] = value })
	}
	deflated := deflate(good)
	after, _ := base64.RawURLEncoding.DecodeString(deflated)
	whole := deflated // of groups of four characters
	for n := 3; len(whole)%4 != 0; n++ {
		whole = deflate(make([]byte, n))
	}
	outage := errors.New("an outage")
	for name, c := range map[string]struct {
		status func(*web) any
		want   error
	}{
		"good":                     {list(nil, nil), nil},
		"not an object":            {claim("x"), revocation.ErrStatusClaim},
		"null":                     {claim(jsonNull{}), revocation.ErrStatusClaim},
		"another mechanism":        {claim(map[string]any{"other": 1}), revocation.ErrStatusClaim},
		"status_list is a number":  {claim(map[string]any{"status_list": 1}), revocation.ErrStatusClaim},
		"idx is text":              {claim(place("0", listURL)), revocation.ErrStatusClaim},
		"idx has a sign":           {claim(place(json.RawMessage("-0"), listURL)), revocation.ErrStatusClaim},
		"idx of 64 bits":           {claim(place(uint64(1)<<63, listURL)), revocation.ErrStatusClaim},
		"no idx":                   {claim(map[string]any{"status_list": map[string]any{"uri": listURL}}), revocation.ErrStatusClaim},
		"no uri":                   {claim(map[string]any{"status_list": map[string]any{"idx": 0}}), revocation.ErrStatusClaim},
		"uri is a number":          {claim(place(0, 1)), revocation.ErrStatusClaim},
		"no URL":                   {claim(place(0, "x y")), revocation.ErrStatusHost},
		"another host":             {claim(place(0, "https://evil.example.com/statuslists/1")), revocation.ErrStatusHost},
		"another port":             {claim(place(0, "https://id.example.com:8443/statuslists/1")), revocation.ErrStatusHost},
		"one beyond the list":      {func(w *web) any { list(nil, nil)(w); return place(16, listURL) }, revocation.ErrStatusRange},
		"idx of 63 bits":           {func(w *web) any { list(nil, nil)(w); return place(uint64(1)<<63-1, listURL) }, revocation.ErrStatusRange},
		"an empty list":            {lst(deflate(nil)), revocation.ErrStatusRange},
		"no list there":            {claim(place(0, listURL)), outage},
		"no keys":                  {func(w *web) any { list(nil, nil)(w); w.FailNext(-1, 500); return place(0, listURL) }, outage},
		"not a JWT":                {func(w *web) any { w.lists[listURL] = "{}"; return place(0, listURL) }, revocation.ErrStatusList},
		"another type":             {list(map[string]any{"typ": "JWT"}, nil), revocation.ErrStatusList},
		"another algorithm":        {list(map[string]any{"alg": "ES384"}, nil), revocation.ErrStatusList},
		"an unknown kid":           {list(map[string]any{"kid": "unknown"}, nil), revocation.ErrStatusList},
		"iss of another issuer":    {claims("iss", "https://other.example.com/"), revocation.ErrStatusList},
		"iss is a number":          {claims("iss", 1), revocation.ErrStatusList},
		"has ended":                {claims("exp", start.Unix()), revocation.ErrStatusList},
		"exp is text":              {claims("exp", "1"), revocation.ErrStatusList},
		"ttl is text":              {claims("ttl", "30"), revocation.ErrStatusList},
		"ttl is zero":              {claims("ttl", 0), revocation.ErrStatusList},
		"ttl is no finite number":  {claims("ttl", json.RawMessage("1e999")), revocation.ErrStatusList},
		"status_list is text":      {claims("status_list", "x"), revocation.ErrStatusList},
		"bits are text":            {claims("status_list", map[string]any{"bits": "1", "lst": deflated}), revocation.ErrStatusList},
		"bits are three":           {claims("status_list", map[string]any{"bits": 3, "lst": deflated}), revocation.ErrStatusList},
		"bits in another form":     {claims("status_list", map[string]any{"bits": json.RawMessage("1.0"), "lst": deflated}), revocation.ErrStatusList},
		"lst is a number":          {claims("status_list", map[string]any{"bits": 1, "lst": 1}), revocation.ErrStatusList},
		"lst with a line break":    {lst(deflated[:4] + "\n" + deflated[4:]), revocation.ErrStatusList},
		"lst with a return":        {lst(deflated[:4] + "\r" + deflated[4:]), revocation.ErrStatusList},
		"lst with padding":         {lst(base64.URLEncoding.EncodeToString(after[:len(after)-len(after)%3+1])), revocation.ErrStatusList},
		"lst with more than that":  {lst(whole + "!"), revocation.ErrStatusList},
		"lst is not compressed":    {lst("AAAA"), revocation.ErrStatusList},
		"lst is cut off":           {lst(base64.RawURLEncoding.EncodeToString(after[:len(after)-1])), revocation.ErrStatusList},
		"something after it":       {lst(base64.RawURLEncoding.EncodeToString(append(bytes.Clone(after), 1))), revocation.ErrStatusList},
		"one byte more than fits":  {lst(deflate(make([]byte, 1025))), revocation.ErrStatusList},
		"two bytes more than fits": {lst(deflate(make([]byte, 1026))), revocation.ErrStatusList},
	} {
		w := newWeb(t)
		ask := w.about(t, c.status(w))
		revoked, err := w.checker(t, func(cfg *revocation.StatusListsConfig) {
			cfg.MaxSize = 1024
			cfg.Issuers[0].Algorithms = []string{"ES256", "RS256"}
		}).Revoked(t.Context(), ask)
		ok := errors.Is(err, c.want)
		if c.want == outage {
			ok = err != nil
			for _, other := range []error{revocation.ErrStatusClaim, revocation.ErrStatusHost, revocation.ErrStatusList, revocation.ErrStatusRange} {
				ok = ok && !errors.Is(err, other)
			}
		}
		if revoked || !ok {
			t.Errorf("%s: %v, %v; want %v", name, revoked, err, c.want)
		}
	}
}

// TestStatusRequests that the Verifier never makes, and the error of a context.
func TestStatusRequests(t *testing.T) {
	w := newWeb(t)
	w.put(listURL, []byte{1}, nil, nil)
	lists := w.checker(t, nil)
	for name, ask := range map[string]verifier.RevocationRequest{
		"no token": {Issuer: issuerName}, "no claims": {Issuer: issuerName, Token: &verifier.Token{}},
	} {
		if revoked, err := lists.Revoked(t.Context(), ask); revoked || !errors.Is(err, revocation.ErrStatusClaim) {
			t.Errorf("%s: %v, %v; want ErrStatusClaim", name, revoked, err)
		}
	}
	ask := w.about(t, place(0, listURL))
	ask.Issuer = "https://other.example.com/"
	if revoked, err := lists.Revoked(t.Context(), ask); revoked || !errors.Is(err, revocation.ErrStatusClaim) {
		t.Errorf("an issuer that is not configured: %v, %v; want ErrStatusClaim", revoked, err)
	}
	w.hang = "/statuslists/"
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-w.hung
		cancel()
	}()
	ask.Issuer = issuerName
	if revoked, err := lists.Revoked(ctx, ask); revoked || !errors.Is(err, context.Canceled) {
		t.Errorf("a context that ends: %v, %v; want its error", revoked, err)
	}
}

// TestCloseEndsFetches of lists, and of the keys that sign them.
func TestCloseEndsFetches(t *testing.T) {
	for _, part := range []string{"/statuslists/", "jwks"} {
		w := newWeb(t)
		w.put(listURL, []byte{1}, nil, nil)
		ask := w.about(t, place(0, listURL))
		lists := w.checker(t, nil)
		w.hang = part
		done := make(chan error, 1)
		go func() {
			_, err := lists.Revoked(context.Background(), ask)
			done <- err
		}()
		<-w.hung
		if err := lists.Close(); err != nil {
			t.Error(err)
		}
		if err := <-w.over; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: the request ended with %v; want that Close ends it", part, err)
		}
		if err := <-done; err == nil {
			t.Errorf("%s: Revoked = nil error", part)
		}
	}
}

// TestStatusBits: each size, from the least significant bit on.
func TestStatusBits(t *testing.T) {
	for bits, want := range map[int][]bool{
		1: {false, false, false, false, true, false, false, false, true}, 2: {false, false, true, false, true}, 4: {false, true, true}, 8: {true, true},
	} {
		w := newWeb(t)
		data := []byte{0x10, 0x01}
		w.put(listURL, data, nil, func(c map[string]any) { c["status_list"] = map[string]any{"bits": bits, "lst": deflate(data)} })
		lists := w.checker(t, nil)
		for index, revoked := range want {
			w.wantStatus(t, lists, index, listURL, revoked, nil)
		}
		w.wantStatus(t, lists, 16/bits, listURL, false, revocation.ErrStatusRange)
	}
}

// TestListsThatAreGood, to the last of what they may be.
func TestListsThatAreGood(t *testing.T) {
	for name, change := range map[string]struct {
		header map[string]any
		claims func(map[string]any)
		data   []byte
	}{
		"type in capitals":   {map[string]any{"typ": "StatusList+JWT"}, nil, []byte{2}},
		"type in full":       {map[string]any{"typ": "application/statuslist+jwt"}, nil, []byte{2}},
		"iss":                {nil, func(c map[string]any) { c["iss"] = issuerName }, []byte{2}},
		"iss without slash":  {nil, func(c map[string]any) { c["iss"] = strings.TrimSuffix(issuerName, "/") }, []byte{2}},
		"iss as configured":  {nil, func(c map[string]any) { c["iss"] = "https://ID.example.com/" }, []byte{2}},
		"exp is to come":     {nil, func(c map[string]any) { c["exp"] = start.Unix() + 1 }, []byte{2}},
		"a fraction of ttl":  {nil, func(c map[string]any) { c["ttl"] = 0.5 }, []byte{2}},
		"as large as it may": {nil, nil, append([]byte{2}, make([]byte, 1023)...)},
	} {
		w := newWeb(t)
		w.put(listURL, change.data, change.header, change.claims)
		lists := w.checker(t, func(c *revocation.StatusListsConfig) {
			c.Issuers[0].Name, c.MaxSize, c.MaxMemory = "https://ID.example.com/", 1024, 1<<20
		})
		if got, err := lists.Revoked(t.Context(), w.about(t, place(1, listURL))); !got || err != nil {
			t.Errorf("%s: %v, %v; want revoked", name, got, err)
		}
		w.wantStatus(t, lists, 8*len(change.data)-1, listURL, false, nil)
	}
}

// TestBoundsOfStatusLists of the configuration, with defaults for the rest.
func TestBoundsOfStatusLists(t *testing.T) {
	one := []revocation.StatusIssuer{{Name: "id.example.com"}}
	for name, c := range map[string]struct {
		cfg revocation.StatusListsConfig
		ok  bool
	}{
		"defaults":           {revocation.StatusListsConfig{}, true},
		"shortest TTL":       {revocation.StatusListsConfig{TTL: time.Second}, true},
		"too short TTL":      {revocation.StatusListsConfig{TTL: time.Second - 1}, false},
		"longest TTL":        {revocation.StatusListsConfig{TTL: 24 * time.Hour}, true},
		"too long TTL":       {revocation.StatusListsConfig{TTL: 24*time.Hour + 1}, false},
		"longest MaxStale":   {revocation.StatusListsConfig{MaxStale: 24 * time.Hour}, true},
		"too long MaxStale":  {revocation.StatusListsConfig{MaxStale: 24*time.Hour + 1}, false},
		"negative MaxStale":  {revocation.StatusListsConfig{MaxStale: -1}, false},
		"smallest MaxSize":   {revocation.StatusListsConfig{MaxSize: 1}, true},
		"negative MaxSize":   {revocation.StatusListsConfig{MaxSize: -1}, false},
		"largest MaxSize":    {revocation.StatusListsConfig{MaxSize: 64 << 20}, true},
		"too large MaxSize":  {revocation.StatusListsConfig{MaxSize: 64<<20 + 1}, false},
		"smallest MaxMemory": {revocation.StatusListsConfig{MaxSize: 2, MaxMemory: 2}, true},
		"too little memory":  {revocation.StatusListsConfig{MaxSize: 2, MaxMemory: 1}, false},
	} {
		c.cfg.Issuers = one
		lists, err := revocation.NewStatusLists(c.cfg)
		if (err == nil) != c.ok || err != nil && !errors.Is(err, revocation.ErrConfig) {
			t.Errorf("%s: %v; want no error: %v", name, err, c.ok)
		}
		if lists != nil {
			_ = lists.Close()
		}
	}
}

// TestDefaultClientOfStatusLists is one that the network answers.
func TestDefaultClientOfStatusLists(t *testing.T) {
	w := newWeb(t)
	lists, err := revocation.NewStatusLists(revocation.StatusListsConfig{Issuers: []revocation.StatusIssuer{{Name: issuerName, Hosts: []string{"127.0.0.1:1"}}}})
	if err != nil {
		t.Fatal(err)
	}
	defer lists.Close()
	_, err = lists.Revoked(t.Context(), w.about(t, place(0, "https://127.0.0.1:1/statuslists/1")))
	if err == nil || !strings.Contains(err.Error(), "127.0.0.1") {
		t.Errorf("Revoked = %v; want that nobody listens there", err)
	}
}

// TestHostsOfStatusLists: those of the configuration, each with its port.
func TestHostsOfStatusLists(t *testing.T) {
	for _, c := range []struct {
		name, host, uri string
		want            error
	}{
		{issuerName, "cdn.example.com", "https://cdn.example.com/statuslists/1", nil},
		{issuerName, "cdn.example.com", "https://cdn.example.com:443/statuslists/1", nil},
		{issuerName, "cdn.example.com", "https://cdn.example.com:8443/statuslists/1", revocation.ErrStatusHost},
		{issuerName, "cdn.example.com:8443", "https://cdn.example.com:8443/statuslists/1", nil},
		{issuerName, "cdn.example.com:80", "https://cdn.example.com/statuslists/1", revocation.ErrStatusHost},
		{"http://id.example.com/", "", "http://id.example.com/statuslists/1", nil},
		{"http://id.example.com/", "", "http://id.example.com:80/statuslists/1", nil},
		{"http://id.example.com/", "", "https://id.example.com/statuslists/1", revocation.ErrStatusHost},
		{"http://id.example.com/", "", "http://id.example.com:8080/statuslists/1", revocation.ErrStatusHost},
		{"http://id.example.com:8080/", "", "http://id.example.com:8080/statuslists/1", nil},
		{"http://id.example.com:8080/", "", "http://id.example.com:8081/statuslists/1", revocation.ErrStatusHost},
	} {
		w := newWeb(t)
		w.put(c.uri, []byte{1}, nil, nil)
		lists := w.checker(t, func(cfg *revocation.StatusListsConfig) {
			cfg.HTTPHosts = []string{"id.example.com"}
			cfg.Issuers[0] = revocation.StatusIssuer{Name: c.name, JWKSURL: issuerName + ".well-known/jwks.json"}
			if c.host != "" {
				cfg.Issuers[0].Hosts = []string{c.host}
			}
		})
		ask := w.about(t, place(0, c.uri))
		ask.Issuer = c.name
		if got, err := lists.Revoked(t.Context(), ask); got != (c.want == nil) || !errors.Is(err, c.want) {
			t.Errorf("%s of %s, with %q: %v, %v; want %v", c.uri, c.name, c.host, got, err, c.want)
		}
	}
}

// TestNamesOfStatusIssuers: a name that is no domain or URL is what it is, and one
// with a path has no second spelling.
func TestNamesOfStatusIssuers(t *testing.T) {
	for _, c := range []struct {
		name, issuer, iss string
		want              error
	}{
		{"urn:x", "urn:x", "urn:x", nil},
		{"urn:x", "urn:x", "urn:y", revocation.ErrStatusList},
		{"urn:x", "", "", revocation.ErrStatusClaim},
		{issuerName + "one/", issuerName + "one/", issuerName + "one/", nil},
		{issuerName + "one/", issuerName + "one", issuerName + "one/", revocation.ErrStatusClaim},
		{issuerName + "one/", issuerName + "one/", issuerName + "one", revocation.ErrStatusList},
		{issuerName, strings.TrimSuffix(issuerName, "/"), issuerName, nil},
	} {
		w := newWeb(t)
		w.put(listURL, []byte{1}, nil, func(claims map[string]any) { claims["iss"] = c.iss })
		lists := w.checker(t, func(cfg *revocation.StatusListsConfig) {
			cfg.Issuers[0] = revocation.StatusIssuer{Name: c.name, JWKSURL: issuerName + ".well-known/jwks.json", Hosts: []string{"id.example.com"}}
		})
		ask := w.about(t, place(0, listURL))
		ask.Issuer = c.issuer
		if got, err := lists.Revoked(t.Context(), ask); got != (c.want == nil) || !errors.Is(err, c.want) {
			t.Errorf("configured %q, of %q, iss %q: %v, %v; want %v", c.name, c.issuer, c.iss, got, err, c.want)
		}
	}
}

// TestFreshnessOfStatusLists: the least of what the configuration, the list and the
// answer say, whose age is spent already.
func TestFreshnessOfStatusLists(t *testing.T) {
	for name, c := range map[string]struct {
		ttl    any
		header map[string]string
		after  time.Duration
		asked  int
	}{
		"ttl of the list":                {30, nil, 15 * time.Second, 1},
		"ttl of the list has passed":     {30, nil, 31 * time.Second, 2},
		"less by the answer":             {3600, map[string]string{"Cache-Control": "max-age=30"}, 31 * time.Second, 2},
		"less by the list":               {30, map[string]string{"Cache-Control": "max-age=3600"}, 31 * time.Second, 2},
		"an age is not of the list":      {30, map[string]string{"Age": "20"}, 15 * time.Second, 1},
		"an age is of the answer":        {3600, map[string]string{"Age": "20", "Cache-Control": "max-age=50"}, 31 * time.Second, 2},
		"a ttl of more than all time":    {1e300, nil, time.Minute, 1},
		"... does not outlive the TTL":   {1e300, nil, time.Hour + time.Second, 2},
		"no more than the answer allows": {1e300, map[string]string{"Cache-Control": "max-age=30"}, 31 * time.Second, 2},
	} {
		w := newWeb(t)
		w.put(listURL, []byte{0}, nil, func(claims map[string]any) { claims["ttl"] = c.ttl })
		for key, value := range c.header {
			w.header.Set(key, value)
		}
		lists := w.checker(t, func(cfg *revocation.StatusListsConfig) { cfg.TTL = time.Hour })
		ask := w.about(t, place(0, listURL))
		for _, d := range []time.Duration{0, c.after} {
			w.clock.Advance(d)
			if _, err := lists.Revoked(t.Context(), ask); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		_ = lists.Close() // ends what goes on in the background
		if len(w.asked) != c.asked {
			t.Errorf("%s: fetched %d times; want %d", name, len(w.asked), c.asked)
		}
	}
}

// TestStatusListThatIsNotModified stays what it was.
func TestStatusListThatIsNotModified(t *testing.T) {
	w := newWeb(t)
	w.header.Set("ETag", `"1"`)
	w.put(listURL, []byte{1}, nil, nil)
	lists := w.checker(t, nil)
	for range 2 {
		w.wantStatus(t, lists, 0, listURL, true, nil)
		w.clock.Advance(6 * time.Minute)
	}
	if len(w.tags) != 2 || w.tags[0] != "" || w.tags[1] != `"1"` {
		t.Errorf("asked with the tags %q", w.tags)
	}
}

// TestEndedListIsNotTaken over one that may still be used.
func TestEndedListIsNotTaken(t *testing.T) {
	w := newWeb(t)
	w.put(listURL, []byte{1}, nil, nil)
	lists := w.checker(t, func(c *revocation.StatusListsConfig) { c.MaxStale = time.Hour })
	w.wantStatus(t, lists, 0, listURL, true, nil)
	w.put(listURL, []byte{0}, nil, func(c map[string]any) { c["exp"] = start.Unix() + 1 })
	w.clock.Advance(6 * time.Minute)
	w.wantStatus(t, lists, 0, listURL, true, nil)
}

// TestMemoryOfStatusLists is bounded; a list that decided about a token is kept over
// one that did not.
func TestMemoryOfStatusLists(t *testing.T) {
	const a, b, c = listURL + "a", listURL + "b", listURL + "c"
	for name, test := range map[string]struct {
		memory int
		last   []string // that are held in the end
	}{"room for two": {3*(1024+512+600) - 1, []string{c, a}}, "room for one": {2*(1024+512+600) - 1, []string{c}}, "room for all": {1 << 20, []string{a, b, c}}} {
		w := newWeb(t)
		random := make([]byte, 600)
		for i := range random {
			random[i] = byte(i * i >> 3)
		}
		random[0] = 1
		for _, url := range []string{a, b, c} {
			w.put(url, random, nil, nil)
		}
		lists := w.checker(t, func(cfg *revocation.StatusListsConfig) { cfg.MaxSize, cfg.MaxMemory = 600, test.memory })
		w.wantStatus(t, lists, 0, a, true, nil)
		w.wantStatus(t, lists, 5000, b, false, revocation.ErrStatusRange)
		w.wantStatus(t, lists, 5000, c, false, revocation.ErrStatusRange)
		w.mu.Lock()
		before := len(w.asked)
		w.mu.Unlock()
		for _, url := range test.last {
			_, _ = lists.Revoked(t.Context(), w.about(t, place(5000, url)))
		}
		w.mu.Lock()
		if len(w.asked) != before {
			t.Errorf("%s: fetched %q again; want nothing", name, w.asked[before:])
		}
		w.mu.Unlock()
		if name == "room for one" {
			w.wantStatus(t, lists, 0, a, true, nil)
			if len(w.asked) != before+1 {
				t.Errorf("%s: %s is still held", name, a)
			}
		}
	}
}
