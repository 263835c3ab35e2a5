package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
)

// IntrospectorHarness says how to test a [verifier.Introspector]. New, Issuer and
// Issue are required. What is left out is skipped and reported so.
type IntrospectorHarness struct {
	// New makes what is tested. It is called for each check.
	New func(env *Env) (verifier.Introspector, error)
	// Issuer is the name of the issuer whose tokens it knows.
	Issuer string
	// Issue makes a good token for a subject.
	Issue func(introspector verifier.Introspector, subject string) (token string, err error)
	// Asked tells how many questions have been sent to any server. Without it, only
	// the answer about a token of another issuer is looked at.
	Asked func(introspector verifier.Introspector) int
	// Break makes the server fail until repair is called.
	Break func(introspector verifier.Introspector) (repair func())
	// Hang makes the server never answer, until release is called.
	Hang func(introspector verifier.Introspector) (release func())
	// Timeout of a call. Default 10 s. A check may take six times as long.
	Timeout time.Duration

	Options
}

// IntrospectorChecks returns the checks of [verifier.Introspector] as data.
func IntrospectorChecks() []Check[IntrospectorHarness] {
	const (
		own     = "The answer is the server's own."
		unknown = "A token that the server does not know is Active == false and no error."
		other   = "It asks the server of IntrospectionRequest.Issuer and no other."
		down    = "A server that cannot be reached, answers with anything but a well-formed answer, or refuses the client is an error, never an inactive token: the Verifier answers with 503."
		done    = "ctx is honoured: when it is done, Introspect returns promptly with an error that matches ctx.Err()."
		bounds  = "The calls in flight are bounded, and the excess fails at once."
		nothing = "Errors contain neither the token nor bytes of the answer."
		owns    = "The caller owns Claims."
		safe    = "Safe for concurrent use."
	)
	checks := []Check[IntrospectorHarness]{
		introspectorCheck("good-token-is-active", own, introspectorActive),
		introspectorCheck("unknown-token-is-inactive", unknown, introspectorUnknown),
		introspectorCheck("tokens-that-look-alike-are-inactive", unknown, introspectorAlike),
		introspectorCheck("hostile-tokens", unknown, introspectorHostile),
		introspectorCheck("token-of-another-issuer-is-not-asked-about", other, introspectorOther),
		introspectorCheck("known-token-is-of-its-issuer-alone", other, introspectorRemembered),
		introspectorCheck("caller-owns-the-claims", owns, introspectorOwns),
		introspectorCheck("concurrent-calls-do-not-mix", safe, introspectorTogether),
		introspectorCheck("callers-at-once-own-the-claims", owns, introspectorOwnTogether),
		introspectorCheck("known-token-with-a-done-context", done, introspectorDone),
	}
	checks = append(checks, group(groupBreak,
		introspectorCheck("failure-is-an-error", down, introspectorDown),
		introspectorCheck("errors-show-no-token", nothing, introspectorErrors))...)
	checks = append(checks, group(groupHang,
		introspectorCheck("errors-of-time-outs-show-no-token", nothing, introspectorHangErrors),
		introspectorCheck("one-cancellation-ends-no-other-call", safe, introspectorApart),
		introspectorCheck("calls-in-flight-are-bounded", bounds, introspectorFlood))...)
	checks = append(checks, introspectorManners(done, own).checks()...)
	checks = basis([]string{"Introspector/good-token-is-active", "Introspector/unknown-token-is-inactive"}, checks)
	return founded(introspectorFoundations(), checks)
}

func introspectorManners(done, again string) manners[IntrospectorHarness, *introspectorCase] {
	return manners[IntrospectorHarness, *introspectorCase]{
		check: introspectorCheck, env: func(c *introspectorCase) *Env { return c.env },
		calls: []mannered[*introspectorCase]{{"Introspect", func(c *introspectorCase, ctx context.Context, n int) error {
			_, err := c.ask(ctx, c.h.Issuer, fmt.Sprint("manners-token-", n))
			return err
		}}},
		works: func(c *introspectorCase, round int) error {
			subject := fmt.Sprint("subject-", round)
			token, err := c.issue(subject)
			if err != nil {
				return err
			}
			_, err = c.active(token, subject)
			return err
		},
		breaks: func(c *introspectorCase) func() func() { return faulty(c.h.Break, c.introspector) },
		hangs:  func(c *introspectorCase) func() func() { return faulty(c.h.Hang, c.introspector) },
		done:   done, again: again, hanging: "hang-ends-with-the-context",
	}
}

