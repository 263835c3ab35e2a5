package conformance

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
)

// DoerHarness says how to test a [verifier.Doer]. Only New is required. The
// suite talks to servers of its own on this machine.
type DoerHarness struct {
	// New makes what is tested, afresh for each check.
	New func(env *Env) (verifier.Doer, error)
	// Serve starts a server that the Doer can reach and trusts, and returns its
	// URL without a trailing slash. Default: plain HTTP on a loopback address.
	Serve func(handler http.Handler) (baseURL string, stop func())
	// Timeout of a call. Default 10 s. A check may take six times as long.
	Timeout time.Duration

	Options
}

// DoerChecks returns the checks of [verifier.Doer] as data.
func DoerChecks() []Check[DoerHarness] {
	const (
		either    = "it honours the request's context, returns either a response with a non-nil Body or an error, does not read ahead without bound, and may be used concurrently."
		sends     = "Doer sends HTTP requests; [*http.Client] is one."
		redirects = "Redirects must not be followed"
	)
	checks := []Check[DoerHarness]{
		doerCheck("a-request-is-answered", either, func(c *doerCase) error {
			base := c.serve(func(http.ResponseWriter, *http.Request) {})
			_, err := c.get(base + "/")
			return err
		}),
		doerCheck("request-arrives-as-it-is", sends, doerSends),
		doerCheck("answers-of-any-status-have-a-body", either, doerStatuses),
		doerCheck("no-answer-is-an-error", either, doerRefused),
		doerCheck("body-arrives-whole-or-with-an-error", either, doerWhole),
		doerCheck("large-bodies-are-not-read-ahead", either, doerReadAhead),
		doerCheck("closing-the-body-ends-the-transfer", either, doerCloses),
		doerCheck("done-context", either, doerDone),
		doerCheck("context-ends-the-wait-for-an-answer", either, doerHung),
		doerCheck("context-ends-the-body", either, doerHungBody),
		doerCheck("redirects-are-not-followed", redirects, doerRedirects),
		doerCheck("concurrent-requests", either, doerConcurrent),
	}
	return founded(doerFoundations(), basis([]string{"Doer/a-request-is-answered"}, append(checks, doerManners()...)))
}

// TestDoer tests that a Doer keeps the contract of [verifier.Doer], each rule
// in a subtest. As the Verifier does, it switches the redirects of an
// [*http.Client] off.
func TestDoer(t *testing.T, h DoerHarness) Report {
	t.Helper()
	return h.suite().test(t)
}

// RunDoer is [TestDoer] without a test.
func RunDoer(ctx context.Context, h DoerHarness) Report { return h.suite().run(ctx) }

func (h DoerHarness) suite() suite[DoerHarness] {
	return suite[DoerHarness]{harness: h, checks: DoerChecks()}
}

func (h DoerHarness) plan() plan { return plan{Options: h.Options, timeout: h.Timeout} }

// doerCase is what a check of a Doer works with.
type doerCase struct {
	ctx  context.Context
	env  *Env
	h    DoerHarness
	doer verifier.Doer
}

func doerCheck(name, rule string, run func(c *doerCase) error) Check[DoerHarness] {
	return newCheck("Doer", name, rule, newDoerCase, run)
}

func newDoerCase(env *Env, h DoerHarness) (*doerCase, error) {
	doer, err := opened(env, h.New, "a Doer")
	if err != nil {
		return nil, err
	}
	if client, ok := doer.(*http.Client); ok {
		doer = withoutRedirects(client)
	}
	return &doerCase{ctx: env.ctx, env: env, h: h, doer: doer}, nil
}

func withoutRedirects(client *http.Client) *http.Client {
	copied := *client
	copied.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &copied
}

// serve starts a server for the rest of the check. The connections of what
// does not end by itself are cut.
func (c *doerCase) serve(handler http.HandlerFunc) (baseURL string) {
	ended := make(chan struct{})
	wrapped := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		go func() {
			select {
			case <-ended:
				cancel()
			case <-ctx.Done():
			}
		}()
		handler(w, r.WithContext(ctx))
	})
	stop := func() {}
	if c.h.Serve != nil {
		baseURL, stop = c.h.Serve(wrapped)
	} else {
		server := httptest.NewServer(wrapped)
		baseURL, stop = server.URL, func() {
			server.CloseClientConnections()
			server.Close()
		}
	}
	c.env.Cleanup(func() {
		close(ended)
		stop()
	})
	return baseURL
}

func (c *doerCase) do(ctx context.Context, method, url string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return nil, err
	}
	return c.send(req)
}

// send wants either a response with a body, or an error.
func (c *doerCase) send(req *http.Request) (*http.Response, error) {
	defer c.env.begin("Do")()
	resp, err := c.doer.Do(req)
	if err == nil && resp != nil && resp.Body != nil {
		c.env.Cleanup(func() { _ = resp.Body.Close() })
	}
	return resp, err
}

// answered is do for requests that must be answered.
func (c *doerCase) answered(req *http.Request) (*http.Response, error) {
	resp, err := c.send(req)
	if err != nil || resp == nil || resp.Body == nil {
		return nil, fmt.Errorf("Do(%s) = %s, %v; want a response with a Body", req.Method, response(resp), err)
	}
	return resp, nil
}

func (c *doerCase) get(url string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(c.ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	return c.answered(req)
}

func response(resp *http.Response) string {
	switch {
	case resp == nil:
		return "nil"
	case resp.Body == nil:
		return fmt.Sprintf("%d without a Body", resp.StatusCode)
	}
	return fmt.Sprint(resp.StatusCode)
}
