package verifier_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/internal/cachecontrol"
	"github.com/portcullis-go/portcullis/internal/issuer"
	"github.com/portcullis-go/portcullis/internal/jws"
	"github.com/portcullis-go/portcullis/internal/keyset"
	"github.com/portcullis-go/portcullis/internal/strictjson"
	"github.com/portcullis-go/portcullis/verifier"
)

// A parityVector is one recorded behaviour of the original library. Unknown
// fields fail the run: a vector that is only half understood proves nothing.
type parityVector struct {
	ID            string           `json:"id"`
	Group         string           `json:"group"`
	Now           json.Number      `json:"now"`
	Clock         string           `json:"clock"`
	Config        parityConfig     `json:"config"`
	Upstream      []parityUpstream `json:"upstream"`
	Request       *parityRequest   `json:"request"`
	Expect        *parityExpect    `json:"expect"`
	Steps         []parityStep     `json:"steps"`
	Note          string           `json:"note"`
	Tests         any              `json:"tests"`
	Revision      string           `json:"revision"`
	Quirk         string           `json:"quirk"`
	QuirkKind     string           `json:"quirk_kind"`
	QuirkSystemic []string         `json:"quirk_systemic"`

	elsewhere string // where it is replayed instead
}

type parityConfig struct {
	Audience        any             `json:"audience"`
	Domain          any             `json:"domain"`
	Domains         any             `json:"domains"`
	Resolver        *parityResolver `json:"resolver"`
	ClientID        any             `json:"client_id"`
	ClientSecret    any             `json:"client_secret"`
	DPoPRequired    *bool           `json:"dpop_required"`
	DPoPEnabled     *bool           `json:"dpop_enabled"`
	DPoPIatOffset   *int            `json:"dpop_iat_offset"`
	DPoPIatLeeway   *int            `json:"dpop_iat_leeway"`
	CacheTTL        any             `json:"cache_ttl_seconds"`
	CacheMaxEntries any             `json:"cache_max_entries"`
	Timeout         any             `json:"timeout"`
	CustomFetch     any             `json:"custom_fetch"`
	CacheAdapter    any             `json:"cache_adapter"`
}

type parityResolver struct {
	Returns    any            `json:"returns"`
	Error      *string        `json:"error"`
	ByHost     map[string]any `json:"by_host"`
	ByIssuer   map[string]any `json:"by_issuer"`
	Default    any            `json:"default"`
	EchoIssuer bool           `json:"echo_issuer"`
	Async      bool           `json:"async"`
}

type parityUpstream struct {
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
	Body    *string           `json:"body"`
	BodyB64 *string           `json:"body_b64"`
	Error   string            `json:"error"`
	Times   *int              `json:"times"`
}

type parityRequest struct {
	Operation      string            `json:"operation"`
	AccessToken    *string           `json:"access_token"`
	Proof          *string           `json:"proof"`
	Headers        map[string]any    `json:"headers"`
	HeadersList    [][2]string       `json:"headers_list"`
	Method         *string           `json:"http_method"`
	URL            *string           `json:"http_url"`
	RequestURL     *string           `json:"request_url"`
	RequestHeaders map[string]string `json:"request_headers"`
	RequiredClaims []string          `json:"required_claims"`
	Domain         any               `json:"domain"`
	Claims         any               `json:"claims"`
	Issuer         any               `json:"issuer"`
	Ops            any               `json:"ops"`
	MaxEntries     any               `json:"max_entries"`
	Concurrent     int               `json:"concurrent"`
	Token          *string           `json:"token"`
	JWK            json.RawMessage   `json:"jwk"`
}

type parityExpect struct {
	OK              bool            `json:"ok"`
	Claims          any             `json:"claims"`
	Result          any             `json:"result"`
	Error           *parityError    `json:"error"`
	At              string          `json:"at"`
	UpstreamCalls   []parityCall    `json:"upstream_calls"`
	ResolverContext *parityContext  `json:"resolver_context"`
	ResolverCalls   int             `json:"resolver_calls"`
	Concurrent      json.RawMessage `json:"concurrent"`
	Outcomes        json.RawMessage `json:"outcomes"`
}

type parityContext struct {
	UnverifiedIssuer string            `json:"unverified_iss"`
	URL              *string           `json:"request_url"`
	Headers          map[string]string `json:"request_headers"`
}