// TestIntrospector tests that an introspector keeps the contract of
// [verifier.Introspector], each rule in a subtest.
func TestIntrospector(t *testing.T, h IntrospectorHarness) Report {
	t.Helper()
	return h.suite().test(t)
}

// RunIntrospector is [TestIntrospector] without a test.
func RunIntrospector(ctx context.Context, h IntrospectorHarness) Report { return h.suite().run(ctx) }

func (h IntrospectorHarness) suite() suite[IntrospectorHarness] {
	return suite[IntrospectorHarness]{harness: h, checks: IntrospectorChecks()}
}

func (h IntrospectorHarness) plan() plan { return plan{Options: h.Options, timeout: h.Timeout} }

// introspectorCase is what a check of an introspector works with.
type introspectorCase struct {
	ctx          context.Context
	env          *Env
	h            IntrospectorHarness
	introspector verifier.Introspector
}

func introspectorCheck(name, rule string, run func(c *introspectorCase) error) Check[IntrospectorHarness] {
	return newCheck("Introspector", name, rule, newIntrospectorCase, run)
}

func newIntrospectorCase(env *Env, h IntrospectorHarness) (*introspectorCase, error) {
	if h.Issue == nil || h.Issuer == "" {
		return nil, errors.New("the harness has no Issue or no Issuer")
	}
	introspector, err := opened(env, h.New, "an Introspector")
	if err != nil {
		return nil, err
	}
	return &introspectorCase{env.ctx, env, h, introspector}, nil
}

// unknown is a token that no server has issued.
func (c *introspectorCase) unknown() string { return "unknown-SECRET-token-1234567890" }

func (c *introspectorCase) ask(ctx context.Context, issuer, token string) (verifier.Introspection, error) {
	defer c.env.begin("Introspect")()
	return c.introspector.Introspect(ctx, verifier.IntrospectionRequest{Issuer: issuer, Token: token})
}

func (c *introspectorCase) issue(subject string) (string, error) {
	token, err := c.h.Issue(c.introspector, subject)
	if err != nil || token == "" {
		return "", fmt.Errorf("the harness's Issue = %v; want a token", err)
	}
	return token, nil
}

// active wants the answer about a token to be of a subject.
func (c *introspectorCase) active(token, subject string) (verifier.Introspection, error) {
	answer, err := c.ask(c.ctx, c.h.Issuer, token)
	if err != nil || !answer.Active {
		return answer, fmt.Errorf("Introspect of a good token = Active %v, %v; want true, nil", answer.Active, err)
	}
	return answer, ofSubject(answer.Claims, subject)
}

func ofSubject(text []byte, subject string) error {
	var claims map[string]any
	if err := json.Unmarshal(text, &claims); err != nil || claims["sub"] != subject {
		return fmt.Errorf("Introspect of a token of %q: sub is %v; want an object with that subject", subject, claims["sub"])
	}
	return nil
}

func introspectorActive(c *introspectorCase) error {
	for _, subject := range []string{"subject-1", "subject-2"} {
		token, err := c.issue(subject)
		if err != nil {
			return err
		}
		for range 2 { // perhaps from a cache
			if _, err := c.active(token, subject); err != nil {
				return err
			}
		}
	}
	return nil
}

func introspectorUnknown(c *introspectorCase) error {
	for range 2 {
		if answer, err := c.ask(c.ctx, c.h.Issuer, c.unknown()); err != nil || answer.Active {
			return fmt.Errorf("Introspect of an unknown token = Active %v, %v; want false, nil", answer.Active, err)
		}
	}
	return nil
}

