package conformance

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
)

// introspectorAlike asks about tokens that are nearly a good one, which may be
// remembered.
func introspectorAlike(c *introspectorCase) error {
	token, err := c.issue("subject-1")
	if err != nil {
		return err
	}
	if _, err := c.active(token, "subject-1"); err != nil {
		return err
	}
	half := len(token) / 2
	alike := []string{
		token[:len(token)-1], token[1:], token[:half], token + "x", "x" + token, token + "\x00", token + " ", " " + token, token + "\n", token + token,
		strings.ToUpper(token), strings.ToLower(token), token[:half] + "~" + token[half+1:], token[:len(token)-1] + "~", "~" + token[1:],
		token + "&token=" + token, token + "&a=b", "a&token=" + token, token + "#", token + "%20", "%" + fmt.Sprintf("%02x", token[0]) + token[1:],
	}
	for i, other := range alike {
		if other == token {
			continue
		}
		if answer, err := c.ask(c.ctx, c.h.Issuer, other); err == nil && answer.Active {
			return fmt.Errorf("Introspect of a token that is nearly a good one (change %d) = Active; want it inactive, or an error", i)
		}
	}
	return nil
}

func introspectorHostile(c *introspectorCase) error {
	for _, text := range append(hostileKeys(), "", strings.Repeat("k", 1<<20), "\xff\xfe", `"`, `{"active":true}`, "..", "Bearer x") {
		if answer, err := c.ask(c.ctx, c.h.Issuer, text); err == nil && answer.Active {
			return fmt.Errorf("Introspect of %s = Active; want it inactive, or an error", show(text))
		}
	}
	return nil
}

// introspectorRemembered asks other issuers about a token that is remembered.
func introspectorRemembered(c *introspectorCase) error {
	token, err := c.issue("subject-1")
	if err != nil {
		return err
	}
	for _, issuer := range []string{"https://another-issuer.example/", c.h.Issuer + "x", "x" + c.h.Issuer, strings.TrimSuffix(c.h.Issuer, "/") + "/other", ""} {
		if _, err := c.active(token, "subject-1"); err != nil {
			return err
		}
		if answer, err := c.ask(c.ctx, issuer, token); err == nil && answer.Active {
			return fmt.Errorf("Introspect for the issuer %q of a token of %q = Active; want an error", issuer, c.h.Issuer)
		}
	}
	return nil
}

func introspectorHangErrors(c *introspectorCase) error {
	if c.h.Hang == nil {
		return skip("the harness has no Hang")
	}
	if _, err := c.ask(c.ctx, c.h.Issuer, "first-token"); err != nil {
		return err
	}
	c.env.Cleanup(c.h.Hang(c.introspector))
	for _, end := range []ending{byDeadline, byCancel} {
		call := func(ctx context.Context) error {
			_, err := c.ask(ctx, c.h.Issuer, c.unknown())
			return err
		}
		if !heeds(c.env, end, call) {
			return doubt(skip("Introspect does not end with its context, which is another check's finding"))
		}
		ctx, cancel := end.new(c.ctx)
		err := call(ctx)
		cancel()
		if err := showsToken(c.unknown(), err); err != nil {
			return err
		}
	}
	return nil
}

// introspectorApart cancels the first of two callers that ask about one token.
func introspectorApart(c *introspectorCase) error {
	if c.h.Hang == nil {
		return skip("the harness has no Hang")
	}
	token, err := c.issue("subject-1")
	if err != nil {
		return err
	}
	if _, err := c.ask(c.ctx, c.h.Issuer, "first-token"); err != nil {
		return err
	}
	release := c.h.Hang(c.introspector)
	ask := func(ctx context.Context) <-chan error {
		outcome := spawn(func() error {
			_, err := c.ask(ctx, c.h.Issuer, token)
			return &returned{err: err}
		})
		time.Sleep(hungAnswer)
		return outcome
	}
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	first := ask(ctx)
	second := ask(c.ctx)
	cancel()
	_, _ = await(first, 0) // that it does not come back is another check's finding
	release()
	err, ok := await(second, 0)
	if !ok {
		return doubt(errors.New("Introspect is not back after the server answers again, beside a call for the same token that was canceled; want its answer"))
	}
	var back *returned
	if !errors.As(err, &back) {
		return err // a panic
	}
	if errors.Is(back.err, context.Canceled) {
		return fmt.Errorf("Introspect beside a call for the same token that was canceled = %w; want an answer, as its own context goes on", back.err)
	}
	return nil
}

// introspectorFlood asks about many tokens while the server hangs, with contexts
// that do not end, and wants most calls to be refused.
func introspectorFlood(c *introspectorCase) error {
	if c.h.Hang == nil {
		return skip("the harness has no Hang")
	}
	if _, err := c.ask(c.ctx, c.h.Issuer, "first-token"); err != nil {
		return err
	}
	c.env.Cleanup(c.h.Hang(c.introspector))
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	back := make(chan struct{}, flood)
	for i := range flood {
		spawn(func() error {
			_, _ = c.introspector.Introspect(ctx, verifier.IntrospectionRequest{Issuer: c.h.Issuer, Token: fmt.Sprint("flood-token-", i)})
			if ctx.Err() == nil {
				back <- struct{}{}
			}
			return nil
		})
	}
	for n := range mostFloat {
		if _, ok := await(back, 0); !ok {
			return doubt(fmt.Errorf("of %d calls of Introspect to a hanging server, %d were refused at once; want a bound of those in flight that is well below", flood, n))
		}
	}
	return nil
}
