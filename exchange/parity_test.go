package exchange_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/exchange"
	"github.com/portcullis-go/portcullis/verifier"
)

// A parityVector is one recorded behaviour of the original library. Unknown
// fields fail the run: a vector that is only half understood proves nothing.
type parityVector struct {
	ID            string           `json:"id"`
	Group         string           `json:"group"`
	Now           json.Number      `json:"now"`
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
}

type parityConfig struct {
	Audience     string      `json:"audience"`
	Domain       string      `json:"domain"`
	Domains      []string    `json:"domains"` // token requests use domain alone
	ClientID     string      `json:"client_id"`
	ClientSecret string      `json:"client_secret"`
	Timeout      json.Number `json:"timeout"`
	CacheTTL     json.Number `json:"cache_ttl_seconds"`
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
	Operation          string `json:"operation"`
	AccessToken        any    `json:"access_token"`
	Connection         any    `json:"connection"`
	LoginHint          any    `json:"login_hint"`
	SubjectToken       any    `json:"subject_token"`
	SubjectTokenType   any    `json:"subject_token_type"`
	Audience           any    `json:"audience"`
	Scope              any    `json:"scope"`
	RequestedTokenType any    `json:"requested_token_type"`
	Extra              any    `json:"extra"`
	Concurrent         int    `json:"concurrent"`
}

type parityExpect struct {
	OK            bool            `json:"ok"`
	Claims        any             `json:"claims"`
	Result        any             `json:"result"`
	Error         *parityError    `json:"error"`
	At            string          `json:"at"`
	UpstreamCalls []parityCall    `json:"upstream_calls"`
	Concurrent    json.RawMessage `json:"concurrent"`
}

type parityError struct {
	Class     string  `json:"class"`
	Status    int     `json:"status_code"`
	Code      any     `json:"error_code"`
	Message   any     `json:"message"`
	Prefix    string  `json:"message_prefix"`
	Challenge *string `json:"www_authenticate"`
}

type parityCall struct {
	Method        string              `json:"method"`
	URL           string              `json:"url"`
	Form          map[string][]string `json:"form"`
	Authorization string              `json:"authorization"`
	ContentType   string              `json:"content_type"`
	Timeout       json.Number         `json:"timeout_seconds"`
}

type parityStep struct {
	Now      json.Number      `json:"now"`
	Upstream []parityUpstream `json:"upstream"`
	Request  *parityRequest   `json:"request"`
	Expect   *parityExpect    `json:"expect"`
}

const (
	opProfile    = "get_token_by_exchange_profile"
	opOnBehalfOf = "get_token_on_behalf_of"
	opConnection = "get_access_token_for_connection"
	opVerify     = "verify_access_token"
)

// parityElsewhere are the groups that package verifier replays, but for the
// vectors in them that exchange tokens.
var parityElsewhere = []string{
	"request", "bearer", "dpop", "htu", "normalize_domain", "domains", "cache", "config", "cache_control", "jwks", "discovery", "act",
}

var parityOurs = []string{"connection", "exchange", "obo"}

