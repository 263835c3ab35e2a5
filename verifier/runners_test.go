package verifier_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/internal/recorded"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/reason"
)

// runnerFault is a fault of the product, put into what came out of it. The
// runners that it is given for must each notice it.
type runnerFault struct {
	name   string
	parity func(v *recorded.Vector, o *recorded.Observation)
	attack func(c *attackCase, p *attackPlayed)
}

// failures changes every failure of an observation, into nil for a success.
func failures(change func(f *recorded.Failure) *recorded.Failure) func(*recorded.Vector, *recorded.Observation) {
	return func(_ *recorded.Vector, o *recorded.Observation) {
		for i := range o.Steps {
			for j, outcome := range o.Steps[i].Outcomes {
				if outcome.Failure != nil && outcome.Failure.Status != 0 {
					failure := *outcome.Failure
					o.Steps[i].Outcomes[j].Failure = change(&failure)
				}
			}
		}
	}
}

// values changes every value of an observation.
func values(change func(value any) any) func(*recorded.Vector, *recorded.Observation) {
	return func(_ *recorded.Vector, o *recorded.Observation) {
		for i := range o.Steps {
			for j, outcome := range o.Steps[i].Outcomes {
				if outcome.Failure == nil {
					o.Steps[i].Outcomes[j].Value = change(outcome.Value)
				}
			}
		}
	}
}

// answers changes every answer to an attack.
func answers(change func(a *attackAnswer)) func(*attackCase, *attackPlayed) {
	return func(_ *attackCase, p *attackPlayed) {
		for i := range p.answers {
			change(&p.answers[i])
		}
	}
}

// status turns failures of one status into another one, in both runners.
func status(name string, from, to int) runnerFault {
	return runnerFault{
		name: name,
		parity: failures(func(f *recorded.Failure) *recorded.Failure {
			if f.Status == from {
				f.Status = to
			}
			return f
		}),
		attack: answers(func(a *attackAnswer) {
			if a.status == from {
				a.status = to
			}
		}),
	}
}

// unchecked accepts what is refused for a reason, in both runners.
func unchecked(r reason.Reason) runnerFault {
	return runnerFault{
		name: "not checked: " + string(r),
		parity: failures(func(f *recorded.Failure) *recorded.Failure {
			if f.Reason == string(r) {
				return nil
			}
			return f
		}),
		attack: answers(func(a *attackAnswer) {
			if a.reason == string(r) {
				*a = attackAnswer{status: http.StatusOK}
			}
		}),
	}
}

// eachStep changes what was seen in every step.
func eachStep(change func(i int, s *recorded.Observed)) func(*recorded.Vector, *recorded.Observation) {
	return func(_ *recorded.Vector, o *recorded.Observation) {
		for i := range o.Steps {
			change(i, &o.Steps[i])
		}
	}
}

