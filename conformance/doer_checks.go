package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// doerSends looks at what key fetches and token exchanges are made of.
func doerSends(c *doerCase) error {
	type arrived struct{ method, uri, etag, auth, form, body string }
	got := make(chan arrived, 1)
	base := c.serve(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- arrived{r.Method, r.RequestURI, r.Header.Get("If-None-Match"), r.Header.Get("Authorization"), r.Header.Get("Content-Type"), string(body)}
	})
	path := "/a%2Fb/" + randomHex(4) + "?q=" + randomHex(4) + "&q=2"
	want := arrived{http.MethodGet, path, `"` + randomHex(4) + `"`, "", "", ""}
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		want.method = method
		if method == http.MethodPost {
			want.auth, want.form, want.body = "Basic "+randomHex(8), "application/x-www-form-urlencoded", "a="+randomHex(100)
		}
		req, err := http.NewRequestWithContext(c.ctx, method, base+path, strings.NewReader(want.body))
		if err != nil {
			return err
		}
		req.Header.Set("If-None-Match", want.etag)
		for name, value := range map[string]string{"Authorization": want.auth, "Content-Type": want.form} {
			if value != "" {
				req.Header.Set(name, value)
			}
		}
		if _, err := c.answered(req); err != nil {
			return err
		}
		select {
		case arrived := <-got:
			if arrived != want {
				return fmt.Errorf("the server got %+v; want %+v", arrived, want)
			}
		case <-c.ctx.Done():
			return fmt.Errorf("no %s request arrived at the server; want one", method)
		}
	}
	return nil
}

func doerStatuses(c *doerCase) error {
	base := c.serve(func(w http.ResponseWriter, r *http.Request) {
		status := 0
		_, _ = fmt.Sscanf(r.URL.Path, "/%d", &status)
		w.WriteHeader(status)
	})
	for _, status := range []int{200, 204, 304, 400, 401, 404, 429, 500, 503} {
		resp, err := c.get(fmt.Sprint(base, "/", status))
		if err != nil {
			return fmt.Errorf("status %d: %w", status, err)
		}
		if resp.StatusCode != status {
			return fmt.Errorf("Do() = status %d; want %d as it was sent", resp.StatusCode, status)
		}
	}
	return nil
}

// doerRefused asks for a port where nobody listens any more, and a server that
// hangs up.
func doerRefused(c *doerCase) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return skip("no loopback address to listen on: %v", err)
	}
	closed := "http://" + listener.Addr().String() + "/"
	_ = listener.Close()
	base := c.serve(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	for what, target := range map[string]string{"a closed port": closed, "a server that hangs up": base + "/"} {
		resp, err := c.do(c.ctx, http.MethodGet, target, nil)
		if err == nil {
			return fmt.Errorf("Do() to %s = %s, nil; want an error", what, response(resp))
		}
	}
	return nil
}

// doerWhole leaves it to the Doer whether it takes large bodies: the caller
// bounds what it reads, and must see when that is not all.
func doerWhole(c *doerCase) error {
	body := randomBytes(3 << 20)
	base := c.serve(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/short" { // promise more than is sent
			w.Header().Set("Content-Length", fmt.Sprint(len(body)))
			_, _ = w.Write(body[:len(body)/2])
			panic(http.ErrAbortHandler)
		}
		_, _ = w.Write(body)
	})
	for _, path := range []string{"/whole", "/short"} {
		resp, err := c.do(c.ctx, http.MethodGet, base+path, nil)
		if err != nil && path == "/short" {
			continue
		}
		if err != nil || resp == nil || resp.Body == nil {
			return fmt.Errorf("Do() = %s, %v; want a response with a Body", response(resp), err)
		}
		got, err := io.ReadAll(resp.Body)
		if err == nil && !bytes.Equal(got, body) {
			return fmt.Errorf("reading the Body = %d bytes, nil; want the %d bytes that were promised, or an error", len(got), len(body))
		}
	}
	return nil
}

// ahead is far more than all buffers on the way take.
const ahead = 32 << 20

func doerReadAhead(c *doerCase) error {
	var sent atomic.Int64
	base := c.serve(func(w http.ResponseWriter, _ *http.Request) {
		chunk := make([]byte, 256<<10)
		for sent.Load() < ahead {
			n, err := w.Write(chunk)
			sent.Add(int64(n))
			if err != nil {
				return
			}
		}
	})
	resp, err := c.get(base + "/")
	if err != nil {
		return err
	}
	_, _ = io.ReadFull(resp.Body, make([]byte, 1024))
	wait := pace{ctx: c.ctx}
	for before, still := int64(-1), 0; still < 15 && sent.Load() < ahead; still++ {
		if n := sent.Load(); n != before {
			before, still = n, 0
		}
		if err := wait.pass(50 * time.Millisecond); err != nil {
			return err
		}
	}
	if n := sent.Load(); n >= ahead {
		return fmt.Errorf("all %d bytes of a body were taken, of which the caller read 1 KiB; want reading left to the caller", n)
	}
	return nil
}