type parityError struct {
	Class     string `json:"class"`
	Status    int    `json:"status_code"`
	Code      string `json:"error_code"`
	Message   any    `json:"message"`
	Prefix    string `json:"message_prefix"`
	Challenge string `json:"www_authenticate"`
	Template  string `json:"www_authenticate_template"`
}

type parityCall struct {
	Method        string `json:"method"`
	URL           string `json:"url"`
	Form          any    `json:"form"`
	Authorization any    `json:"authorization"`
	ContentType   any    `json:"content_type"`
	Timeout       any    `json:"timeout_seconds"`
}

type parityStep struct {
	Now      json.Number      `json:"now"`
	Upstream []parityUpstream `json:"upstream"`
	Request  *parityRequest   `json:"request"`
	Expect   *parityExpect    `json:"expect"`
}

// elsewhere are the groups and operations that other packages replay, or that
// have no counterpart, with where or why.
var parityElsewhere = map[string]string{
	"group exchange":   "replayed by package exchange",
	"group connection": "replayed by package exchange",
	"group obo":        "replayed by package exchange",
	"operation get_token_by_exchange_profile":           "replayed by package exchange",
	"operation get_access_token_for_connection":         "replayed by package exchange",
	"operation get_token_on_behalf_of":                  "replayed by package exchange",
	"operation resolve_allowed_domains":                 "an internal step of the original; the domains group covers it through verify_access_token",
	"operation cache_sequence":                          "the original's in-memory cache object; replayed by package verifiertest on its Cache",
	"config client_id":                                  "client credentials are those of exchange.Config",
	"config cache_adapter":                              "one cache object for parsed documents; Config.Cache holds raw ones",
	"config custom_fetch":                               "a hook of Python; Doer takes its place",
	"config dpop_enabled=false with dpop_required=true": "a contradiction that DPoPMode cannot express",
}

func readParity(t *testing.T) []parityVector {
	t.Helper()
	files := []string{filepath.Join("testdata", "parity.json")}
	if dir := os.Getenv("PORTCULLIS_VECTORS"); dir != "" {
		err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err == nil && !d.IsDir() && strings.HasSuffix(path, ".json") {
				files = append(files, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	var all []parityVector
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var probe []struct {
			Upstream any    `json:"upstream"`
			Request  any    `json:"request"`
			Steps    any    `json:"steps"`
			Kind     string `json:"kind"`
		}
		if json.Unmarshal(data, &probe) != nil || len(probe) == 0 || probe[0].Request == nil && probe[0].Steps == nil {
			continue // the attack corpus, which has a runner of its own
		}
		var list []json.RawMessage
		if err := json.Unmarshal(data, &list); err != nil {
			t.Fatalf("%s: %v", filepath.Base(name), err)
		}
		for _, raw := range list {
			v, err := readParityVector(raw)
			if err != nil {
				t.Fatalf("%s: %s: %v", filepath.Base(name), v.ID, err)
			}
			all = append(all, v)
		}
	}
	return all
}

// readParityVector is strict about all vectors but those of package exchange,
// whose runner is.
func readParityVector(raw json.RawMessage) (v parityVector, err error) {
	type operation struct {
		Operation string `json:"operation"`
	}
	var probe struct {
		ID      string    `json:"id"`
		Group   string    `json:"group"`
		Request operation `json:"request"`
		Steps   []struct {
			Request operation `json:"request"`
		} `json:"steps"`
	}
	if err := json.Unmarshal(raw, &probe); err != nil {
		return v, err
	}
	operations := []operation{probe.Request}
	for _, step := range probe.Steps {
		operations = append(operations, step.Request)
	}
	v = parityVector{ID: probe.ID, Group: probe.Group, elsewhere: parityElsewhere["group "+probe.Group]}
	for _, o := range operations {
		if why := parityElsewhere["operation "+o.Operation]; why != "" && v.elsewhere == "" {
			v.elsewhere = why
		}
	}
	if v.elsewhere != "" {
		return v, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	decoder.DisallowUnknownFields()
	return v, decoder.Decode(&v)
}

// parityRun is one vector being replayed.
type parityRun struct {
	v         *parityVector
	mu        sync.Mutex
	now       time.Time
	upstream  []parityUpstream
	calls     []string
	contexts  []verifier.ResolveRequest
	verifier  *verifier.Verifier
	configErr error
}

func (r *parityRun) Now() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.v.Clock == "ticking" {
		r.now = r.now.Add(time.Microsecond)
	}
	return r.now
}

func (r *parityRun) set(now json.Number, upstream []parityUpstream) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now != "" {
		seconds, _ := new(big.Rat).SetString(now.String())
		nano := seconds.Mul(seconds, big.NewRat(1e9, 1))
		r.now = time.Unix(0, new(big.Int).Div(nano.Num(), nano.Denom()).Int64())
	}
	if upstream != nil {
		r.upstream = slices.Clone(upstream)
	}
}

// Do answers as the vector says.
func (r *parityRun) Do(req *http.Request) (*http.Response, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, req.Method+" "+req.URL.String())
	for i := range r.upstream {
		u := &r.upstream[i]
		if u.Method != req.Method || u.URL != req.URL.String() || u.Times != nil && *u.Times == 0 {
			continue
		}
		if u.Times != nil {
			left := *u.Times - 1
			u.Times = &left
		}
		if u.Error == "timeout" {
			return nil, context.DeadlineExceeded
		}
		if u.Error != "" {
			break
		}
		body := ""
		if u.Body != nil {
			body = *u.Body
		}
		if u.BodyB64 != nil {
			data, err := base64.StdEncoding.DecodeString(*u.BodyB64)
			if err != nil {
				return nil, err
			}
			body = string(data)
		}
		header := make(http.Header)
		for name, value := range u.Headers {
			header.Set(name, value)
		}
		return &http.Response{StatusCode: u.Status, Header: header, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: req}, nil
	}
	return nil, errors.New("connection refused")
}

