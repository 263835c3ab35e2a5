package conformance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// doerManners are checks of what a Doer must leave alone.
func doerManners() []Check[DoerHarness] {
	const (
		once   = "It sends each request once, as it is, without waiting for a Retry-After, and answers from no cache of its own."
		same   = "It does not change the request, and Response.Request is nil or has the URL that was asked for."
		either = "it honours the request's context, returns either a response with a non-nil Body or an error, does not read ahead without bound, and may be used concurrently."
	)
	return []Check[DoerHarness]{
		doerCheck("answers-are-not-cached", once, doerCaches),
		doerCheck("conditional-answers-come-through", once, doerConditional),
		doerCheck("retry-after-is-left-to-the-caller", once, doerRetryAfter),
		doerCheck("a-request-is-sent-once", once, doerOnce),
		doerCheck("requests-are-apart", once, doerApart),
		doerCheck("the-request-is-not-changed", same, doerUnchanged),
		doerCheck("the-response-names-its-request", same, doerNames),
		doerCheck("headers-of-the-answer-arrive", once, doerHeaders),
		doerCheck("one-url-by-many-callers", either, doerTogether),
		doerCheck("canceled-while-the-server-hangs", either, doerCanceled),
		doerCheck("one-cancellation-ends-no-other-request", either, doerOthers),
		doerCheck("works-after-a-fault", either, doerAfterFault),
	}
}

// numbered is a server that counts requests, and answers with the number.
func (c *doerCase) numbered(header func(h http.Header)) (base string, count *atomic.Int64) {
	count = new(atomic.Int64)
	return c.serve(func(w http.ResponseWriter, _ *http.Request) {
		header(w.Header())
		_, _ = fmt.Fprint(w, count.Add(1))
	}), count
}

// body reads a response to its end.
func readAll(resp *http.Response) (string, error) {
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	return string(text), err
}

func doerCaches(c *doerCase) error {
	base, _ := c.numbered(func(h http.Header) {
		h.Set("Cache-Control", "public, max-age=3600")
		h.Set("ETag", `"same"`)
		h.Set("Last-Modified", "Mon, 02 Jan 2006 15:04:05 GMT")
		h.Set("Expires", "Fri, 31 Dec 2100 23:59:59 GMT")
	})
	for want := range 4 {
		resp, err := c.get(base + "/jwks.json")
		if err != nil {
			return err
		}
		text, err := readAll(resp)
		if err != nil || text != fmt.Sprint(want+1) {
			return fmt.Errorf("answer number %d of one URL = %q, %v; want that of request number %d: caching is the caller's", want+1, text, err, want+1)
		}
	}
	return nil
}

// doerConditional wants to see a 304 only where the caller asked for one.
func doerConditional(c *doerCase) error {
	base := c.serve(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"v1"`)
		if r.Header.Get("If-None-Match") == `"v1"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = io.WriteString(w, "the whole answer")
	})
	for i, etag := range []string{"", `"v1"`, "", `"v2"`} {
		req, err := http.NewRequestWithContext(c.ctx, http.MethodGet, base+"/", nil)
		if err != nil {
			return err
		}
		want, status := "the whole answer", http.StatusOK
		if etag != "" {
			req.Header.Set("If-None-Match", etag)
		}
		if etag == `"v1"` {
			want, status = "", http.StatusNotModified
		}
		resp, err := c.answered(req)
		if err != nil {
			return err
		}
		text, err := readAll(resp)
		if err != nil || resp.StatusCode != status || text != want {
			return fmt.Errorf("answer number %d, to If-None-Match %q = %d %q, %v; want %d %q as it was sent", i+1, etag, resp.StatusCode, text, err, status, want)
		}
	}
	return nil
}

func doerRetryAfter(c *doerCase) error {
	for _, status := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
		for _, after := range []string{"1", "0", "3600"} {
			var count atomic.Int64
			base := c.serve(func(w http.ResponseWriter, _ *http.Request) {
				if count.Add(1) > 1 {
					return // a second one would be good
				}
				w.Header().Set("Retry-After", after)
				w.WriteHeader(status)
			})
			ctx, cancel := context.WithTimeout(c.ctx, patience)
			resp, err := c.do(ctx, http.MethodGet, base+"/", nil)
			cancel()
			if err != nil || resp == nil || resp.StatusCode != status || resp.Header.Get("Retry-After") != after {
				return fmt.Errorf("Do() of an answer %d with Retry-After %s = %s, %v; want it as it was sent", status, after, response(resp), err)
			}
			if n := count.Load(); n != 1 {
				return fmt.Errorf("the server got %d requests for one Do() after an answer %d; want 1", n, status)
			}
		}
	}
	return nil
}

