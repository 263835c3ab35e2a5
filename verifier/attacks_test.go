package verifier_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/internal/recorded"
	"github.com/portcullis-go/portcullis/verifier"
)

// attackCase is one case of the attack corpus.
type attackCase struct {
	ID        string                    `json:"id"`
	Group     string                    `json:"group"`
	Threat    string                    `json:"threat"`
	Now       json.Number               `json:"now"`
	Config    attackConfig              `json:"config"`
	JWKS      json.RawMessage           `json:"jwks"`
	Discovery json.RawMessage           `json:"discovery"`
	Responses map[string]attackResponse `json:"responses"`
	Headers   map[string]any            `json:"headers"`
	Method    string                    `json:"method"`
	URL       string                    `json:"url"`
	Expect    string                    `json:"expect"`
	Prefer    string                    `json:"prefer"`
	Basis     string                    `json:"basis"`
	Rule      string                    `json:"rule"`
	Reason    string                    `json:"reason"`
	Status    *int                      `json:"status"`
	Error     *string                   `json:"error"`
	MustNot   []string                  `json:"must_not_fetch"`
	ShouldNot []string                  `json:"should_not_fetch"`
	MaxFetch  map[string]int            `json:"max_fetches"`
	Requires  []string                  `json:"requires"`
	Limits    *attackLimits             `json:"limits"`
	Sequence  []attackStep              `json:"sequence"`
	Illegal   bool                      `json:"http_illegal"`
	Note      string                    `json:"note"`
}

type attackConfig struct {
	Domains    []string     `json:"domains"`
	Audience   any          `json:"audience"`
	DPoP       string       `json:"dpop"`
	Algs       []string     `json:"algs"`
	DPoPAlgs   []string     `json:"dpop_algs"`
	Leeway     json.Number  `json:"leeway_seconds"`
	MaxAge     *json.Number `json:"dpop_max_age_seconds"`
	FutureSkew *json.Number `json:"dpop_future_skew_seconds"`
	Replay     *bool        `json:"dpop_replay_detection"`
	Nonce      string       `json:"dpop_nonce"`
}

type attackLimits struct {
	MaxMS      int     `json:"max_ms"`
	MaxAllocMB float64 `json:"max_alloc_mb"`
}

type attackResponse struct {
	Status     int               `json:"status"`
	Headers    map[string]string `json:"headers"`
	Body       json.RawMessage   `json:"body"`
	DelayMS    int               `json:"delay_ms"`
	Drip       int               `json:"drip_bytes_per_second"`
	NeverEnds  bool              `json:"never_ends"`
	Connection any               `json:"connection_error"`

	body []byte // Body, expanded once, so that its making is not counted
}

type attackStep struct {
	Name      string                    `json:"name"`
	Basis     string                    `json:"basis"`
	Prefer    string                    `json:"prefer"`
	Error     *string                   `json:"error"`
	Now       json.Number               `json:"now"`
	Headers   map[string]any            `json:"headers"`
	Method    string                    `json:"method"`
	URL       string                    `json:"url"`
	Expect    string                    `json:"expect"`
	Status    *int                      `json:"status"`
	Reason    string                    `json:"reason"`
	JWKS      json.RawMessage           `json:"jwks"`
	Discovery json.RawMessage           `json:"discovery"`
	Responses map[string]attackResponse `json:"responses"`
	Note      string                    `json:"note"`
}

// expand builds the text that a value of the corpus stands for.
func expand(t testing.TB, value any) []byte {
	t.Helper()
	switch v := value.(type) {
	case nil:
		return nil
	case string:
		return []byte(v)
	case map[string]any:
		if data, ok := v["base64"].(string); ok {
			octets, err := base64.StdEncoding.DecodeString(data)
			if err != nil {
				t.Fatal(err)
			}
			return octets
		}
		if parts, ok := v["parts"].([]any); ok {
			return expandParts(t, parts)
		}
	}
	t.Fatalf("a value that stands for no text: %v", value)
	return nil
}

func expandParts(t testing.TB, parts []any) (all []byte) {
	t.Helper()
	for _, part := range parts {
		repeat, ok := part.(map[string]any)
		if !ok || repeat["repeat"] == nil {
			all = append(all, expand(t, part)...)
			continue
		}
		text, isText := repeat["repeat"].(string)
		number, isNumber := repeat["count"].(json.Number)
		count, err := strconv.Atoi(number.String())
		if !isText || !isNumber || err != nil {
			t.Fatalf("a repetition that is none: %v", repeat)
		}
		all = append(all, strings.Repeat(text, count)...)
	}
	return all
}

