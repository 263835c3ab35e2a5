package conformance

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
)

// RevocationCheckerHarness says how to test a [verifier.RevocationChecker]. New and
// Revoke are required. What is left out is skipped and reported so.
type RevocationCheckerHarness struct {
	// New makes what is tested. It is called for each check.
	New func(env *Env) (verifier.RevocationChecker, error)
	// Revoke makes a token revoked.
	Revoke func(checker verifier.RevocationChecker, token verifier.RevocationRequest) error
	// Token makes a good token, which differs from those of other names in all of its
	// identifiers. Default: one without Token, issued now for an hour, of
	// "https://issuer.example/".
	Token func(env *Env, name string) (verifier.RevocationRequest, error)
	// Break makes what a checker relies on fail until repair is called.
	Break func(checker verifier.RevocationChecker) (repair func())
	// Hang makes what a checker relies on never answer, until release is called.
	Hang func(checker verifier.RevocationChecker) (release func())
	// Timeout of a call. Default 10 s. A check may take six times as long.
	Timeout time.Duration

	Options
}

// RevocationCheckerChecks returns the checks of [verifier.RevocationChecker] as
// data.
func RevocationCheckerChecks() []Check[RevocationCheckerHarness] {
	const (
		refuses   = "revoked == true refuses the token with 401."
		undecided = `An error means "could not decide": 503, unless RevocationConfig.AllowFailure.`
		done      = "ctx is honoured as everywhere; the Verifier also bounds each call."
		asked     = "It is asked after every other check of the token and before the proof is recorded, for every request: a remembered token is asked about again."
		nothing   = "Errors contain nothing of the token."
		safe      = "Safe for concurrent use."
	)
	checks := []Check[RevocationCheckerHarness]{
		checkerCheck("good-token-is-not-revoked", refuses, checkerGood),
		checkerCheck("revoked-token-is-revoked", refuses, checkerRevoked),
		checkerCheck("another-token-is-not-revoked", refuses, checkerOther),
		checkerCheck("tokens-that-look-alike-are-not-revoked", refuses, checkerAlike),
		checkerCheck("every-revoked-token-is-revoked", refuses, checkerMany),
		checkerCheck("revoked-token-stays-revoked", refuses, checkerStays),
		checkerCheck("token-that-was-good-is-revoked", asked, checkerTurns),
		checkerCheck("tokens-without-identifiers", undecided, checkerBare),
		checkerCheck("hostile-identifiers", undecided, checkerHostile),
		checkerCheck("concurrent-calls-do-not-mix", safe, checkerTogether),
	}
	checks = append(checks, group(groupBreak,
		checkerCheck("failure-is-an-error", undecided, checkerDown),
		checkerCheck("errors-show-nothing", nothing, checkerErrors))...)
	checks = append(checks, group(groupHang, checkerCheck("errors-of-time-outs-show-nothing", nothing, checkerHangErrors))...)
	checks = append(checks, checkerManners(done, undecided).checks()...)
	checks = basis([]string{"RevocationChecker/good-token-is-not-revoked", "RevocationChecker/revoked-token-is-revoked"}, checks)
	return founded(checkerFoundations(), checks)
}

func checkerManners(done, again string) manners[RevocationCheckerHarness, *checkerCase] {
	return manners[RevocationCheckerHarness, *checkerCase]{
		check: checkerCheck, env: func(c *checkerCase) *Env { return c.env },
		calls: []mannered[*checkerCase]{{"Revoked", func(c *checkerCase, ctx context.Context, n int) error {
			token, err := c.token(fmt.Sprint("fresh", n))
			if err != nil {
				return err
			}
			_, err = c.ask(ctx, token)
			return err
		}}},
		works: func(c *checkerCase, round int) error {
			if round == 0 {
				if err := c.revoke("bad"); err != nil {
					return err
				}
			}
			if err := c.is("bad", true); err != nil {
				return err
			}
			return c.is("good", false)
		},
		breaks: func(c *checkerCase) func() func() { return faulty(c.h.Break, c.checker) },
		hangs:  func(c *checkerCase) func() func() { return faulty(c.h.Hang, c.checker) },
		done:   done, again: again, hanging: "hang-ends-with-the-context",
	}
}

// TestRevocationChecker tests that a checker keeps the contract of
// [verifier.RevocationChecker], each rule in a subtest.
func TestRevocationChecker(t *testing.T, h RevocationCheckerHarness) Report {
	t.Helper()
	return h.suite().test(t)
}