func introspectorOther(c *introspectorCase) error {
	token, err := c.issue("subject-1")
	if err != nil {
		return err
	}
	asked := func() int { return 0 }
	if c.h.Asked != nil {
		asked = func() int { return c.h.Asked(c.introspector) }
	}
	before := asked()
	answer, err := c.ask(c.ctx, "https://another-issuer.example/", token)
	if err == nil && answer.Active || asked() != before {
		return fmt.Errorf("Introspect for another issuer = Active %v after %d questions; want an error, and none", answer.Active, asked()-before)
	}
	return nil
}

func introspectorOwns(c *introspectorCase) error {
	token, err := c.issue("subject-1")
	if err != nil {
		return err
	}
	for range 3 {
		answer, err := c.active(token, "subject-1")
		if err != nil {
			return err
		}
		clear(answer.Claims)
	}
	return nil
}

// introspectorOwnTogether has callers that ask at once, and write into their
// claims.
func introspectorOwnTogether(c *introspectorCase) error {
	const callers = 16
	for round := range 10 {
		subject := fmt.Sprint("subject-", round)
		token, err := c.issue(subject)
		if err != nil {
			return err
		}
		answers := make([]verifier.Introspection, callers)
		err = together(callers, func(i int) (err error) {
			answers[i], err = c.active(token, subject)
			return err
		})
		if err != nil {
			return err
		}
		for i := range answers {
			if err := ofSubject(answers[i].Claims, subject); err != nil {
				return fmt.Errorf("after another caller wrote into its claims: %w", err)
			}
			clear(answers[i].Claims)
		}
	}
	return nil
}

func introspectorTogether(c *introspectorCase) error {
	var tokens [4]string
	for i := range tokens {
		var err error
		if tokens[i], err = c.issue(fmt.Sprint("subject-", i)); err != nil {
			return err
		}
		if _, err := c.active(tokens[i], fmt.Sprint("subject-", i)); err != nil { // and so in a cache, if there is one
			return err
		}
	}
	return together(16, func(i int) error {
		for n := range 25 {
			at := (i + n) % len(tokens)
			if _, err := c.active(tokens[at], fmt.Sprint("subject-", at)); err != nil {
				return err
			}
		}
		return nil
	})
}

// introspectorDone asks with contexts that are done about a token that may be
// remembered.
func introspectorDone(c *introspectorCase) error {
	token, err := c.issue("subject-1")
	if err != nil {
		return err
	}
	for range 2 {
		if _, err := c.active(token, "subject-1"); err != nil {
			return err
		}
	}
	for _, d := range []doneContext{canceled(c.ctx), canceledForACause(c.ctx)} {
		_, err := c.ask(d.ctx, c.h.Issuer, token)
		if err := d.refusal("Introspect of a token that was asked about before", err); err != nil {
			return err
		}
	}
	return nil
}

// broken asks about a token while the server is down.
func (c *introspectorCase) broken(judge func(answer verifier.Introspection, err error) error) error {
	if c.h.Break == nil {
		return skip("the harness has no Break")
	}
	if _, err := c.ask(c.ctx, c.h.Issuer, "first-token"); err != nil { // what is fetched once is there
		return err
	}
	defer c.h.Break(c.introspector)()
	return judge(c.ask(c.ctx, c.h.Issuer, c.unknown()))
}

func introspectorDown(c *introspectorCase) error {
	return c.broken(func(answer verifier.Introspection, err error) error {
		if err == nil {
			return fmt.Errorf("Introspect while the server is down = Active %v, nil; want an error", answer.Active)
		}
		return nil
	})
}

// showsToken wants no token in an error.
func showsToken(token string, err error) error {
	if err != nil && leaks(err, token) {
		return errors.New("the error shows the token or a part of it; want one without")
	}
	return nil
}

func introspectorErrors(c *introspectorCase) error {
	return c.broken(func(_ verifier.Introspection, err error) error { return showsToken(c.unknown(), err) })
}