// document returns the bytes that a document of the corpus stands for: those of
// a text, or those of the JSON as it is written there.
func document(t testing.TB, raw json.RawMessage) []byte {
	t.Helper()
	value := recorded.Members{"document": raw}.Value("document")
	object, _ := value.(map[string]any)
	_, isText := value.(string)
	if value == nil || isText || object["parts"] != nil || object["base64"] != nil {
		return expand(t, value)
	}
	return raw
}

// attackWorld is the network and the clock of a case. Every step has the
// documents of the case and its own; what a step has the next one has not.
type attackWorld struct {
	mu      sync.Mutex
	now     time.Time
	ofCase  map[string]attackResponse
	ofStep  map[string]attackResponse
	fetched map[string]int
}

func newAttackWorld(t testing.TB, c *attackCase) *attackWorld {
	w := &attackWorld{fetched: make(map[string]int)}
	w.ofCase = attackResponses(t, c.JWKS, c.Discovery, c.Responses)
	w.begin(c.Now, nil)
	return w
}

func (w *attackWorld) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// begin makes the world that of a step. The clock stays where the step does not
// set it.
func (w *attackWorld) begin(now json.Number, responses map[string]attackResponse) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now != "" {
		w.now = time.Unix(0, 0).Add(recorded.Seconds(now))
	}
	w.ofStep = responses
}

func attackResponses(t testing.TB, jwks, discovery json.RawMessage, responses map[string]attackResponse) map[string]attackResponse {
	t.Helper()
	all := make(map[string]attackResponse)
	const base = "https://tenant.example.com/.well-known/"
	for name, raw := range map[string]json.RawMessage{"jwks.json": jwks, "openid-configuration": discovery} {
		if raw != nil && string(raw) != "null" {
			all[base+name] = attackResponse{Status: 200, body: document(t, raw)}
		}
	}
	for address, r := range responses {
		r.body = document(t, r.Body)
		all[address] = r
	}
	return all
}

type endless struct{ ctx context.Context }

func (e endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), e.ctx.Err()
}

type dripping struct {
	ctx  context.Context
	body io.Reader
	rate int
}

func (d dripping) Read(p []byte) (int, error) {
	select {
	case <-d.ctx.Done():
		return 0, d.ctx.Err()
	case <-time.After(time.Second / time.Duration(d.rate)):
		return d.body.Read(p[:1])
	}
}

func (w *attackWorld) Do(req *http.Request) (*http.Response, error) {
	w.mu.Lock()
	address := req.URL.String()
	w.fetched[address]++
	r, ok := w.ofStep[address]
	if !ok {
		r, ok = w.ofCase[address]
	}
	w.mu.Unlock()
	if !ok || r.Connection != nil && r.Connection != false {
		return nil, errors.New("connection refused")
	}
	if r.DelayMS > 0 {
		select {
		case <-req.Context().Done():
			return nil, req.Context().Err()
		case <-time.After(time.Duration(r.DelayMS) * time.Millisecond):
		}
	}
	body := io.Reader(bytes.NewReader(r.body))
	if r.NeverEnds {
		body = io.MultiReader(body, endless{req.Context()})
	}
	if r.Drip > 0 {
		body = dripping{req.Context(), body, r.Drip}
	}
	header := make(http.Header)
	for name, value := range r.Headers {
		header.Set(name, value)
	}
	status := r.Status
	if status == 0 {
		status = 200
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(body), ContentLength: -1, Request: req}, nil
}

// onlyNonce is a source that handed out one nonce.
type onlyNonce string

func (n onlyNonce) Issue(context.Context) (string, error) { return string(n), nil }
func (n onlyNonce) Check(_ context.Context, nonce string) (bool, error) {
	return nonce == string(n), nil
}

