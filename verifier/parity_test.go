package verifier_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/internal/cachecontrol"
	"github.com/portcullis-go/portcullis/internal/htu"
	"github.com/portcullis-go/portcullis/internal/issuer"
	"github.com/portcullis-go/portcullis/internal/jws"
	"github.com/portcullis-go/portcullis/internal/keyset"
	"github.com/portcullis-go/portcullis/internal/recorded"
	"github.com/portcullis-go/portcullis/internal/strictjson"
	"github.com/portcullis-go/portcullis/verifier"
)

// parityElsewhere says which vectors other packages replay, or have no
// counterpart, and why. Other vectors return "".
func parityElsewhere(v *recorded.Vector) string {
	switch {
	case slices.Contains([]string{"exchange", "connection", "obo"}, v.Group),
		v.Performs("get_token_by_exchange_profile", "get_access_token_for_connection", "get_token_on_behalf_of"):
		return "replayed by package exchange"
	case v.Performs("cache_sequence"):
		return "the original's cache in memory; replayed by package verifiertest on its Cache"
	case v.Performs("resolve_allowed_domains"):
		return "an internal step of the original, which verify_access_token covers"
	case v.Config.Has("client_id") && v.Performs("new_client"):
		return "client credentials are those of exchange.Config"
	case v.Config.Has("cache_adapter"):
		return "one cache object for parsed documents; Config.Cache holds raw ones"
	case v.Config.Has("custom_fetch"):
		return "a hook of Python; Doer takes its place"
	case string(v.Config["dpop_enabled"]) == "false" && string(v.Config["dpop_required"]) == "true":
		return "a contradiction that DPoPMode cannot express"
	default:
		return ""
	}
}

// parityVectors returns the vectors of the project's own, and the further ones
// that the environment names.
func parityVectors(t testing.TB) (own, further []recorded.Vector) {
	t.Helper()
	own, err := recorded.ReadFile(filepath.Join("testdata", "parity.json"))
	if err != nil {
		t.Fatal(err)
	}
	if folder := os.Getenv("PORTCULLIS_VECTORS"); folder != "" {
		if further, err = recorded.ReadFolder(folder); err != nil {
			t.Fatal(err)
		}
	}
	return own, further
}

// static is the fixed list of Config.Domains.
type staticDomains []string

func (s staticDomains) Domains() []string { return s }
func (s staticDomains) ResolveDomains(context.Context, verifier.ResolveRequest) ([]string, error) {
	return s, nil
}

// textList returns a list of texts, and whether it is one.
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

// parityResolver answers as the recorded resolver did.
type parityResolver struct {
	world *recorded.World
	rule  recorded.Members
}

func (r *parityResolver) ResolveDomains(_ context.Context, req verifier.ResolveRequest) ([]string, error) {
	asked := recorded.Context{Issuer: req.UnverifiedIssuer, Headers: make(map[string]string)}
	if u := req.URL(); u != nil {
		asked.URL = new(u.String())
	}
	for name, values := range req.Header() {
		asked.Headers[name] = strings.Join(values, ", ")
	}
	r.world.Asked(asked)
	choose := func(table, key string) any {
		if answer, ok := r.rule.Value(table).(map[string]any)[key]; ok {
			return answer
		}
		return r.rule.Value("default")
	}
	answer := r.rule.Value("returns")
	switch {
	case r.rule.Has("error"):
		text, err := r.rule.Text("error")
		return nil, errors.Join(errors.New(text), err)
	case r.rule.Has("echo_issuer"):
		return []string{req.UnverifiedIssuer}, nil
	case r.rule.Has("by_host"):
		answer = choose("by_host", strings.ToLower(req.Header().Get("Host")))
	case r.rule.Has("by_issuer"):
		answer = choose("by_issuer", req.UnverifiedIssuer)
	}
	list, ok := textList(answer)
	if !ok {
		return nil, errors.New("not a list of strings, which Go's types rule out")
	}
	return list, nil
}