// readParity returns the vectors that exchange tokens, each once.
func readParity(t *testing.T) (ours []parityVector, elsewhere int) {
	t.Helper()
	files := []string{filepath.Join("testdata", "parity.json"), filepath.Join("..", "verifier", "testdata", "parity.json")}
	if dir := os.Getenv("PORTCULLIS_VECTORS"); dir != "" {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && strings.HasSuffix(path, ".json") {
				files = append(files, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	seen := make(map[string]bool)
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var list []json.RawMessage
		if json.Unmarshal(data, &list) != nil {
			continue // another kind of file
		}
		for _, raw := range list {
			var probe struct {
				ID, Group string
				Request   *struct{ Operation string }
				Steps     []struct{ Request *struct{ Operation string } }
			}
			if json.Unmarshal(raw, &probe) != nil || probe.Group == "" || probe.Request == nil && probe.Steps == nil {
				continue // the attack corpus, which has a runner of its own
			}
			operations := make(map[string]bool)
			if probe.Request != nil {
				operations[probe.Request.Operation] = true
			}
			for _, step := range probe.Steps {
				operations[step.Request.Operation] = true
			}
			mine := slices.Contains(parityOurs, probe.Group) || operations[opProfile] || operations[opOnBehalfOf] || operations[opConnection]
			switch {
			case !mine && slices.Contains(parityElsewhere, probe.Group):
				elsewhere++
				continue
			case !mine:
				t.Errorf("%s: unknown group %q", probe.ID, probe.Group)
				continue
			case seen[string(raw)]:
				continue
			}
			seen[string(raw)] = true
			decoder := json.NewDecoder(bytes.NewReader(raw))
			decoder.UseNumber()
			decoder.DisallowUnknownFields()
			var v parityVector
			if err := decoder.Decode(&v); err != nil {
				t.Errorf("%s: %v", probe.ID, err)
				continue
			}
			ours = append(ours, v)
		}
	}
	return ours, elsewhere
}

// parityRun is one vector being replayed.
type parityRun struct {
	v *parityVector

	mu       sync.Mutex
	now      time.Time
	upstream []parityUpstream
	calls    []parityCall

	verifier *verifier.Verifier
	client   *exchange.Client
}

func (r *parityRun) Now() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
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
	r.calls = nil
}

// Do answers as the vector says, and records what was sent.
func (r *parityRun) Do(req *http.Request) (*http.Response, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	call := parityCall{Method: req.Method, URL: req.URL.String()}
	if req.Body != nil {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		if call.Form, err = url.ParseQuery(string(body)); err != nil {
			return nil, err
		}
		call.Authorization, call.ContentType = req.Header.Get("Authorization"), req.Header.Get("Content-Type")
		if deadline, ok := req.Context().Deadline(); ok {
			call.Timeout = json.Number(fmt.Sprint(time.Until(deadline).Seconds()))
		}
	}
	r.calls = append(r.calls, call)
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

func seconds(n json.Number) time.Duration {
	f, _ := n.Float64()
	return time.Duration(f * float64(time.Second))
}

// start makes the verifier and the client, whose metadata comes from the
// verifier or from a store of its own.
func (r *parityRun) start(shared bool) (err error) {
	c := &r.v.Config
	doer := verifier.DoerFunc(r.Do)
	r.verifier, err = verifier.New(verifier.Config{
		Domain: c.Domain, Audience: c.Audience, Doer: doer, Clock: r, CacheTTL: seconds(c.CacheTTL),
		Refresh: verifier.RefreshConfig{Floor: -1, Jitter: -1, Ahead: -1, StaleIfError: -1},
	})
	if err != nil {
		return err
	}
	cfg := exchange.Config{
		Domain: c.Domain, ClientID: c.ClientID, Auth: exchange.ClientSecretBasic(c.ClientSecret),
		Doer: doer, Clock: r, Timeout: seconds(c.Timeout),
	}
	if shared {
		cfg.Metadata = r.verifier
	}
	r.client, err = exchange.New(cfg)
	return err
}

func (r *parityRun) stop() {
	if r.client != nil {
		_ = r.client.Close()
	}
	if r.verifier != nil {
		_ = r.verifier.Close()
	}
}

var errNotExpressible = errors.New("a value that Go's types rule out")

// texts converts arguments; absent and null ones are "".
type texts struct{ err error }

func (t *texts) of(value any) string {
	switch value := value.(type) {
	case nil:
		return ""
	case string:
		return value
	default:
		t.err = errNotExpressible
		return ""
	}
}

// extra converts parameters to the texts that a Go program would give: numbers
// as they are written, and true, false and null by their JSON names.
func (t *texts) extra(given any) url.Values {
	values := make(url.Values)
	parameters, ok := given.(map[string]any)
	if !ok && given != nil {
		t.err = errNotExpressible
	}
	scalar := func(value any) string {
		switch value := value.(type) {
		case string:
			return value
		case json.Number:
			return value.String()
		case bool:
			return strconv.FormatBool(value)
		case nil:
			return "null"
		default:
			t.err = errNotExpressible
			return ""
		}
	}
	for name, value := range parameters {
		if list, ok := value.([]any); ok {
			values[name] = []string{}
			for _, element := range list {
				values[name] = append(values[name], scalar(element))
			}
			continue
		}
		values[name] = []string{scalar(value)}
	}
	return values
}

// outcome of one operation, in comparable form.
type parityOutcome struct {
	err    error
	result any
}

func (r *parityRun) do(t *testing.T, req *parityRequest) parityOutcome {
	t.Helper()
	var text texts
	switch req.Operation {
	case opVerify:
		token := text.of(req.AccessToken)
		got, err := r.verifier.VerifyAccessToken(t.Context(), token)
		if err != nil {
			return parityOutcome{err: err}
		}
		return parityOutcome{result: got.Claims()}
	case opProfile:
		request := exchange.ProfileRequest{
			SubjectToken: text.of(req.SubjectToken), SubjectTokenType: text.of(req.SubjectTokenType), Audience: text.of(req.Audience),
			Scope: text.of(req.Scope), RequestedTokenType: text.of(req.RequestedTokenType), Extra: text.extra(req.Extra),
		}
		if text.err != nil {
			return parityOutcome{err: text.err}
		}
		got, err := r.client.ExchangeProfile(t.Context(), request)
		if err != nil {
			return parityOutcome{err: err}
		}
		result := resultOf(&got.Token)
		for member, value := range map[string]string{"id_token": got.IDToken, "refresh_token": got.RefreshToken} {
			if got.Stated(member) {
				result[member] = value
			}
		}
		return parityOutcome{result: result}
	case opOnBehalfOf:
		request := exchange.OnBehalfOfRequest{AccessToken: text.of(req.AccessToken), Audience: text.of(req.Audience), Scope: text.of(req.Scope)}
		if text.err != nil {
			return parityOutcome{err: text.err}
		}
		got, err := r.client.OnBehalfOf(t.Context(), request)
		if err != nil {
			return parityOutcome{err: err}
		}
		return parityOutcome{result: resultOf(got)}
	case opConnection:
		request := exchange.ConnectionRequest{Connection: text.of(req.Connection), AccessToken: text.of(req.AccessToken), LoginHint: text.of(req.LoginHint)}
		if text.err != nil {
			return parityOutcome{err: text.err}
		}
		got, err := r.client.ConnectionToken(t.Context(), request)
		if err != nil {
			return parityOutcome{err: err}
		}
		all := resultOf(got)
		return parityOutcome{result: map[string]any{"access_token": all["access_token"], "expires_at": all["expires_at"], "scope": got.Scope}}
	default:
		t.Fatalf("unknown operation %q", req.Operation)
		return parityOutcome{}
	}
}

func resultOf(got *exchange.Token) map[string]any {
	result := map[string]any{
		"access_token": got.AccessToken,
		"expires_in":   json.Number(strconv.FormatInt(int64(got.ExpiresIn/time.Second), 10)),
		"expires_at":   json.Number(strconv.FormatInt(got.ExpiresAt.Unix(), 10)),
	}
	for member, value := range map[string]string{"scope": got.Scope, "token_type": got.TokenType, "issued_token_type": got.IssuedTokenType} {
		if got.Stated(member) {
			result[member] = value
		}
	}
	return result
}

// compare returns what differs from the recording, or "".
func (r *parityRun) compare(got parityOutcome, want *parityExpect) string {
	if want.OK {
		expected := want.Result
		if want.Claims != nil {
			expected = want.Claims
		}
		switch {
		case got.err != nil:
			return "refused: " + got.err.Error()
		case !reflect.DeepEqual(got.result, expected):
			return fmt.Sprintf("result %v; want %v", got.result, expected)
		}
		return ""
	}
	if got.err == nil {
		return fmt.Sprintf("accepted; want %s", want.Error.Class)
	}
	var e *exchange.Error
	switch {
	case strings.HasPrefix(want.Error.Class, "CRASH"), errors.Is(got.err, errNotExpressible):
		return ""
	case want.Error.Challenge != nil:
		return "a challenge is recorded, which exchanges have none of"
	case !errors.As(got.err, &e):
		return "another kind of error: " + got.err.Error()
	case e.Status != want.Error.Status || any(e.Code) != want.Error.Code:
		return fmt.Sprintf("%d %q; want %d %q", e.Status, e.Code, want.Error.Status, want.Error.Code)
	}
	return ""
}

// compareCalls: for accepts the calls are equal, for refusals a subset.
func (r *parityRun) compareCalls(want *parityExpect) string {
	left := slices.Clone(want.UpstreamCalls)
	for i := range r.calls {
		at := slices.IndexFunc(left, func(w parityCall) bool { return sameCall(&r.calls[i], &w) })
		if at < 0 {
			return fmt.Sprintf("call %v; want one of %v", r.calls[i], left)
		}
		left = slices.Delete(left, at, at+1)
	}
	if want.OK && len(left) > 0 {
		return fmt.Sprintf("no call %v", left)
	}
	return ""
}

// sameCall compares calls; a deadline is at most the recorded one.
func sameCall(got, want *parityCall) bool {
	limit := 10 * time.Second
	if want.Timeout != "" {
		limit = seconds(want.Timeout)
	}
	return got.Method == want.Method && got.URL == want.URL && reflect.DeepEqual(got.Form, want.Form) &&
		got.Authorization == want.Authorization && got.ContentType == want.ContentType && seconds(got.Timeout) <= limit &&
		(got.Form == nil || got.Timeout != "")
}

// replay returns what differs from the recording, or "", and whether the last
// operation was refused.
func replay(t *testing.T, v *parityVector, shared bool) (diff string, err error) {
	r := &parityRun{v: v}
	r.set(v.Now, v.Upstream)
	defer r.stop()
	steps := v.Steps
	if v.Request != nil {
		steps = []parityStep{{Request: v.Request, Expect: v.Expect}}
	}
	if err := r.start(shared); err != nil {
		if steps[0].Expect.OK || steps[0].Expect.At != "construction" {
			return "New refused: " + err.Error(), err
		}
		return "", err
	}
	for i, step := range steps {
		if step.Expect.At == "construction" {
			return "New accepted the configuration", nil
		}
		r.set(step.Now, step.Upstream)
		outcomes := make([]parityOutcome, max(1, step.Request.Concurrent))
		var wg sync.WaitGroup
		for n := range outcomes {
			wg.Go(func() { outcomes[n] = r.do(t, step.Request) })
		}
		wg.Wait()
		for _, got := range outcomes {
			err = got.err
			if diff := r.compare(got, step.Expect); diff != "" {
				return fmt.Sprintf("step %d: %s", i, diff), err
			}
		}
		if diff := r.compareCalls(step.Expect); diff != "" {
			return fmt.Sprintf("step %d: %s", i, diff), err
		}
	}
	return "", err
}

// anonymous reports whether the metadata of a vector names no issuer, as those
// of the original's own tests do, and returns the vector with the issuer in
// its place.
func anonymous(v *parityVector) (named *parityVector, ok bool) {
	named = new(parityVector)
	*named = *v
	named.Upstream = slices.Clone(v.Upstream)
	for i := range named.Upstream {
		u := &named.Upstream[i]
		base, discovery := strings.CutSuffix(u.URL, ".well-known/openid-configuration")
		var document map[string]any
		if !discovery || u.Body == nil || json.Unmarshal([]byte(*u.Body), &document) != nil || document == nil || document["issuer"] != nil {
			continue
		}
		document["issuer"] = base
		data, err := json.Marshal(document)
		if err != nil {
			continue
		}
		body := string(data)
		u.Body, ok = &body, true
	}
	return named, ok
}

// replayAnonymous demands that nothing is sent to an endpoint of unnamed
// metadata (OpenID Connect Discovery 1.0, Section 4.3).
func replayAnonymous(t *testing.T, v *parityVector, shared bool) {
	t.Helper()
	r := &parityRun{v: v}
	r.set(v.Now, v.Upstream)
	defer r.stop()
	if r.start(shared) != nil {
		return
	}
	got := r.do(t, v.Request)
	// A time-out of a millisecond may strike first.
	allowed := []error{exchange.ErrMetadata, exchange.ErrArgument, exchange.ErrTimeout, errNotExpressible}
	if got.err == nil || !slices.ContainsFunc(allowed, func(err error) bool { return errors.Is(got.err, err) }) {
		t.Errorf("metadata without issuer: %v; want ErrMetadata", got.err)
	}
	for _, call := range r.calls {
		if call.Method == http.MethodPost {
			t.Errorf("metadata without issuer: a secret was sent to %s", call.URL)
		}
	}
}

func TestParity(t *testing.T) {
	counts := make(map[string]int)
	ours, elsewhere := readParity(t)
	for _, v := range ours {
		t.Run(v.ID, func(t *testing.T) {
			named, unnamed := anonymous(&v)
			for _, shared := range []bool{true, false} {
				if v.Steps != nil && !shared {
					continue // what is shared is the point
				}
				if unnamed {
					replayAnonymous(t, &v, shared)
				}
				diff, err := replay(t, named, shared)
				why := parityDifference(&v, err)
				switch {
				case diff == "" && unnamed:
					counts["equal once the metadata names its issuer"]++
				case diff == "":
					counts["equal"]++
				case why != "":
					counts["different on purpose"]++
				default:
					t.Errorf("%s\n\tquirk: %s", diff, v.Quirk)
				}
			}
		})
	}
	t.Logf("%d vectors, with metadata from a Verifier and from a store of the client's own: %v; %d vectors replayed elsewhere", len(ours), counts, elsewhere)
	if counts["equal"] == 0 {
		t.Error("no vector was replayed")
	}
}