func (c *attackCase) verifier(w *attackWorld) (*verifier.Verifier, error) {
	cfg := verifier.Config{
		Domains: staticDomains(c.Config.Domains), Algorithms: c.Config.Algs, Doer: w, Clock: w,
		Leeway:  recorded.Seconds(c.Config.Leeway),
		Refresh: verifier.RefreshConfig{FetchTimeout: time.Second},
		DPoP:    verifier.DPoPConfig{Algorithms: c.Config.DPoPAlgs},
	}
	switch audience := c.Config.Audience.(type) {
	case string:
		cfg.Audience = audience
	case []any:
		cfg.Audiences, _ = textList(audience)
	}
	switch c.Config.DPoP {
	case "required":
		cfg.DPoP.Mode = verifier.DPoPRequired
	case "disabled":
		cfg.DPoP.Mode = verifier.DPoPDisabled
	case "", "allowed":
	default:
		return nil, fmt.Errorf("unknown mode %q", c.Config.DPoP)
	}
	if c.Config.MaxAge != nil {
		cfg.DPoP.MaxAge = recorded.Seconds(*c.Config.MaxAge)
	}
	if c.Config.FutureSkew != nil {
		cfg.DPoP.FutureSkew = recorded.Seconds(*c.Config.FutureSkew)
		if cfg.DPoP.FutureSkew == 0 {
			cfg.DPoP.FutureSkew = -1
		}
	}
	if c.Config.Replay != nil && !*c.Config.Replay {
		cfg.DPoP.AllowReplays = true
	}
	if c.Config.Nonce != "" {
		cfg.DPoP.Nonces = onlyNonce(c.Config.Nonce)
	}
	if u, err := url.Parse(c.URL); err == nil && u.Host != "" {
		cfg.ExternalURL = u.Scheme + "://" + u.Host
	}
	return verifier.New(cfg)
}

// attackServer protects an API with whatever verifier a case has, behind real
// HTTP with limits so high that the library answers, not net/http.
type attackServer struct {
	t       testing.TB
	address string
	current *verifier.Verifier
	cost    attackCost // of the last request
}

// attackCost is what a verification took, without what the harness did.
type attackCost struct {
	time  time.Duration
	bytes uint64
}

// measure runs a verification and notes its cost.
func (s *attackServer) measure(verify func() error) error {
	began, before := time.Now(), allocated()
	err := verify()
	s.cost = attackCost{time.Since(began), allocated() - before}
	return err
}

// allocated returns how many bytes were ever allocated. Unlike the metrics of
// the runtime it counts what the caches of the processors have not handed in yet.
func allocated() uint64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.TotalAlloc
}

func newAttackServer(t testing.TB) *attackServer {
	s := &attackServer{t: t}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := s.measure(func() error {
			_, err := s.current.VerifyHTTPRequest(r)
			return err
		})
		var e *verifier.Error
		if errors.As(err, &e) {
			e.WriteHeaders(w.Header())
			w.Header().Set("X-Reason", string(e.Reason))
			w.WriteHeader(e.Status)
			return
		}
		if err != nil {
			w.WriteHeader(http.StatusTeapot) // never: every error is an *Error
		}
	}))
	server.Config.MaxHeaderBytes = 64 << 20
	server.Start()
	t.Cleanup(server.Close)
	s.address = server.Listener.Addr().String()
	return s
}

type attackAnswer struct {
	status        int
	reason, nonce string
	challenges    []string
	retryAfter    bool
}

// code returns the error code of the challenges, or "".
func (a *attackAnswer) code() string {
	for _, challenge := range a.challenges {
		if _, rest, found := strings.Cut(challenge, ` error="`); found {
			code, _, _ := strings.Cut(rest, `"`)
			return code
		}
	}
	return ""
}

// send writes the request byte by byte as the case has it.
func (s *attackServer) send(method, address string, headers map[string]any) (attackAnswer, error) {
	u, err := url.Parse(address)
	if err != nil {
		return attackAnswer{}, err
	}
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		return attackAnswer{}, err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n", method, u.RequestURI(), u.Host)
	for name, values := range headerLines(s.t, headers) {
		for _, value := range values {
			b.WriteString(name + ": " + value + "\r\n")
		}
	}
	b.WriteString("\r\n")
	if _, err := conn.Write(b.Bytes()); err != nil {
		return attackAnswer{}, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return attackAnswer{}, err
	}
	defer resp.Body.Close()
	return attackAnswer{resp.StatusCode, resp.Header.Get("X-Reason"), resp.Header.Get("DPoP-Nonce"), resp.Header["Www-Authenticate"], resp.Header.Get("Retry-After") != ""}, nil
}

// headerLines returns the field lines of a case.
func headerLines(t testing.TB, headers map[string]any) http.Header {
	t.Helper()
	h := make(http.Header)
	for name, value := range headers {
		list, ok := value.([]any)
		if !ok {
			list = []any{value}
		}
		for _, one := range list {
			h[name] = append(h[name], string(expand(t, one)))
		}
	}
	return h
}