// parityConfig translates the original's configuration; what it lacks is off.
func parityConfig(w *recorded.World, v *recorded.Vector) (cfg verifier.Config, err error) {
	c := v.Config
	if err := c.Known("audience", "domain", "domains", "resolver", "client_id", "client_secret", "dpop_enabled", "dpop_required",
		"dpop_iat_leeway", "dpop_iat_offset", "cache_ttl_seconds", "cache_max_entries", "timeout"); err != nil {
		return cfg, err
	}
	cfg = verifier.Config{
		Doer: verifier.DoerFunc(w.Do), Clock: w, Auth0Statuses: true,
		DPoP:    verifier.DPoPConfig{AllowReplays: true},
		Refresh: verifier.RefreshConfig{Floor: -1, Jitter: -1, Ahead: -1, StaleIfError: -1, UnknownKeyAttempts: -1},
	}
	var text string
	if list, ok := textList(c.Value("audience")); ok {
		cfg.Audiences = list
	} else if cfg.Audience, err = c.Text("audience"); err != nil {
		return cfg, err
	}
	switch {
	case c.Has("resolver"):
		var rule recorded.Members
		if err := c.Read("resolver", &rule); err != nil {
			return cfg, err
		}
		if err := rule.Known("returns", "error", "by_host", "by_issuer", "default", "echo_issuer", "async"); err != nil {
			return cfg, err
		}
		cfg.Domains = &parityResolver{w, rule}
	case c.Has("domains") && !c.Null("domains"):
		list, ok := textList(c.Value("domains"))
		if !ok {
			return cfg, recorded.ErrInexpressible
		}
		cfg.Domains = staticDomains(list)
	default:
		if text, err = c.Text("domain"); err != nil {
			return cfg, err
		}
		cfg.Domain = text
	}
	return cfg, parityNumbers(c, &cfg)
}

// parityNumbers translates the switches and numbers. Zero means the default
// here.
func parityNumbers(c recorded.Members, cfg *verifier.Config) error {
	enabled, required, issuers := true, false, 0
	var age, skew, ttl json.Number
	if err := errors.Join(c.Read("dpop_enabled", &enabled), c.Read("dpop_required", &required), c.Read("cache_max_entries", &issuers),
		c.Read("dpop_iat_offset", &age), c.Read("dpop_iat_leeway", &skew), c.Read("cache_ttl_seconds", &ttl)); err != nil {
		return recorded.ErrInexpressible
	}
	switch {
	case !enabled:
		cfg.DPoP.Mode = verifier.DPoPDisabled
	case required:
		cfg.DPoP.Mode = verifier.DPoPRequired
	}
	cfg.DPoP.MaxAge, cfg.DPoP.FutureSkew, cfg.CacheTTL = recorded.Seconds(age), recorded.Seconds(skew), recorded.Seconds(ttl)
	if skew != "" && cfg.DPoP.FutureSkew == 0 {
		cfg.DPoP.FutureSkew = -1
	}
	if ttl != "" && cfg.CacheTTL == 0 {
		cfg.CacheTTL = 1
	}
	if cfg.Refresh.MaxIssuers = issuers; c.Has("cache_max_entries") && issuers == 0 {
		cfg.Refresh.MaxIssuers = -1
	}
	return nil
}

// paritySubject is a Verifier, for operations in the original's words.
type paritySubject struct {
	t        testing.TB
	config   recorded.Members
	verifier *verifier.Verifier
}

// startParity returns a way to make the subject. change, which may be nil, puts
// a fault into the configuration.
func startParity(t testing.TB, change func(*verifier.Config)) recorded.Start {
	return func(w *recorded.World, v *recorded.Vector) (recorded.Subject, error) {
		s := &paritySubject{t: t, config: v.Config}
		if v.Config == nil {
			return s, nil // a helper
		}
		cfg, err := parityConfig(w, v)
		if err != nil {
			return nil, err
		}
		if change != nil {
			change(&cfg)
		}
		s.verifier, err = verifier.New(cfg)
		return s, err
	}
}

func (s *paritySubject) Close() {
	if s.verifier != nil {
		_ = s.verifier.Close()
	}
}