// doerOnce counts requests that fail in different ways.
func doerOnce(c *doerCase) error {
	for what, answer := range map[string]func(w http.ResponseWriter){
		"an error of the server": func(w http.ResponseWriter) { w.WriteHeader(http.StatusInternalServerError) },
		"a bad gateway":          func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) },
		"a connection that ends": func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
		"a body that breaks off": func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "short")
			panic(http.ErrAbortHandler)
		},
	} {
		var count atomic.Int64
		base := c.serve(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			count.Add(1)
			answer(w)
		})
		resp, err := c.do(c.ctx, http.MethodPost, base+"/token", strings.NewReader("grant_type=x"))
		if err == nil && resp != nil && resp.Body != nil {
			_, _ = readAll(resp)
		}
		time.Sleep(5 * time.Millisecond)
		if n := count.Load(); n != 1 {
			return fmt.Errorf("a POST that met %s was sent %d times; want once", what, n)
		}
	}
	return nil
}

// doerApart looks for what one request leaves for the next: cookies,
// credentials, fields.
func doerApart(c *doerCase) error {
	var last http.Header
	var lock sync.Mutex
	base := c.serve(func(w http.ResponseWriter, r *http.Request) {
		lock.Lock()
		last = r.Header.Clone()
		lock.Unlock()
		w.Header().Set("Set-Cookie", "session=stolen; Path=/")
	})
	first, err := http.NewRequestWithContext(c.ctx, http.MethodGet, base+"/", nil)
	if err != nil {
		return err
	}
	first.Header.Set("Authorization", "Basic c2VjcmV0")
	first.Header.Set("X-First", "1")
	first.Header.Set("DPoP", "proof")
	if _, err := c.answered(first); err != nil {
		return err
	}
	for range 2 {
		if _, err := c.get(base + "/"); err != nil {
			return err
		}
	}
	lock.Lock()
	defer lock.Unlock()
	for _, name := range []string{"Cookie", "Authorization", "X-First", "Dpop", "Referer"} {
		if value := last.Get(name); value != "" {
			return fmt.Errorf("a request without %s arrived with one of an earlier request or answer; want each as it is", name)
		}
	}
	return nil
}

// doerUnchanged compares a request before and after Do.
func doerUnchanged(c *doerCase) error {
	base := c.serve(func(http.ResponseWriter, *http.Request) {})
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		req, err := http.NewRequestWithContext(c.ctx, method, base+"/a%2Fb?q=1", strings.NewReader(""))
		if err != nil {
			return err
		}
		req.Header.Set("Accept", "application/json")
		req.Header["X-Several"] = []string{"1", "2"}
		before := describe(req)
		if _, err := c.answered(req); err != nil {
			return err
		}
		if after := describe(req); after != before {
			return fmt.Errorf("the request after Do() is %s; want %s as before", after, before)
		}
	}
	return nil
}

func describe(req *http.Request) string {
	return fmt.Sprint(req.Method, " ", req.URL, " ", req.Host, " ", req.Header, " ", req.ContentLength, " ", req.Close)
}

func doerNames(c *doerCase) error {
	base := c.serve(func(http.ResponseWriter, *http.Request) {})
	for _, path := range []string{"/", "/a%2Fb?q=1&q=2", "/.well-known/openid-configuration"} {
		resp, err := c.get(base + path)
		if err != nil {
			return err
		}
		if resp.Request != nil && resp.Request.URL != nil && resp.Request.URL.String() != base+path {
			return fmt.Errorf("Do() of %s: Response.Request.URL = %s; want the one asked for, or no Request", base+path, resp.Request.URL)
		}
	}
	return nil
}

func doerHeaders(c *doerCase) error {
	want := map[string][]string{
		"Etag": {`W/"` + randomHex(4) + `"`}, "Cache-Control": {"max-age=60, must-revalidate"}, "Age": {"7"}, "Content-Type": {"application/jwk-set+json"},
		"Www-Authenticate": {`DPoP error="use_dpop_nonce"`, "Bearer"}, "Dpop-Nonce": {randomHex(8)}, "Date": {"Mon, 02 Jan 2006 15:04:05 GMT"},
	}
	base := c.serve(func(w http.ResponseWriter, _ *http.Request) {
		for name, values := range want {
			w.Header()[name] = values
		}
		_, _ = io.WriteString(w, "{}")
	})
	resp, err := c.get(base + "/")
	if err != nil {
		return err
	}
	for name, values := range want {
		if got := resp.Header.Values(name); strings.Join(got, "\n") != strings.Join(values, "\n") {
			return fmt.Errorf("the field %s of the answer = %q; want %q as it was sent", name, got, values)
		}
	}
	return nil
}