func doerCloses(c *doerCase) error {
	ended := make(chan struct{})
	base := c.serve(func(w http.ResponseWriter, r *http.Request) {
		defer close(ended)
		_, _ = w.Write(make([]byte, 64<<10))
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	resp, err := c.get(base + "/")
	if err != nil {
		return err
	}
	_, _ = io.ReadFull(resp.Body, make([]byte, 1024))
	if err := resp.Body.Close(); err != nil {
		return fmt.Errorf("Close() of the Body = %w; want nil", err)
	}
	if _, ok := await(ended, 0); !ok {
		return fmt.Errorf("%v after the Body was closed the server still has the connection; want it closed", patience)
	}
	return nil
}

func doerDone(c *doerCase) error {
	base := c.serve(func(http.ResponseWriter, *http.Request) {})
	for _, d := range []doneContext{canceled(c.ctx), pastDeadline(c.ctx)} {
		resp, err := c.do(d.ctx, http.MethodGet, base+"/", nil)
		if err == nil {
			return fmt.Errorf("Do() with %s = %s, nil; want an error", d.name, response(resp))
		}
	}
	return nil
}

// doerHung: whether the error matches is open; a time-out of the Doer's own
// counts as well.
func doerHung(c *doerCase) error {
	base := c.serve(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	ctx, cancel := context.WithTimeout(c.ctx, hungAnswer)
	defer cancel()
	return c.inTime("Do to a server that does not answer", func() error {
		_, err := c.do(ctx, http.MethodGet, base+"/", nil)
		return err
	})
}

func doerHungBody(c *doerCase) error {
	base := c.serve(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("the beginning"))
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/", nil)
	if err != nil {
		return err
	}
	return c.inTime("reading a Body that does not end, after its context did,", func() error {
		resp, err := c.answered(req)
		if err != nil {
			return &unexpected{err}
		}
		_, _ = io.ReadFull(resp.Body, make([]byte, 4))
		cancel()
		_, err = io.ReadAll(resp.Body)
		return err
	})
}

// unexpected is an error other than the one that a check wants.
type unexpected struct{ err error }

func (u *unexpected) Error() string { return u.err.Error() }

// inTime wants f to return with an error, soon after its context is done.
func (c *doerCase) inTime(what string, f func() error) error {
	outcome := spawn(func() error { return &returned{err: f()} })
	err, ok := await(outcome, hungAnswer)
	if !ok {
		return fmt.Errorf("%s did not return %v after the end of the context; want it back promptly", what, patience)
	}
	var back *returned
	if !errors.As(err, &back) {
		return err // a panic
	}
	if back.err == nil {
		return fmt.Errorf("%s = nil; want an error", what)
	}
	var other *unexpected
	if errors.As(back.err, &other) {
		return other.err
	}
	return nil
}

func doerRedirects(c *doerCase) error {
	var followed atomic.Bool
	base := c.serve(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/elsewhere" {
			followed.Store(true)
			return
		}
		status := 0
		_, _ = fmt.Sscanf(r.URL.Path, "/%d", &status)
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
	})
	for _, status := range []int{301, 302, 303, 307, 308} {
		asked := fmt.Sprint(base, "/", status)
		resp, err := c.do(c.ctx, http.MethodGet, asked, nil)
		if followed.Load() {
			return fmt.Errorf("Do() followed a redirect of status %d; want the redirect itself, or an error", status)
		}
		if err != nil {
			continue
		}
		if resp == nil || resp.StatusCode != status {
			return fmt.Errorf("Do() of a redirect = %s; want status %d, or an error", response(resp), status)
		}
		want, err := url.Parse(asked)
		if err != nil {
			return err
		}
		if resp.Request != nil && resp.Request.URL != nil && resp.Request.URL.String() != want.String() {
			return fmt.Errorf("Do() of %s: Response.Request.URL = %s; want the one asked for", want, resp.Request.URL)
		}
	}
	return nil
}

func doerConcurrent(c *doerCase) error {
	base := c.serve(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.Path) })
	return together(8, func(worker int) error {
		for round := range 10 {
			path := fmt.Sprintf("/%d/%d", worker, round)
			resp, err := c.get(base + path)
			if err != nil {
				return err
			}
			body, err := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if err != nil || string(body) != path {
				return fmt.Errorf("the Body beside 7 other requests = %s, %v; want %s", show(body), err, show(path))
			}
		}
		return nil
	})
}