func (r *parityRun) ResolveDomains(_ context.Context, req verifier.ResolveRequest) ([]string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.contexts = append(r.contexts, req)
	rule := r.v.Config.Resolver
	answer := rule.Returns
	switch {
	case rule.Error != nil:
		return nil, errors.New(*rule.Error)
	case rule.EchoIssuer:
		return []string{req.UnverifiedIssuer}, nil
	case rule.ByHost != nil:
		answer = choose(rule.ByHost, strings.ToLower(req.Header().Get("Host")), rule.Default)
	case rule.ByIssuer != nil:
		answer = choose(rule.ByIssuer, req.UnverifiedIssuer, rule.Default)
	}
	list, ok := textList(answer)
	if !ok {
		return nil, errors.New("not a list of strings, which Go's types rule out")
	}
	return list, nil
}

func choose(m map[string]any, key string, byDefault any) any {
	if value, ok := m[key]; ok {
		return value
	}
	return byDefault
}

func textList(value any) ([]string, bool) {
	list, ok := value.([]any)
	if !ok {
		return nil, false
	}
	texts := make([]string, len(list))
	for i, e := range list {
		if texts[i], ok = e.(string); !ok {
			return nil, false
		}
	}
	return texts, true
}

// static is the fixed list of Config.Domains.
type staticDomains []string

func (s staticDomains) Domains() []string { return s }
func (s staticDomains) ResolveDomains(context.Context, verifier.ResolveRequest) ([]string, error) {
	return s, nil
}

var errNotExpressible = errors.New("a value that Go's types rule out")