// doerTogether finds requests that share an answer.
func doerTogether(c *doerCase) error {
	const callers = 64
	base, count := c.numbered(func(http.Header) { time.Sleep(5 * time.Millisecond) })
	var seen sync.Map
	err := together(callers, func(int) error {
		resp, err := c.get(base + "/jwks.json")
		if err != nil {
			return err
		}
		text, err := readAll(resp)
		if err != nil || text == "" {
			return fmt.Errorf("the Body of one of %d requests for one URL = %q, %v; want an answer of its own", callers, text, err)
		}
		if _, twice := seen.LoadOrStore(text, true); twice {
			return fmt.Errorf("two of %d requests for one URL got the same answer; want one each", callers)
		}
		return nil
	})
	if err == nil && count.Load() != callers {
		err = fmt.Errorf("%d requests arrived of %d; want all", count.Load(), callers)
	}
	return err
}

// doerCanceled has a context without a deadline.
func doerCanceled(c *doerCase) error {
	base := c.serve(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	ctx, cancel := byCancel.new(c.ctx)
	defer cancel()
	return c.inTime("Do to a server that does not answer, when its context is canceled,", func() error {
		_, err := c.do(ctx, http.MethodGet, base+"/", nil)
		return err
	})
}

// doerOthers cancels one of two requests for one URL.
func doerOthers(c *doerCase) error {
	answer := make(chan struct{})
	var both sync.WaitGroup
	both.Add(2)
	base := c.serve(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			both.Done()
			select {
			case <-answer:
			case <-r.Context().Done():
				return
			}
		}
		_, _ = io.WriteString(w, "answer")
	})
	ctx, cancel := context.WithCancel(c.ctx)
	given := spawn(func() error {
		_, err := c.do(ctx, http.MethodGet, base+"/slow", nil)
		return &returned{err: err}
	})
	kept := spawn(func() error {
		resp, err := c.get(base + "/slow")
		if err != nil {
			return err
		}
		text, err := readAll(resp)
		if err != nil || text != "answer" {
			return fmt.Errorf("the Body beside a request that was canceled = %q, %v; want %q", text, err, "answer")
		}
		return nil
	})
	arrived := make(chan struct{})
	go func() {
		both.Wait()
		close(arrived)
	}()
	if _, ok := await(arrived, 0); !ok {
		cancel()
		close(answer)
		return doubt(errors.New("two requests for one URL did not both arrive at the server; want each to be sent"))
	}
	cancel()
	<-given
	close(answer)
	return <-kept
}

// doerAfterFault meets hang-ups, errors and time-outs, and goes on.
func doerAfterFault(c *doerCase) error {
	var bad atomic.Bool
	base := c.serve(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !bad.Load():
			_, _ = io.WriteString(w, "answer")
		case r.URL.Path == "/hang":
			for bad.Load() && r.Context().Err() == nil {
				time.Sleep(time.Millisecond)
			}
		case r.URL.Path == "/error":
			w.WriteHeader(http.StatusInternalServerError)
		default:
			panic(http.ErrAbortHandler)
		}
	})
	bad.Store(true)
	attack(func() { bad.Store(false) }, 12, func(i int) {
		for range 3 {
			ctx, cancel := context.WithTimeout(c.ctx, hungAnswer)
			resp, err := c.do(ctx, http.MethodGet, base+[]string{"/hang", "/error", "/abort"}[i%3], nil)
			if err == nil && resp != nil && resp.Body != nil {
				_ = resp.Body.Close()
			}
			cancel()
		}
	})
	return recovers(pace{ctx: c.ctx}, func(int) error {
		resp, err := c.get(base + "/")
		if err != nil {
			return err
		}
		if text, err := readAll(resp); err != nil || resp.StatusCode != http.StatusOK || text != "answer" {
			return fmt.Errorf("Do() = %d %q, %v; want 200 and the answer", resp.StatusCode, text, err)
		}
		return nil
	}, func() error { return nil })
}