func (s *attackServer) direct(ctx context.Context, method, address string, headers map[string]any) attackAnswer {
	req := verifier.Request{Method: method, URL: address, Header: headerLines(s.t, headers)}
	err := s.measure(func() error {
		_, err := s.current.VerifyRequest(ctx, req)
		return err
	})
	var e *verifier.Error
	if errors.As(err, &e) {
		return attackAnswer{e.Status, string(e.Reason), e.DPoPNonce, e.Challenges(), e.RetryAfter > 0}
	}
	return attackAnswer{status: http.StatusOK}
}

// attackFiles returns the files of our own, by a pattern, and those that the
// environment names.
func attackFiles(t testing.TB, own string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", own))
	if err != nil || len(files) == 0 {
		t.Fatalf("no file is %s: %v", own, err)
	}
	dir := os.Getenv("PORTCULLIS_VECTORS")
	if dir == "" {
		return files
	}
	err = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(path, ".json") {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// readVectors reads the files whose cases have a member. Files with other cases
// have runners of their own.
func readVectors[T any](t *testing.T, own, member string) []T {
	t.Helper()
	var all []T
	for _, name := range attackFiles(t, own) {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var probe []map[string]json.RawMessage
		if json.Unmarshal(data, &probe) != nil || len(probe) == 0 || probe[0][member] == nil {
			continue
		}
		var list []T
		decoder := json.NewDecoder(bytes.NewReader(data))
		decoder.UseNumber()
		decoder.DisallowUnknownFields() // what the harness does not know it would ignore
		if err := decoder.Decode(&list); err != nil {
			t.Errorf("%s: %v", filepath.Base(name), err)
			continue
		}
		all = append(all, list...)
	}
	return all
}

func readAttacks(t *testing.T) []attackCase {
	return readVectors[attackCase](t, "attacks*.json", "threat")
}

// judge returns what is wrong with an answer, or "".
func judge(step *attackStep, got *attackAnswer) string {
	accepted := got.status == http.StatusOK
	switch step.Expect {
	case "accept":
		if !accepted {
			return fmt.Sprintf("refused with %d %s", got.status, got.reason)
		}
	case "reject":
		outage := got.status == http.StatusServiceUnavailable && (strings.Contains(step.Reason, "discovery") || strings.Contains(step.Reason, "jwks"))
		switch {
		case accepted:
			return "accepted"
		case outage:
		case got.status != 400 && got.status != 401:
			return fmt.Sprintf("refused with %d %s", got.status, got.reason)
		case step.Status != nil && got.status != *step.Status:
			return fmt.Sprintf("refused with %d %s; want %d", got.status, got.reason, *step.Status)
		case step.Error != nil && got.code() != *step.Error:
			return fmt.Sprintf("refused with error %q, %s; want %q", got.code(), got.reason, *step.Error)
		case got.code() == "use_dpop_nonce" && got.nonce == "":
			return "a nonce is asked for and none is given"
		}
	case "either":
		if !accepted && got.status != 400 && got.status != 401 && !strings.HasSuffix(got.reason, "_unavailable") {
			return fmt.Sprintf("answered with %d %s", got.status, got.reason)
		}
	default:
		return "unknown expectation " + step.Expect
	}
	return judgeChallenges(got)
}

// judgeChallenges looks at what every answer must keep to.
func judgeChallenges(got *attackAnswer) string {
	if (got.status == 401) != (len(got.challenges) > 0) && got.status != 400 {
		return fmt.Sprintf("%d challenges with status %d", len(got.challenges), got.status)
	}
	for _, challenge := range got.challenges {
		if strings.ContainsFunc(challenge, func(r rune) bool { return r < 0x20 || r > 0x7e }) {
			return "illegal challenge"
		}
	}
	return ""
}

// attackDifference is an answer that is wanted in place of the one that the
// corpus has, wherever it has another one; and why.
type attackDifference struct {
	status     int
	reason     string
	retryAfter bool
	because    string
}

// attackDifferences are all of them, by case.
var attackDifferences = map[string]attackDifference{
	"issuer-seq-unknown-kid-flood": {503, "keys_unavailable", true, "DESIGN 4: a kid that the limiter kept us from looking for"},
}

// wants reports whether an answer is the one that is wanted.
func (d *attackDifference) wants(got *attackAnswer) bool {
	return got.status == d.status && got.reason == d.reason && got.retryAfter == d.retryAfter
}

func TestAttacks(t *testing.T) {
	server := newAttackServer(t)
	counts := make(map[string]int)
	wrong, unpreferred := 0, 0
	var most attackCost
	for _, c := range readAttacks(t) {
		t.Run(c.ID, func(t *testing.T) {
			counts[c.Expect]++
			result := runAttack(t, server, &c)
			most.time, most.bytes = max(most.time, result.most.time), max(most.bytes, result.most.bytes)
			if c.Expect == "either" && c.Prefer != "" && (c.Prefer == "accept") != result.accepted {
				unpreferred++
				t.Logf("not as preferred: want %s (%s)", c.Prefer, c.Rule)
			}
			if result.problem != "" {
				wrong++
				t.Errorf("%s (%s; %s)", result.problem, c.Basis, c.Rule)
			}
		})
	}
	t.Logf("%d reject, %d accept, %d either (%d not as preferred): %d wrong answers; at most %v and %d KiB a request",
		counts["reject"], counts["accept"], counts["either"], unpreferred, wrong, most.time.Round(time.Millisecond), most.bytes>>10)
	if counts["reject"] == 0 || counts["accept"] == 0 {
		t.Error("no case was replayed")
	}
}

// attackResult is the outcome of a case.
type attackResult struct {
	problem  string // what is wrong, or ""
	accepted bool   // by the last step
	most     attackCost
}

func runAttack(t testing.TB, server *attackServer, c *attackCase) attackResult {
	t.Helper()
	played := playAttack(t, server, c)
	return judgeAttack(c, &played)
}

// attackPlayed is what came out of a case.
type attackPlayed struct {
	construction error // of the configuration; then there is nothing else
	silent       error // no answer to the step behind the last one
	answers      []attackAnswer
	fetched      map[string]int
	most         attackCost
}

// steps returns the steps of a case; one without a sequence is one step.
func (c *attackCase) steps() []attackStep {
	if len(c.Sequence) == 0 {
		return []attackStep{{Headers: c.Headers, Method: c.Method, URL: c.URL, Expect: c.Expect, Reason: c.Reason, Status: c.Status, Error: c.Error}}
	}
	return c.Sequence
}

func playAttack(t testing.TB, server *attackServer, c *attackCase) (played attackPlayed) {
	t.Helper()
	w := newAttackWorld(t, c)
	v, err := c.verifier(w)
	if err != nil {
		return attackPlayed{construction: err}
	}
	defer v.Close()
	server.current = v
	for _, step := range c.steps() {
		w.begin(step.Now, attackResponses(t, step.JWKS, step.Discovery, step.Responses))
		if step.URL == "" {
			step.URL = c.URL
		}
		if step.Method == "" {
			step.Method = c.Method
		}
		answer := attackAnswer{}
		if c.Illegal {
			answer = server.direct(t.Context(), step.Method, step.URL, step.Headers)
		} else if answer, err = server.send(step.Method, step.URL, step.Headers); err != nil {
			played.silent = err
			break
		}
		played.answers = append(played.answers, answer)
		played.most.time, played.most.bytes = max(played.most.time, server.cost.time), max(played.most.bytes, server.cost.bytes)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	played.fetched = maps.Clone(w.fetched)
	return played
}

func judgeAttack(c *attackCase, played *attackPlayed) (result attackResult) {
	if played.construction != nil {
		if c.Expect == "accept" {
			result.problem = "configuration refused: " + played.construction.Error()
		}
		return result
	}
	result.most = played.most
	difference, listed := attackDifferences[c.ID]
	differs := false
	steps := c.steps()
	for i, answer := range played.answers {
		result.accepted = answer.status == http.StatusOK
		problem := judge(&steps[i], &answer)
		if problem != "" && listed && difference.wants(&answer) {
			differs = true
			continue
		}
		if problem != "" {
			result.problem = fmt.Sprintf("step %d: %s", i, problem)
			return result
		}
	}
	switch {
	case played.silent != nil:
		result.problem = "no answer: " + played.silent.Error()
	case listed && !differs:
		result.problem = "is as in the corpus, and listed as different"
	default:
		if result.problem = c.judgeFetches(played.fetched); result.problem == "" {
			result.problem = c.Limits.judge(result.most)
		}
	}
	return result
}

func (l *attackLimits) judge(cost attackCost) string {
	switch {
	case l == nil:
		return ""
	case l.MaxMS > 0 && cost.time > time.Duration(l.MaxMS)*time.Millisecond:
		return fmt.Sprintf("took %v; limit %d ms", cost.time, l.MaxMS)
	case l.MaxAllocMB > 0 && float64(cost.bytes) > l.MaxAllocMB*(1<<20):
		return fmt.Sprintf("allocated %d KiB; limit %v MiB", cost.bytes>>10, l.MaxAllocMB)
	default:
		return ""
	}
}

// judgeFetches looks at what was asked for. Of a host that is not the tenant's,
// nothing may be fetched if one of its documents may not.
func (c *attackCase) judgeFetches(counts map[string]int) string {
	for _, address := range slices.Concat(c.MustNot, c.ShouldNot) {
		forbidden, err := url.Parse(address)
		for fetched := range counts {
			u, _ := url.Parse(fetched)
			if fetched == address || err == nil && u.Host == forbidden.Host && u.Host != "tenant.example.com" && c.Responses[fetched].Body == nil {
				return "fetched " + fetched
			}
		}
	}
	for address, most := range c.MaxFetch {
		if counts[address] > most {
			return fmt.Sprintf("fetched %s %d times; want at most %d", address, counts[address], most)
		}
	}
	return ""
}

// TestAttackHarness: further files are replayed like our own, and what is wrong
// is noticed.
func TestAttackHarness(t *testing.T) {
	t.Setenv("PORTCULLIS_VECTORS", "")
	own := len(readAttacks(t))
	find := func(wanted func(c *attackCase) bool) attackCase {
		for _, c := range readAttacks(t) {
			if wanted(&c) {
				return c
			}
		}
		t.Fatal("no such case")
		return attackCase{}
	}
	plain := func(c *attackCase) bool { return len(c.Sequence) == 0 && c.Limits == nil && !c.Illegal }
	accepted := find(func(c *attackCase) bool { return plain(c) && c.Expect == "accept" })
	refused := find(func(c *attackCase) bool {
		return plain(c) && c.Expect == "reject" && c.Error != nil && *c.Error == "invalid_token" && c.Status != nil
	})
	sequence := find(func(c *attackCase) bool { return len(c.Sequence) > 1 && c.Expect == "reject" })
	cases := []attackCase{accepted, refused, sequence}

	dir := t.TempDir()
	write := func(name string, value any) {
		data, err := json.Marshal(value)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "deeper"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(filepath.Join("deeper", "more.json"), cases)
	write("recorded.json", []map[string]string{{"id": "x", "note": "vectors of another kind"}})
	t.Setenv("PORTCULLIS_VECTORS", dir)
	all := readAttacks(t)
	if len(all) != own+len(cases) {
		t.Fatalf("%d cases with a further file; want %d", len(all), own+len(cases))
	}

	server := newAttackServer(t)
	for _, c := range all[own:] {
		if result := runAttack(t, server, &c); result.problem != "" {
			t.Errorf("%s: %s", c.ID, result.problem)
		}
	}
	for name, change := range map[string]func(c *attackCase){
		"expectation": func(c *attackCase) { c.Expect = map[string]string{"accept": "reject", "reject": "accept"}[c.Expect] },
		"max_fetches": func(c *attackCase) {
			c.MaxFetch = map[string]int{"https://tenant.example.com/.well-known/jwks.json": 0}
		},
		"must_not": func(c *attackCase) { c.MustNot = []string{"https://tenant.example.com/.well-known/jwks.json"} },
		"memory":   func(c *attackCase) { c.Limits = &attackLimits{MaxAllocMB: 1e-6} },
	} {
		changed := accepted
		change(&changed)
		if result := runAttack(t, server, &changed); result.problem == "" {
			t.Errorf("%s: a wrong answer is not noticed", name)
		}
	}
	for name, change := range map[string]func(c *attackCase){
		"expectation": func(c *attackCase) { c.Expect = "accept" },
		"status":      func(c *attackCase) { c.Status = new(403) },
		"error":       func(c *attackCase) { c.Error = new("insufficient_scope") },
	} {
		changed := refused
		change(&changed)
		if result := runAttack(t, server, &changed); result.problem == "" {
			t.Errorf("%s: a wrong refusal is not noticed", name)
		}
	}
}