// config translates the original's configuration; what it lacks is off.
func (r *parityRun) config() (verifier.Config, error) {
	c := &r.v.Config
	cfg := verifier.Config{
		Doer: verifier.DoerFunc(r.Do), Clock: r, Auth0Statuses: true,
		DPoP:    verifier.DPoPConfig{AllowReplays: true},
		Refresh: verifier.RefreshConfig{Floor: -1, Jitter: -1, Ahead: -1, StaleIfError: -1, UnknownKeyAttempts: -1},
	}
	var ok bool
	if c.Audience != nil {
		if cfg.Audience, ok = c.Audience.(string); !ok {
			if cfg.Audiences, ok = textList(c.Audience); !ok {
				return cfg, errNotExpressible
			}
		}
	}
	switch {
	case c.Resolver != nil:
		cfg.Domains = r
	case c.Domains != nil:
		list, ok := textList(c.Domains)
		if !ok {
			return cfg, errNotExpressible
		}
		cfg.Domains = staticDomains(list)
	case c.Domain != nil:
		if cfg.Domain, ok = c.Domain.(string); !ok {
			return cfg, errNotExpressible
		}
	}
	enabled, required := c.DPoPEnabled == nil || *c.DPoPEnabled, c.DPoPRequired != nil && *c.DPoPRequired
	switch {
	case !enabled:
		cfg.DPoP.Mode = verifier.DPoPDisabled
	case required:
		cfg.DPoP.Mode = verifier.DPoPRequired
	}
	if c.DPoPIatOffset != nil {
		cfg.DPoP.MaxAge = time.Duration(*c.DPoPIatOffset) * time.Second
	}
	if c.DPoPIatLeeway != nil {
		cfg.DPoP.FutureSkew = time.Duration(*c.DPoPIatLeeway) * time.Second
		if *c.DPoPIatLeeway == 0 {
			cfg.DPoP.FutureSkew = -1
		}
	}
	if c.CacheTTL != nil {
		n, ok := c.CacheTTL.(json.Number)
		if !ok {
			return cfg, errNotExpressible
		}
		seconds, err := n.Float64()
		if err != nil {
			return cfg, err
		}
		cfg.CacheTTL = time.Duration(seconds * float64(time.Second))
		if cfg.CacheTTL == 0 {
			cfg.CacheTTL = 1 // zero means the default here
		}
	}
	if c.CacheMaxEntries != nil {
		n, ok := c.CacheMaxEntries.(json.Number)
		if !ok {
			return cfg, errNotExpressible
		}
		entries, err := n.Int64()
		if err != nil {
			return cfg, errNotExpressible
		}
		if cfg.Refresh.MaxIssuers = int(entries); entries == 0 {
			cfg.Refresh.MaxIssuers = -1 // zero means the default here
		}
	}
	return cfg, nil
}

// outcome of one operation, in comparable form.
type parityOutcome struct {
	err    error
	claims any
	result any
}

func (r *parityRun) do(t *testing.T, req *parityRequest) parityOutcome {
	t.Helper()
	text := func(p *string) string {
		if p == nil {
			return ""
		}
		return *p
	}
	switch req.Operation {
	case "verify_access_token":
		header := make(http.Header)
		for name, value := range req.RequestHeaders {
			header.Set(name, value)
		}
		got, err := r.verifier.VerifyAccessToken(t.Context(), text(req.AccessToken),
			verifier.WithRequest(text(req.RequestURL), header), verifier.WithRequiredClaims(req.RequiredClaims...))
		return tokenOutcome(got, err)
	case "verify_request":
		header := make(http.Header)
		for name, value := range req.Headers {
			if value, ok := value.(string); ok {
				header[name] = append(header[name], value)
			}
		}
		for _, pair := range req.HeadersList {
			header[pair[0]] = append(header[pair[0]], pair[1])
		}
		host := ""
		for name, values := range header {
			if strings.EqualFold(name, "host") {
				host = values[0]
			}
		}
		got, err := r.verifier.VerifyRequest(t.Context(), verifier.Request{Method: text(req.Method), URL: text(req.URL), Header: header, Host: host})
		return tokenOutcome(got, err)
	case "verify_dpop_proof":
		got, err := r.verifier.VerifyDPoPProof(t.Context(), verifier.ProofRequest{
			Proof: text(req.Proof), AccessToken: text(req.AccessToken), Method: text(req.Method), URL: text(req.URL)})
		if err != nil {
			return parityOutcome{err: err}
		}
		// The claims that the original returns and a Proof has.
		return parityOutcome{claims: map[string]any{"jti": got.ID, "htm": got.Method, "htu": got.URL}}
	case "new_client":
		return parityOutcome{err: r.configErr}
	case "normalize_domain":
		domain, _ := req.Domain.(string)
		result, err := issuer.Normalize(domain)
		return parityOutcome{err: err, result: result}
	case "get_unverified_payload":
		parsed, err := jws.Parse(text(req.Token), nil, nil)
		return parityOutcome{err: err, result: strictjson.Map(parsed.Members)}
	case "calculate_jwk_thumbprint":
		members, err := strictjson.Parse(string(req.JWK), nil)
		if err != nil {
			return parityOutcome{err: err}
		}
		key, err := keyset.ParseKey(members, nil)
		if err != nil {
			return parityOutcome{err: err}
		}
		return parityOutcome{result: key.Thumbprint()}
	case "parse_cache_control":
		header := make(http.Header)
		for name, value := range req.Headers {
			header.Add(name, fmt.Sprint(value))
		}
		d := cachecontrol.Parse(header)
		if !d.HasMaxAge {
			return parityOutcome{}
		}
		return parityOutcome{result: json.Number(fmt.Sprint(d.MaxAge))}
	case "get_current_actor", "get_delegation_chain":
		return actorOutcome(t, req)
	default:
		t.Fatalf("unknown operation %q", req.Operation)
		return parityOutcome{}
	}
}

