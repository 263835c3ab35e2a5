package exchange_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/exchange"
	"github.com/portcullis-go/portcullis/internal/recorded"
	"github.com/portcullis-go/portcullis/verifier"
)

const (
	opProfile    = "get_token_by_exchange_profile"
	opOnBehalfOf = "get_token_on_behalf_of"
	opConnection = "get_access_token_for_connection"
	opVerify     = "verify_access_token"
)

// parityOurs reports whether a vector exchanges tokens; package verifier
// replays the others.
func parityOurs(v *recorded.Vector) bool {
	return slices.Contains([]string{"connection", "exchange", "obo"}, v.Group) || v.Performs(opProfile, opOnBehalfOf, opConnection)
}

// parityVectors returns the vectors that exchange tokens: those of the
// project's own, and the further ones that the environment names.
func parityVectors(t *testing.T) (own, further []recorded.Vector) {
	t.Helper()
	for _, folder := range []string{"testdata", filepath.Join("..", "verifier", "testdata")} {
		list, err := recorded.ReadFile(filepath.Join(folder, "parity.json"))
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range list {
			if parityOurs(&v) && !slices.ContainsFunc(own, func(o recorded.Vector) bool { return o.ID == v.ID }) {
				own = append(own, v)
			}
		}
	}
	if folder := os.Getenv("PORTCULLIS_VECTORS"); folder != "" {
		list, err := recorded.ReadFolder(folder)
		if err != nil {
			t.Fatal(err)
		}
		further = slices.DeleteFunc(list, func(v recorded.Vector) bool { return !parityOurs(&v) })
	}
	return own, further
}

// paritySubject is a client, and the verifier whose metadata it may share.
type paritySubject struct {
	verifier *verifier.Verifier
	client   *exchange.Client
}

// startParity returns a way to make the subject, whose metadata comes from the
// verifier or from a store of the client's own. doer, which may be nil, stands
// between them and the network.
func startParity(shared bool, doer func(verifier.Doer) verifier.Doer) recorded.Start {
	return func(w *recorded.World, v *recorded.Vector) (recorded.Subject, error) {
		c := v.Config
		if err := c.Known("audience", "domain", "domains", "client_id", "client_secret", "timeout", "cache_ttl_seconds"); err != nil {
			return nil, err
		}
		var text texts
		read := func(name string) string { return text.of(c.Value(name)) }
		domain, audience, id, secret := read("domain"), read("audience"), read("client_id"), read("client_secret")
		var timeout, ttl json.Number
		if err := errors.Join(text.err, c.Read("timeout", &timeout), c.Read("cache_ttl_seconds", &ttl)); err != nil {
			return nil, recorded.ErrInexpressible
		}
		network := verifier.Doer(w)
		if doer != nil {
			network = doer(network)
		}
		s := &paritySubject{}
		var err error
		s.verifier, err = verifier.New(verifier.Config{
			Domain: domain, Audience: audience, Doer: network, Clock: w, CacheTTL: recorded.Seconds(ttl),
			Refresh: verifier.RefreshConfig{Floor: -1, Jitter: -1, Ahead: -1, StaleIfError: -1},
		})
		if err != nil {
			return nil, err
		}
		cfg := exchange.Config{
			Domain: domain, ClientID: id, Auth: exchange.ClientSecretBasic(secret),
			Doer: network, Clock: w, Timeout: recorded.Seconds(timeout),
		}
		if shared {
			cfg.Metadata = s.verifier
		}
		if s.client, err = exchange.New(cfg); err != nil {
			_ = s.verifier.Close()
			return nil, err
		}
		return s, nil
	}
}

func (s *paritySubject) Close() {
	_ = s.client.Close()
	_ = s.verifier.Close()
}

// texts converts arguments; absent and null ones are "".
type texts struct{ err error }

func (t *texts) of(value any) string {
	switch value := value.(type) {
	case nil:
		return ""
	case string:
		return value
	default:
		t.err = recorded.ErrInexpressible
		return ""
	}
}