// RunRevocationChecker is [TestRevocationChecker] without a test.
func RunRevocationChecker(ctx context.Context, h RevocationCheckerHarness) Report {
	return h.suite().run(ctx)
}

func (h RevocationCheckerHarness) suite() suite[RevocationCheckerHarness] {
	return suite[RevocationCheckerHarness]{harness: h, checks: RevocationCheckerChecks()}
}

func (h RevocationCheckerHarness) plan() plan { return plan{Options: h.Options, timeout: h.Timeout} }

// checkerCase is what a check of a checker works with.
type checkerCase struct {
	ctx     context.Context
	env     *Env
	h       RevocationCheckerHarness
	checker verifier.RevocationChecker
}

func checkerCheck(name, rule string, run func(c *checkerCase) error) Check[RevocationCheckerHarness] {
	return newCheck("RevocationChecker", name, rule, newCheckerCase, run)
}

func newCheckerCase(env *Env, h RevocationCheckerHarness) (*checkerCase, error) {
	if h.Revoke == nil {
		return nil, errors.New("the harness has no Revoke")
	}
	checker, err := opened(env, h.New, "a RevocationChecker")
	if err != nil {
		return nil, err
	}
	return &checkerCase{env.ctx, env, h, checker}, nil
}

func (c *checkerCase) token(name string) (verifier.RevocationRequest, error) {
	name = c.env.key(name)
	if c.h.Token != nil {
		return c.h.Token(c.env, name)
	}
	now := time.Now().Truncate(time.Second)
	return verifier.RevocationRequest{
		Issuer: "https://issuer.example/", ID: "id-" + name, Subject: "subject-" + name, SessionID: "session-" + name,
		IssuedAt: now, ExpiresAt: now.Add(time.Hour),
	}, nil
}

func (c *checkerCase) ask(ctx context.Context, token verifier.RevocationRequest) (bool, error) {
	defer c.env.begin("Revoked")()
	return c.checker.Revoked(ctx, token)
}

// is wants a token to be revoked or not.
func (c *checkerCase) is(name string, want bool) error {
	token, err := c.token(name)
	if err != nil {
		return err
	}
	if got, err := c.ask(c.ctx, token); err != nil || got != want {
		return fmt.Errorf("Revoked of token %q = %v, %v; want %v, nil", name, got, err, want)
	}
	return nil
}

func (c *checkerCase) revoke(name string) error {
	token, err := c.token(name)
	if err == nil {
		err = c.h.Revoke(c.checker, token)
	}
	if err != nil {
		return fmt.Errorf("the harness's Revoke = %w; want nil", err)
	}
	return nil
}

func checkerGood(c *checkerCase) error { return c.is("good", false) }

func checkerRevoked(c *checkerCase) error {
	if err := c.revoke("bad"); err != nil {
		return err
	}
	return c.is("bad", true)
}

func checkerOther(c *checkerCase) error {
	if err := c.revoke("bad"); err != nil {
		return err
	}
	return c.is("other", false)
}

func checkerTogether(c *checkerCase) error {
	if err := c.revoke("bad"); err != nil {
		return err
	}
	return together(32, func(i int) error {
		for range 50 {
			if err := c.is([...]string{"bad", "good"}[i%2], i%2 == 0); err != nil {
				return err
			}
		}
		return nil
	})
}

// broken asks about a revoked and a good token while what the checker relies on is
// down.
func (c *checkerCase) broken(judge func(token verifier.RevocationRequest, revoked bool, err error) error) error {
	if c.h.Break == nil {
		return skip("the harness has no Break")
	}
	if err := c.revoke("bad"); err != nil {
		return err
	}
	defer c.h.Break(c.checker)()
	for _, name := range []string{"bad", "good"} {
		token, err := c.token(name)
		if err != nil {
			return err
		}
		revoked, err := c.ask(c.ctx, token)
		if err := judge(token, revoked, err); err != nil {
			return err
		}
	}
	return nil
}

func checkerDown(c *checkerCase) error {
	return c.broken(func(_ verifier.RevocationRequest, revoked bool, err error) error {
		if err == nil && !revoked {
			return errors.New("Revoked while the backend is down = false, nil; want an error")
		}
		return nil
	})
}

// shows wants no identifier of a token in an error.
func shows(token verifier.RevocationRequest, err error) error {
	for e := err; e != nil; e = errors.Unwrap(e) {
		for _, part := range []string{token.ID, token.Subject, token.SessionID} {
			if part != "" && strings.Contains(e.Error(), part) {
				return errors.New("the error shows an identifier of the token; want one without")
			}
		}
	}
	return nil
}