func tokenOutcome(got *verifier.Token, err error) parityOutcome {
	if err != nil {
		return parityOutcome{err: err}
	}
	return parityOutcome{claims: got.Claims()}
}

// same compares JSON values, numbers by their value.
func same(a, b any) bool {
	switch x := a.(type) {
	case json.Number:
		y, ok := b.(json.Number)
		if !ok {
			return false
		}
		p, okP := new(big.Float).SetPrec(512).SetString(x.String())
		q, okQ := new(big.Float).SetPrec(512).SetString(y.String())
		if !okP || !okQ {
			return x == y
		}
		f, _ := p.Float64()
		g, _ := q.Float64()
		return p.Cmp(q) == 0 || f == g
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for k := range x {
			if _, ok := y[k]; !ok || !same(x[k], y[k]) {
				return false
			}
		}
		return true
	case []any:
		y, ok := b.([]any)
		return ok && slices.EqualFunc(x, y, same)
	default:
		return reflect.DeepEqual(a, b)
	}
}

// compare returns what differs from the recording, or "".
func (r *parityRun) compare(got parityOutcome, req *parityRequest, want *parityExpect) string {
	if want.OK {
		if got.err != nil {
			return "refused: " + got.err.Error()
		}
		if req.Operation == "verify_dpop_proof" {
			expected, _ := want.Claims.(map[string]any)
			for k, v := range got.claims.(map[string]any) {
				if !same(v, expected[k]) {
					return fmt.Sprintf("claim %s differs", k)
				}
			}
		} else if want.Claims != nil && !same(got.claims, want.Claims) {
			return fmt.Sprintf("claims %v", got.claims)
		}
		if req.Operation != "new_client" && want.Claims == nil && !same(got.result, want.Result) {
			return fmt.Sprintf("result %v; want %v", got.result, want.Result)
		}
		return r.compareResolver(want)
	}
	if got.err == nil {
		return fmt.Sprintf("accepted; want %s", want.Error.Class)
	}
	var e *verifier.Error
	if !errors.As(got.err, &e) || want.At == "construction" || want.Error.Class == "ValueError" || strings.HasPrefix(want.Error.Class, "CRASH") {
		return ""
	}
	if e.Status != want.Error.Status || string(e.Code) != want.Error.Code {
		return fmt.Sprintf("%d %q (%s); want %d %q", e.Status, e.Code, e.Reason, want.Error.Status, want.Error.Code)
	}
	if req.Operation == "verify_request" {
		// Ours begin with the scheme that the request used, the original's with
		// Bearer; RFC 9110, Section 11.6.1, leaves the order open.
		challenges := e.Challenges()
		slices.Sort(challenges)
		challenge := strings.Join(challenges, ", ")
		expected := want.Error.Challenge
		if want.Error.Template != "" {
			expected = strings.ReplaceAll(want.Error.Template, "{message}", e.Description)
		} else if expected != "" {
			if m, ok := want.Error.Message.(string); ok && m != "" {
				expected = strings.ReplaceAll(expected, `error_description="`+m+`"`, `error_description="`+e.Description+`"`)
			}
		}
		if challenge != expected {
			return fmt.Sprintf("challenge %s; want %s", challenge, expected)
		}
	}
	return ""
}

func (r *parityRun) compareResolver(want *parityExpect) string {
	if want.ResolverContext == nil {
		return ""
	}
	if len(r.contexts) == 0 {
		return "the resolver was not asked"
	}
	if last := r.contexts[len(r.contexts)-1]; last.UnverifiedIssuer != want.ResolverContext.UnverifiedIssuer {
		return fmt.Sprintf("the resolver saw issuer %q", last.UnverifiedIssuer)
	} else if want.ResolverContext.URL != nil && (last.URL() == nil || last.URL().String() != *want.ResolverContext.URL) {
		return fmt.Sprintf("the resolver saw URL %v", last.URL())
	}
	return ""
}