var runnerFaults = []runnerFault{
	status("outages answer 418", 503, http.StatusTeapot),
	status("outages answer 500", 503, 500),
	status("outages are bad tokens", 503, 401),
	status("bad tokens are outages", 401, 503),
	status("bad tokens are forbidden", 401, 403),
	status("malformed requests are outages", 400, 503),
	status("malformed requests are errors of the server", 400, 500),
	{"mistakes of the program are blamed on the client", failures(func(f *recorded.Failure) *recorded.Failure {
		if f.Status == 500 {
			f.Status, f.Code = 400, "invalid_request"
		}
		return f
	}), nil},
	{"everything is accepted", failures(func(*recorded.Failure) *recorded.Failure { return nil }), answers(func(a *attackAnswer) { *a = attackAnswer{status: 200} })},
	{"everything is refused",
		func(_ *recorded.Vector, o *recorded.Observation) {
			for i := range o.Steps {
				for j := range o.Steps[i].Outcomes {
					o.Steps[i].Outcomes[j] = recorded.Outcome{Failure: &recorded.Failure{Status: 401, Code: "invalid_token"}}
				}
			}
		},
		answers(func(a *attackAnswer) {
			*a = attackAnswer{status: 401, challenges: []string{`Bearer error="invalid_token"`}}
		})},
	{"no error code", failures(func(f *recorded.Failure) *recorded.Failure { f.Code = ""; return f }), answers(func(a *attackAnswer) {
		for i, challenge := range a.challenges {
			a.challenges[i] = strings.ReplaceAll(challenge, `error="`, `x="`)
		}
	})},
	{"every error is invalid_request", failures(func(f *recorded.Failure) *recorded.Failure { f.Code = "invalid_request"; return f }), answers(func(a *attackAnswer) {
		for i, challenge := range a.challenges {
			a.challenges[i] = strings.ReplaceAll(challenge, `error="invalid_token"`, `error="invalid_request"`)
		}
	})},
	{"no challenges", failures(func(f *recorded.Failure) *recorded.Failure {
		if f.Challenges != nil {
			f.Challenges = new("")
		}
		return f
	}), answers(func(a *attackAnswer) { a.challenges = nil })},
	{"one challenge of two", failures(func(f *recorded.Failure) *recorded.Failure {
		if f.Challenges != nil {
			one, _, _ := strings.Cut(*f.Challenges, ", DPoP")
			f.Challenges = &one
		}
		return f
	}), nil},
	{"an attacker's bytes in the challenge", nil, answers(func(a *attackAnswer) {
		if len(a.challenges) > 0 {
			a.challenges[0] += "\x01"
		}
	})},
	{"no Retry-After", failures(func(f *recorded.Failure) *recorded.Failure { f.RetryAfter = false; return f }), answers(func(a *attackAnswer) { a.retryAfter = false })},
	{"a kid that was not looked for is unknown", nil, answers(func(a *attackAnswer) {
		if a.status == 503 && a.reason == string(reason.Keys) {
			*a = attackAnswer{status: 401, reason: string(reason.KeyUnknown), challenges: []string{`Bearer error="invalid_token"`}}
		}
	})},
	{"no nonce with the demand for one", nil, answers(func(a *attackAnswer) { a.nonce = "" })},
	{"no answer", nil, func(_ *attackCase, p *attackPlayed) { p.silent = io.EOF }},
	{"New refuses everything", func(_ *recorded.Vector, o *recorded.Observation) {
		*o = recorded.Observation{Construction: &recorded.Failure{}}
	}, func(_ *attackCase, p *attackPlayed) { *p = attackPlayed{construction: io.EOF} }},
	{"New accepts everything", func(v *recorded.Vector, o *recorded.Observation) {
		if o.Construction != nil {
			*o = recorded.Observation{Steps: make([]recorded.Observed, len(v.Sequence()))}
		}
	}, nil},
	{"claims are lost", values(func(value any) any {
		if object, ok := value.(map[string]any); ok && len(object) > 0 {
			object = maps.Clone(object)
			delete(object, slices.Min(slices.Collect(maps.Keys(object))))
			return object
		}
		return value
	}), nil},
	{"numbers go through float64", values(viaFloat), nil},
	{"null in place of nothing", values(func(value any) any {
		if object, ok := value.(map[string]any); ok {
			object = maps.Clone(object)
			object["scope"] = nil
			return object
		}
		return value
	}), nil},
	{"a call too many", eachStep(func(_ int, s *recorded.Observed) {
		s.Calls = append(slices.Clone(s.Calls), recorded.Call{Method: "GET", URL: "https://evil.example/"})
	}), func(c *attackCase, p *attackPlayed) {
		p.fetched = maps.Clone(p.fetched)
		for _, address := range c.MustNot {
			p.fetched[address]++
		}
	}},
	{"nothing is fetched", eachStep(func(_ int, s *recorded.Observed) { s.Calls = nil }), nil},
	{"nothing is cached", func(_ *recorded.Vector, o *recorded.Observation) {
		for i := range o.Steps {
			o.Steps[i].Calls = o.Steps[0].Calls
		}
	}, func(_ *attackCase, p *attackPlayed) {
		p.fetched = maps.Clone(p.fetched)
		for address := range p.fetched {
			p.fetched[address] += 1000
		}
	}},
	{"everything is cached for ever", eachStep(func(i int, s *recorded.Observed) {
		if i > 0 {
			s.Calls = nil
		}
	}), nil},
	{"the resolver is asked twice", eachStep(func(_ int, s *recorded.Observed) { s.Asked = slices.Repeat(s.Asked, 2) }), nil},
	{"the resolver is not asked", eachStep(func(_ int, s *recorded.Observed) { s.Asked = nil }), nil},
	{"the resolver is told another issuer", eachStep(func(_ int, s *recorded.Observed) {
		for j := range s.Asked {
			s.Asked[j].Issuer = "https://another.example/"
		}
	}), nil},
	{"the resolver is told no URL", eachStep(func(_ int, s *recorded.Observed) {
		for j := range s.Asked {
			s.Asked[j].URL = nil
		}
	}), nil},
	{"the resolver is told credentials", eachStep(func(_ int, s *recorded.Observed) {
		for j := range s.Asked {
			s.Asked[j].Headers = map[string]string{"Authorization": "Bearer x"}
		}
	}), nil},
	{"an answer takes a minute", nil, func(_ *attackCase, p *attackPlayed) { p.most.time = time.Minute }},
	{"an answer takes a gigabyte", nil, func(_ *attackCase, p *attackPlayed) { p.most.bytes = 1 << 30 }},
}