func (s *paritySubject) Do(ctx context.Context, req *recorded.Request) recorded.Outcome {
	switch req.Operation {
	case "verify_access_token":
		return s.verifyAccessToken(ctx, req)
	case "verify_request":
		return s.verifyRequest(ctx, req)
	case "verify_dpop_proof":
		return s.verifyProof(ctx, req)
	case "new_client":
		return s.newClient()
	case "get_current_actor", "get_delegation_chain":
		return actorOutcome(s.t, req)
	default:
		value, err := parityHelper(req)
		if err != nil {
			return recorded.Failed(err)
		}
		return recorded.Outcome{Value: value}
	}
}

// texts reads arguments that are texts.
func parityTexts(req *recorded.Request, names ...string) (map[string]string, error) {
	texts := make(map[string]string)
	for _, name := range names {
		text, err := req.Text(name)
		if err != nil {
			return nil, err
		}
		texts[name] = text
	}
	return texts, nil
}

func (s *paritySubject) verifyAccessToken(ctx context.Context, req *recorded.Request) recorded.Outcome {
	texts, err := parityTexts(req, "access_token", "request_url")
	if err != nil {
		return recorded.Failed(err)
	}
	header, err := parityHeader(req, "request_headers")
	if err != nil {
		return recorded.Failed(err)
	}
	var required []string
	if err := req.Read("required_claims", &required); err != nil && !req.Null("required_claims") {
		return recorded.Failed(err)
	}
	token, err := s.verifier.VerifyAccessToken(ctx, texts["access_token"],
		verifier.WithRequest(texts["request_url"], header), verifier.WithRequiredClaims(required...))
	if err != nil {
		return parityFailure(err, false)
	}
	return recorded.Outcome{Value: token.Claims()}
}

func (s *paritySubject) verifyRequest(ctx context.Context, req *recorded.Request) recorded.Outcome {
	texts, err := parityTexts(req, "http_method", "http_url")
	if err != nil {
		return recorded.Failed(err)
	}
	header, err := parityHeader(req, "headers")
	if err != nil {
		return recorded.Failed(err)
	}
	var list [][2]string
	if err := req.Read("headers_list", &list); err != nil {
		return recorded.Failed(err)
	}
	for _, pair := range list {
		header[pair[0]] = append(header[pair[0]], pair[1])
	}
	host := ""
	for name, values := range header {
		if strings.EqualFold(name, "host") {
			host = values[0]
		}
	}
	token, err := s.verifier.VerifyRequest(ctx, verifier.Request{Method: texts["http_method"], URL: texts["http_url"], Header: header, Host: host})
	if err != nil {
		return parityFailure(err, true)
	}
	return recorded.Outcome{Value: token.Claims()}
}

// parityHeader returns fields with their names as they were spelt.
func parityHeader(req *recorded.Request, argument string) (http.Header, error) {
	fields, err := req.Fields(argument)
	header := make(http.Header)
	for _, field := range fields {
		header[field[0]] = append(header[field[0]], field[1])
	}
	return header, err
}

func (s *paritySubject) verifyProof(ctx context.Context, req *recorded.Request) recorded.Outcome {
	texts, err := parityTexts(req, "proof", "access_token", "http_method", "http_url")
	if err != nil {
		return recorded.Failed(err)
	}
	proof, err := s.verifier.VerifyDPoPProof(ctx, verifier.ProofRequest{
		Proof: texts["proof"], AccessToken: texts["access_token"], Method: texts["http_method"], URL: texts["http_url"],
	})
	if err != nil {
		return parityFailure(err, false)
	}
	// The original returns all claims of the proof. A Proof has four of them.
	parsed, err := jws.Parse(texts["proof"], nil, nil)
	if err != nil {
		return recorded.Failed(err)
	}
	claims := strictjson.Map(parsed.Members)
	claims["jti"], claims["htm"], claims["htu"] = proof.ID, proof.Method, proof.URL
	if _, isNumber := claims["iat"].(json.Number); !isNumber || proof.IssuedAt.IsZero() {
		claims["iat"] = nil
	}
	return recorded.Outcome{Value: claims}
}