// compareCalls: for accepts the calls are equal, for refusals a subset.
func compareCalls(got []string, want *parityExpect) string {
	wanted := make(map[string]int)
	for _, c := range want.UpstreamCalls {
		wanted[c.Method+" "+c.URL]++
	}
	counted := make(map[string]int)
	for _, c := range got {
		counted[c]++
	}
	if want.OK && !maps.Equal(counted, wanted) {
		return fmt.Sprintf("upstream calls %v; want %v", counted, wanted)
	}
	for call, n := range counted {
		if n > wanted[call] {
			return fmt.Sprintf("upstream calls %v; want at most %v", counted, wanted)
		}
	}
	return ""
}

// replay returns what differs from the recording, or "".
func replayParity(t *testing.T, v *parityVector) string {
	r := &parityRun{v: v}
	r.set(v.Now, v.Upstream)
	cfg, err := r.config()
	if err == nil {
		r.verifier, err = verifier.New(cfg)
	}
	r.configErr = err
	if r.verifier != nil {
		defer r.verifier.Close()
	}
	steps := v.Steps
	if v.Request != nil {
		steps = []parityStep{{Request: v.Request, Expect: v.Expect}}
	}
	for i, step := range steps {
		if r.verifier == nil && !needsNoVerifier[step.Request.Operation] {
			if step.Expect.OK || step.Expect.At != "construction" {
				return "construction failed: " + err.Error()
			}
			return ""
		}
		if parityElsewhere["operation "+step.Request.Operation] != "" {
			continue
		}
		if step.Expect.At == "construction" && r.configErr == nil {
			return "construction succeeded"
		}
		r.set(step.Now, step.Upstream)
		r.calls, r.contexts = nil, nil
		if diff := r.step(t, &step); diff != "" {
			return fmt.Sprintf("step %d: %s", i, diff)
		}
	}
	return ""
}

var needsNoVerifier = map[string]bool{
	"new_client": true, "normalize_domain": true, "get_unverified_payload": true, "calculate_jwk_thumbprint": true,
	"parse_cache_control": true, "get_current_actor": true, "get_delegation_chain": true,
}

func (r *parityRun) step(t *testing.T, step *parityStep) string {
	n := max(1, step.Request.Concurrent)
	outcomes := make([]parityOutcome, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { outcomes[i] = r.do(t, step.Request) })
	}
	wg.Wait()
	if step.Expect.Outcomes != nil {
		return "" // only the calls can be compared: which caller fails is chance
	}
	for _, got := range outcomes {
		if diff := r.compare(got, step.Request, step.Expect); diff != "" {
			return diff
		}
	}
	return compareCalls(r.calls, step.Expect)
}

// skip says where else a vector is replayed, or "".
func (v *parityVector) skip() string {
	if v.elsewhere != "" {
		return v.elsewhere
	}
	c := &v.Config
	if c.ClientID != nil && v.Request != nil && v.Request.Operation == "new_client" {
		return parityElsewhere["config client_id"]
	}
	if c.CacheAdapter != nil {
		return parityElsewhere["config cache_adapter"]
	}
	if c.CustomFetch != nil {
		return parityElsewhere["config custom_fetch"]
	}
	if c.DPoPEnabled != nil && !*c.DPoPEnabled && c.DPoPRequired != nil && *c.DPoPRequired {
		return parityElsewhere["config dpop_enabled=false with dpop_required=true"]
	}
	return ""
}

func TestParity(t *testing.T) {
	counts := make(map[string]int)
	for _, v := range readParity(t) {
		if v.skip() != "" {
			counts["elsewhere"]++
			continue
		}
		t.Run(v.ID, func(t *testing.T) {
			diff := replayParity(t, &v)
			why := parityDifference(&v)
			switch {
			case diff == "":
				counts["equal"]++
			case why != "":
				counts["different on purpose"]++
			default:
				t.Errorf("%s\n\tquirk: %s", diff, v.Quirk)
			}
		})
	}
	t.Logf("%d vectors equal, %d different on purpose, %d replayed elsewhere or not expressible", counts["equal"], counts["different on purpose"], counts["elsewhere"])
	if counts["equal"] == 0 {
		t.Error("no vector was replayed")
	}
}