func checkerErrors(c *checkerCase) error {
	return c.broken(func(token verifier.RevocationRequest, _ bool, err error) error { return shows(token, err) })
}

func checkerHangErrors(c *checkerCase) error {
	if c.h.Hang == nil {
		return skip("the harness has no Hang")
	}
	token, err := c.token("good")
	if err != nil {
		return err
	}
	c.env.Cleanup(c.h.Hang(c.checker))
	for _, end := range []ending{byDeadline, byCancel} {
		if !heeds(c.env, end, func(ctx context.Context) error { _, err := c.ask(ctx, token); return err }) {
			return doubt(skip("Revoked does not end with its context, which is another check's finding"))
		}
		ctx, cancel := end.new(c.ctx)
		_, err := c.ask(ctx, token)
		cancel()
		if err := shows(token, err); err != nil {
			return err
		}
	}
	return nil
}

// checkerAlike revokes tokens, and asks about ones whose identifiers are nearly
// theirs.
func checkerAlike(c *checkerCase) error {
	long := strings.Repeat("k", 300)
	for i, pair := range [][2]string{
		{"key", "KEY"}, {"key", "key "}, {"key", "key2"}, {"key2", "key"}, {"a/b", "a_b"}, {"a:b", "a.b"}, {"\u00e9", "e\u0301"}, {long + "a", long + "b"}, {long, long + "k"},
	} {
		prefix := fmt.Sprint("pair", i, "-")
		if err := c.revoke(prefix + pair[0]); err != nil {
			return err
		}
		if err := c.is(prefix+pair[1], false); err != nil {
			return fmt.Errorf("beside a revoked token that looks alike: %w", err)
		}
	}
	return nil
}

// checkerMany revokes more tokens than a small table holds.
func checkerMany(c *checkerCase) error {
	const many = 24
	for i := range many {
		if err := c.revoke(fmt.Sprint("many", i)); err != nil {
			return err
		}
	}
	for i := range many {
		if err := c.is(fmt.Sprint("many", i), true); err != nil {
			return fmt.Errorf("after %d revocations: %w", many, err)
		}
	}
	return nil
}

func checkerStays(c *checkerCase) error {
	if err := c.revoke("bad"); err != nil {
		return err
	}
	for i := range 60 {
		if err := c.is("bad", true); err != nil {
			return fmt.Errorf("at question %d: %w", i+1, err)
		}
	}
	return nil
}

// checkerTurns revokes a token that was asked about before.
func checkerTurns(c *checkerCase) error {
	for range 3 {
		if err := c.is("turns", false); err != nil {
			return err
		}
	}
	if err := c.revoke("turns"); err != nil {
		return err
	}
	if err := c.is("turns", true); err != nil {
		return fmt.Errorf("after it was good: %w", err)
	}
	return nil
}

// checkerBare takes away what a token may lack.
func checkerBare(c *checkerCase) error {
	if err := c.revoke("bad"); err != nil {
		return err
	}
	token, err := c.token("good")
	if err != nil {
		return err
	}
	for _, change := range []func(*verifier.RevocationRequest){
		func(r *verifier.RevocationRequest) { r.ID = "" },
		func(r *verifier.RevocationRequest) { r.Subject, r.SessionID = "", "" },
		func(r *verifier.RevocationRequest) { r.ID, r.Subject, r.SessionID = "", "", "" },
		func(r *verifier.RevocationRequest) { r.IssuedAt = time.Time{} },
		func(r *verifier.RevocationRequest) { r.Issuer = "" },
		func(r *verifier.RevocationRequest) { r.Token = nil },
		func(r *verifier.RevocationRequest) { *r = verifier.RevocationRequest{} },
	} {
		changed := token
		change(&changed)
		if revoked, err := c.ask(c.ctx, changed); err == nil && revoked {
			return errors.New("Revoked of a good token without one of its identifiers = true; want false or an error")
		}
	}
	return nil
}

func checkerHostile(c *checkerCase) error {
	token, err := c.token("good")
	if err != nil {
		return err
	}
	for _, text := range append(hostileKeys(), strings.Repeat("k", 1<<20), "\xff\xfe") {
		changed := token
		changed.ID, changed.Subject, changed.SessionID = text, text, text
		if revoked, err := c.ask(c.ctx, changed); err == nil && revoked {
			return fmt.Errorf("Revoked of a token with the identifiers %s = true; want false or an error", show(text))
		}
	}
	return nil
}