// viaFloat is what a decoder without UseNumber makes of numbers.
func viaFloat(value any) any {
	data, err := json.Marshal(value)
	if err != nil {
		return value
	}
	var decoded any
	if json.Unmarshal(data, &decoded) != nil {
		return value
	}
	if data, err = json.Marshal(decoded); err != nil {
		return value
	}
	return recorded.Members{"value": data}.Value("value")
}

// configFaults are faults of the product that its configuration can have. The
// vectors are played anew with each, until one does not come out as it should.
var configFaults = []struct {
	name   string
	change func(cfg *verifier.Config)
}{
	{"the gate of the resolver is open", func(cfg *verifier.Config) {
		if r, ok := cfg.Domains.(*parityResolver); ok {
			cfg.Domains = verifier.DomainResolverFunc(func(ctx context.Context, req verifier.ResolveRequest) ([]string, error) {
				_, _ = r.ResolveDomains(ctx, req)
				return []string{req.UnverifiedIssuer}, nil
			})
		}
	}},
	{"the resolver allows nobody", func(cfg *verifier.Config) {
		if cfg.Domains != nil {
			cfg.Domains = staticDomains{"nobody.example"}
		}
	}},
	{"another audience", func(cfg *verifier.Config) { cfg.Audience, cfg.Audiences = "https://another.example/", nil }},
	{"DPoP is off", func(cfg *verifier.Config) { cfg.DPoP.Mode = verifier.DPoPDisabled }},
	{"DPoP is required", func(cfg *verifier.Config) { cfg.DPoP.Mode = verifier.DPoPRequired }},
	{"DPoP is not required", func(cfg *verifier.Config) { cfg.DPoP.Mode = verifier.DPoPAllowed }},
	{"the clock is an hour ahead", func(cfg *verifier.Config) { cfg.Clock = shifted(cfg.Clock, time.Hour) }},
	{"the clock is an hour behind", func(cfg *verifier.Config) { cfg.Clock = shifted(cfg.Clock, -time.Hour) }},
	{"the clock is a second ahead", func(cfg *verifier.Config) { cfg.Clock = shifted(cfg.Clock, time.Second) }},
	{"the clock is a second behind", func(cfg *verifier.Config) { cfg.Clock = shifted(cfg.Clock, -time.Second) }},
	{"tokens have a leeway of a minute", func(cfg *verifier.Config) { cfg.Leeway = time.Minute }},
	{"proofs are good for a day", func(cfg *verifier.Config) { cfg.DPoP.MaxAge = 24 * time.Hour }},
	{"proofs of the future are good", func(cfg *verifier.Config) { cfg.DPoP.FutureSkew = 2 * time.Hour }},
	{"documents are fresh for an hour longer", func(cfg *verifier.Config) {
		cfg.Refresh.Floor = time.Hour
	}},
	{"every algorithm is allowed", func(cfg *verifier.Config) {
		cfg.Algorithms = []string{"RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"}
	}},
	{"every algorithm of proofs is allowed", func(cfg *verifier.Config) {
		cfg.DPoP.Algorithms = []string{"ES256", "ES384", "RS256", "PS256", "EdDSA"}
	}},
	{"statuses are not the configured ones", func(cfg *verifier.Config) { cfg.Auth0Statuses = false }},
	{"an outage is served from what was held", func(cfg *verifier.Config) { cfg.Refresh.StaleIfError = time.Hour }},
	{"documents are cut", func(cfg *verifier.Config) {
		cfg.Doer = rewriting(cfg.Doer, func(b []byte) []byte { return b[:len(b)/2] })
	}},
	{"names are compared without case", func(cfg *verifier.Config) { cfg.Doer = rewriting(cfg.Doer, bytes.ToLower) }},
	{"header fields of answers are lost", func(cfg *verifier.Config) {
		doer := cfg.Doer
		cfg.Doer = verifier.DoerFunc(func(req *http.Request) (*http.Response, error) {
			resp, err := doer.Do(req)
			if resp != nil {
				resp.Header = http.Header{}
			}
			return resp, err
		})
	}},
}