// newClient returns what the original's constructor keeps.
func (s *paritySubject) newClient() recorded.Outcome {
	if s.config.Has("resolver") {
		return recorded.Outcome{Value: map[string]any{"allowed_domains": "resolver"}}
	}
	list, ok := textList(s.config.Value("domains"))
	if !ok {
		return recorded.Outcome{Value: map[string]any{"allowed_domains": nil}}
	}
	domains := make([]any, len(list))
	for i, domain := range list {
		normal, err := issuer.Normalize(domain)
		if err != nil {
			return recorded.Failed(err)
		}
		domains[i] = normal
	}
	return recorded.Outcome{Value: map[string]any{"allowed_domains": domains}}
}

// parityHelper does what the original's helper functions do.
func parityHelper(req *recorded.Request) (any, error) {
	argument := req.Only()
	switch req.Operation {
	case "parse_cache_control":
		fields, err := req.Fields(argument)
		if err != nil {
			return nil, err
		}
		header := make(http.Header)
		for _, field := range fields {
			header.Add(field[0], field[1])
		}
		d := cachecontrol.Parse(header)
		if !d.HasMaxAge {
			return nil, nil
		}
		return json.Number(fmt.Sprint(d.MaxAge)), nil
	case "calculate_jwk_thumbprint":
		members, err := strictjson.Parse(string(req.Members[argument]), nil)
		if err != nil {
			return nil, err
		}
		key, err := keyset.ParseKey(members, nil)
		if err != nil {
			return nil, err
		}
		return key.Thumbprint(), nil
	}
	text, isText := req.Value(argument).(string)
	if !isText {
		return nil, recorded.ErrInexpressible
	}
	switch req.Operation {
	case "normalize_domain":
		return issuer.Normalize(text)
	case "normalize_url_for_htu":
		return htu.Normalize(text)
	case "sha256_base64url":
		return base64URLSHA256(text), nil
	case "get_unverified_payload":
		parsed, err := jws.Parse(text, nil, nil)
		return strictjson.Map(parsed.Members), err
	default:
		return nil, fmt.Errorf("unknown operation %q", req.Operation)
	}
}

// parityFailure returns an error in comparable form, with its challenges where
// it answers a request. Ours begin with the scheme that the request used, the
// original's with Bearer; RFC 9110, Section 11.6.1, leaves the order open.
func parityFailure(err error, request bool) recorded.Outcome {
	var e *verifier.Error
	if !errors.As(err, &e) {
		return recorded.Outcome{Failure: &recorded.Failure{Status: http.StatusTeapot, Description: err.Error()}}
	}
	f := &recorded.Failure{Status: e.Status, Code: string(e.Code), Reason: string(e.Reason), Description: e.Description, RetryAfter: e.RetryAfter > 0}
	if request {
		challenges := e.Challenges()
		slices.Sort(challenges)
		f.Challenges = new(strings.Join(challenges, ", "))
	}
	return recorded.Outcome{Failure: f}
}

func parityDifferences(t testing.TB, own []recorded.Vector) *recorded.Differences {
	t.Helper()
	d, err := recorded.ReadDifferences(filepath.Join("testdata", "parity_differences.json"), parityRules, own)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestParity replays the recorded vectors. What differs must be listed, with
// the outcome, in testdata/parity_differences.json.
func TestParity(t *testing.T) {
	own, further := parityVectors(t)
	differences := parityDifferences(t, own)
	counts := make(map[string]int)
	for _, v := range slices.Concat(own, further) {
		if parityElsewhere(&v) != "" {
			counts["elsewhere"]++
			continue
		}
		t.Run(v.ID, func(t *testing.T) {
			began := time.Now()
			o := recorded.Play(t.Context(), &v, startParity(t, nil))
			problem, onPurpose := differences.Judge(&v, recorded.Compare(&v, &o))
			switch {
			case problem != "":
				t.Errorf("%s\n\tquirk: %s\n\tafter %v", problem, v.Quirk, time.Since(began))
			case onPurpose:
				counts["different on purpose"]++
			default:
				counts["equal"]++
			}
		})
	}
	t.Logf("%d vectors equal, %d different on purpose, %d replayed elsewhere or not expressible", counts["equal"], counts["different on purpose"], counts["elsewhere"])
	if counts["equal"] == 0 {
		t.Error("no vector was replayed")
	}
}