// extra converts parameters to the texts that a Go program would give: numbers
// as they are written, and true, false and null by their JSON names.
func (t *texts) extra(given any) url.Values {
	values := make(url.Values)
	parameters, ok := given.(map[string]any)
	if !ok && given != nil {
		t.err = recorded.ErrInexpressible
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
			t.err = recorded.ErrInexpressible
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

// Do performs an operation in the original's words.
func (s *paritySubject) Do(ctx context.Context, req *recorded.Request) recorded.Outcome {
	value, err := s.do(ctx, req)
	if err != nil {
		return parityFailure(err)
	}
	return recorded.Outcome{Value: value}
}

func (s *paritySubject) do(ctx context.Context, req *recorded.Request) (any, error) {
	var text texts
	arg := func(name string) string { return text.of(req.Value(name)) }
	switch req.Operation {
	case opVerify:
		token := arg("access_token")
		got, err := s.verifier.VerifyAccessToken(ctx, token)
		if err != nil {
			return nil, err
		}
		return got.Claims(), nil
	case opProfile:
		request := exchange.ProfileRequest{
			SubjectToken: arg("subject_token"), SubjectTokenType: arg("subject_token_type"), Audience: arg("audience"),
			Scope: arg("scope"), RequestedTokenType: arg("requested_token_type"), Extra: text.extra(req.Value("extra")),
		}
		if text.err != nil {
			return nil, text.err
		}
		got, err := s.client.ExchangeProfile(ctx, request)
		if err != nil {
			return nil, err
		}
		result := resultOf(&got.Token)
		for member, value := range map[string]string{"id_token": got.IDToken, "refresh_token": got.RefreshToken} {
			if got.Stated(member) {
				result[member] = value
			}
		}
		return result, nil
	case opOnBehalfOf:
		request := exchange.OnBehalfOfRequest{AccessToken: arg("access_token"), Audience: arg("audience"), Scope: arg("scope")}
		if text.err != nil {
			return nil, text.err
		}
		got, err := s.client.OnBehalfOf(ctx, request)
		if err != nil {
			return nil, err
		}
		return resultOf(got), nil
	case opConnection:
		request := exchange.ConnectionRequest{Connection: arg("connection"), AccessToken: arg("access_token"), LoginHint: arg("login_hint")}
		if text.err != nil {
			return nil, text.err
		}
		got, err := s.client.ConnectionToken(ctx, request)
		if err != nil {
			return nil, err
		}
		all := resultOf(got)
		return map[string]any{"access_token": all["access_token"], "expires_at": all["expires_at"], "scope": got.Scope}, nil
	default:
		return nil, errors.New("unknown operation " + req.Operation)
	}
}

// parityFailure returns an error in comparable form.
func parityFailure(err error) recorded.Outcome {
	var e *exchange.Error
	var refused *verifier.Error
	switch {
	case errors.As(err, &e):
		return recorded.Outcome{Failure: &recorded.Failure{Status: e.Status, Code: e.Code, Description: e.Description}}
	case errors.As(err, &refused):
		return recorded.Outcome{Failure: &recorded.Failure{Status: refused.Status, Code: string(refused.Code), Reason: string(refused.Reason)}}
	default:
		return recorded.Failed(err)
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

// anonymous reports whether the metadata of a vector names no issuer, as those
// of the original's own tests do, and returns the vector with the issuer in
// its place.
func anonymous(v *recorded.Vector) (named *recorded.Vector, ok bool) {
	named = new(recorded.Vector)
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
// metadata (OpenID Connect Discovery 1.0, Section 4.3), and returns what is wrong.
func replayAnonymous(ctx context.Context, v *recorded.Vector, start recorded.Start) (problem string) {
	var failed error
	o := recorded.Play(ctx, v, func(w *recorded.World, v *recorded.Vector) (recorded.Subject, error) {
		subject, err := start(w, v)
		if err != nil {
			return nil, err
		}
		return &failureOf{subject.(*paritySubject), &failed}, nil
	})
	if o.Construction != nil {
		return ""
	}
	// A time-out of a millisecond may strike first.
	allowed := []error{exchange.ErrMetadata, exchange.ErrArgument, exchange.ErrTimeout, recorded.ErrInexpressible}
	if failed == nil || !slices.ContainsFunc(allowed, func(err error) bool { return errors.Is(failed, err) }) {
		return "metadata without issuer is not refused as such"
	}
	for _, step := range o.Steps {
		for _, call := range step.Calls {
			if call.Method == http.MethodPost {
				return "metadata without issuer: a secret was sent to " + call.URL
			}
		}
	}
	return ""
}

// failureOf keeps the error of the last operation.
type failureOf struct {
	*paritySubject
	err *error
}

func (f *failureOf) Do(ctx context.Context, req *recorded.Request) recorded.Outcome {
	_, *f.err = f.do(ctx, req)
	return recorded.Outcome{}
}

func parityDifferences(t *testing.T, own []recorded.Vector) *recorded.Differences {
	t.Helper()
	d, err := recorded.ReadDifferences(filepath.Join("testdata", "parity_differences.json"), parityRules, own)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestParity replays the recorded vectors that exchange tokens, with metadata
// from a Verifier and from a store of the client's own. What differs must be
// listed, with the outcome, in testdata/parity_differences.json.
func TestParity(t *testing.T) {
	own, further := parityVectors(t)
	differences := parityDifferences(t, own)
	counts := make(map[string]int)
	for _, v := range slices.Concat(own, further) {
		t.Run(v.ID, func(t *testing.T) {
			named, unnamed := anonymous(&v)
			for _, shared := range []bool{true, false} {
				if v.Steps != nil && !shared {
					continue // what is shared is the point
				}
				if unnamed && v.Request != nil {
					if problem := replayAnonymous(t.Context(), &v, startParity(shared, nil)); problem != "" {
						t.Error(problem)
					}
				}
				o := recorded.Play(t.Context(), named, startParity(shared, nil))
				problem, onPurpose := differences.Judge(named, recorded.Compare(named, &o))
				switch {
				case problem != "":
					t.Errorf("%s\n\tquirk: %s", problem, v.Quirk)
				case onPurpose:
					counts["different on purpose"]++
				case unnamed:
					counts["equal once the metadata names its issuer"]++
				default:
					counts["equal"]++
				}
			}
		})
	}
	t.Logf("%d vectors, with metadata from a Verifier and from a store of the client's own: %v", len(own)+len(further), counts)
	if counts["equal"] == 0 {
		t.Error("no vector was replayed")
	}
}