func shifted(clock verifier.Clock, by time.Duration) verifier.Clock {
	return verifier.ClockFunc(func() time.Time { return clock.Now().Add(by) })
}

// rewriting changes the bodies of answers.
func rewriting(doer verifier.Doer, change func([]byte) []byte) verifier.Doer {
	return verifier.DoerFunc(func(req *http.Request) (*http.Response, error) {
		resp, err := doer.Do(req)
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return nil, err
		}
		body = change(body)
		resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		return resp, nil
	})
}

// clone copies an observation as deep as faults change it.
func clone(o recorded.Observation) recorded.Observation {
	o.Steps = slices.Clone(o.Steps)
	for i := range o.Steps {
		o.Steps[i].Outcomes = slices.Clone(o.Steps[i].Outcomes)
		o.Steps[i].Asked = slices.Clone(o.Steps[i].Asked)
	}
	return o
}

// TestManyFaultsAreNoticed puts faults into what comes out of the product, one
// at a time, and demands that each runner that can see it goes red.
func TestManyFaultsAreNoticed(t *testing.T) {
	own, err := recorded.ReadFile("testdata/parity.json")
	if err != nil {
		t.Fatal(err)
	}
	own = slices.DeleteFunc(own, func(v recorded.Vector) bool { return parityElsewhere(&v) != "" })
	differences := parityDifferences(t, own)
	played := make([]recorded.Observation, len(own))
	for i, v := range own {
		played[i] = recorded.Play(t.Context(), &v, startParity(t, nil))
	}
	server := newAttackServer(t)
	t.Setenv("PORTCULLIS_VECTORS", "")
	attacks := readAttacks(t)
	playedAttacks := make([]attackPlayed, len(attacks))
	for i := range attacks {
		playedAttacks[i] = playAttack(t, server, &attacks[i])
	}

	parityNotices := func(fault func(*recorded.Vector, *recorded.Observation)) bool {
		for i := range own {
			o := clone(played[i])
			if fault != nil {
				fault(&own[i], &o)
			}
			if problem, _ := differences.Judge(&own[i], recorded.Compare(&own[i], &o)); problem != "" {
				return true
			}
		}
		return false
	}
	attackNotices := func(fault func(*attackCase, *attackPlayed)) bool {
		for i := range attacks {
			p := playedAttacks[i]
			p.answers = slices.Clone(p.answers)
			for j := range p.answers {
				p.answers[j].challenges = slices.Clone(p.answers[j].challenges)
			}
			if fault != nil {
				fault(&attacks[i], &p)
			}
			if judgeAttack(&attacks[i], &p).problem != "" {
				return true
			}
		}
		return false
	}
	if parityNotices(nil) || attackNotices(nil) {
		t.Fatal("a runner is red without a fault")
	}

	faults, noticed := 0, 0
	count := func(name string, ok bool) {
		faults++
		if ok {
			noticed++
		} else {
			t.Errorf("%s: not noticed", name)
		}
	}
	for _, fault := range runnerFaults {
		if fault.parity != nil {
			count("recorded vectors, "+fault.name, parityNotices(fault.parity))
		}
		if fault.attack != nil {
			count("attacks, "+fault.name, attackNotices(fault.attack))
		}
	}
	for _, fault := range configFaults {
		count("recorded vectors, "+fault.name, slices.ContainsFunc(own, func(v recorded.Vector) bool {
			o := recorded.Play(t.Context(), &v, startParity(t, fault.change))
			problem, _ := differences.Judge(&v, recorded.Compare(&v, &o))
			return problem != ""
		}))
	}
	seen := reasonsSeen(played, playedAttacks)
	for _, info := range reason.Catalogue() {
		if fault := unchecked(info.Reason); seen[string(info.Reason)] {
			count(fault.name, parityNotices(fault.parity) || attackNotices(fault.attack))
		}
	}
	for _, r := range []reason.Reason{reason.NotYetValid, reason.Expired, reason.Audience, reason.Signature, reason.IssuerNotAllowed, reason.ProofReplayed, reason.Confirmation} {
		if !seen[string(r)] {
			t.Errorf("no vector is refused for %q", r)
		}
	}
	t.Logf("%d faults, %d noticed", faults, noticed)
}

// reasonsSeen returns the reasons for which something was refused.
func reasonsSeen(played []recorded.Observation, attacks []attackPlayed) map[string]bool {
	seen := make(map[string]bool)
	for _, o := range played {
		for _, step := range o.Steps {
			for _, outcome := range step.Outcomes {
				if outcome.Failure != nil {
					seen[outcome.Failure.Reason] = true
				}
			}
		}
	}
	for _, p := range attacks {
		for _, answer := range p.answers {
			seen[answer.reason] = true
		}
	}
	return seen
}

// TestStepsOfAttacksStayApart: what one step serves, the next one does not.
func TestStepsOfAttacksStayApart(t *testing.T) {
	const address = "https://tenant.example.com/.well-known/jwks.json"
	c := &attackCase{Now: "1.5", JWKS: json.RawMessage(`{"keys" : [ 1.50 ]}`)}
	w := newAttackWorld(t, c)
	get := func() string {
		req, err := http.NewRequest(http.MethodGet, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := w.Do(req)
		if err != nil {
			return err.Error()
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	for i, step := range []struct {
		responses map[string]attackResponse
		want      string
	}{
		{nil, `{"keys" : [ 1.50 ]}`},
		{map[string]attackResponse{address: {Body: json.RawMessage(`"other"`)}}, "other"},
		{nil, `{"keys" : [ 1.50 ]}`},
		{map[string]attackResponse{address: {Connection: true}}, "connection refused"},
		{nil, `{"keys" : [ 1.50 ]}`},
	} {
		w.begin("", attackResponses(t, nil, nil, step.responses))
		if got := get(); got != step.want {
			t.Errorf("step %d serves %q; want %q", i, got, step.want)
		}
	}
	if got := w.Now(); !got.Equal(time.Unix(1, 5e8)) {
		t.Errorf("the clock shows %v; want 1.5 s", got)
	}
}
