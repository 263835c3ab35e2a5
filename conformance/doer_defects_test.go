package conformance_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"

	"github.com/portcullis-go/portcullis/conformance"
	"github.com/portcullis-go/portcullis/verifier"
)

// doing is a mistake in a Doer over a good one.
type doing = func(do verifier.DoerFunc) verifier.DoerFunc

func TestDoerDefects(t *testing.T) {
	t.Parallel()
	testDefects(t, conformance.DoerChecks(), append(doerDefects(), moreDoerDefects()...), func(ctx context.Context, d defect[doing]) conformance.Report {
		return conformance.RunDoer(ctx, conformance.DoerHarness{New: func(env *conformance.Env) (verifier.Doer, error) {
			transport := &http.Transport{}
			env.Cleanup(transport.CloseIdleConnections)
			client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
			return d.make(client.Do), nil
		}})
	})
}

// asking changes requests.
func asking(f func(req *http.Request) *http.Request) doing {
	return func(do verifier.DoerFunc) verifier.DoerFunc {
		return func(req *http.Request) (*http.Response, error) { return do(f(req)) }
	}
}

// responding changes answers.
func responding(f func(resp *http.Response, err error) (*http.Response, error)) doing {
	return func(do verifier.DoerFunc) verifier.DoerFunc {
		return func(req *http.Request) (*http.Response, error) { return f(do(req)) }
	}
}

// body is made of two parts.
type body struct {
	io.Reader
	io.Closer
}

// reader is a Reader of a function.
type reader func(p []byte) (int, error)

func (r reader) Read(p []byte) (int, error) { return r(p) }

func doerDefects() []defect[doing] {
	return []defect[doing]{
		{name: "the header is replaced", fails: "request-arrives-as-it-is", make: asking(func(req *http.Request) *http.Request {
			req = req.Clone(req.Context())
			req.Header = http.Header{"User-Agent": {"client"}}
			return req
		})},
		{name: "the path is decoded", fails: "request-arrives-as-it-is", make: asking(func(req *http.Request) *http.Request {
			req = req.Clone(req.Context())
			req.URL.RawPath = ""
			return req
		})},
		{name: "the body is read for a log", fails: "request-arrives-as-it-is", make: asking(func(req *http.Request) *http.Request {
			if req.Body != nil && req.Body != http.NoBody {
				req = req.Clone(req.Context())
				_, _ = io.ReadAll(req.Body)
				req.Body, req.ContentLength = http.NoBody, 0
			}
			return req
		})},
		{name: "a server error is an error", fails: "answers-of-any-status-have-a-body", make: responding(func(resp *http.Response, err error) (*http.Response, error) {
			if err == nil && resp.StatusCode >= 500 {
				_ = resp.Body.Close()
				return nil, errRefused
			}
			return resp, err
		})},
		{name: "an answer without content has no body", fails: "answers-of-any-status-have-a-body", make: responding(func(resp *http.Response, err error) (*http.Response, error) {
			if err == nil && resp.StatusCode == http.StatusNoContent {
				resp.Body = nil
			}
			return resp, err
		})},
		{name: "a lost connection is an answer", fails: "no-answer-is-an-error", make: responding(func(resp *http.Response, err error) (*http.Response, error) {
			var lost *net.OpError
			if errors.As(err, &lost) {
				return &http.Response{StatusCode: http.StatusBadGateway, Body: http.NoBody}, nil
			}
			return resp, err
		})},
		{name: "a lost connection is nothing at all", fails: "no-answer-is-an-error", make: responding(func(resp *http.Response, err error) (*http.Response, error) {
			var lost *net.OpError
			if errors.As(err, &lost) || errors.Is(err, io.EOF) {
				return nil, nil
			}
			return resp, err
		})},
		{name: "the body is cut at 1 MiB", fails: "body-arrives-whole-or-with-an-error", make: responding(func(resp *http.Response, err error) (*http.Response, error) {
			if err == nil {
				resp.Body = body{io.LimitReader(resp.Body, 1<<20), resp.Body}
			}
			return resp, err
		})},
		{name: "a body that breaks off has ended", fails: "body-arrives-whole-or-with-an-error", make: responding(func(resp *http.Response, err error) (*http.Response, error) {
			if err == nil {
				inner := resp.Body
				resp.Body = body{reader(func(p []byte) (int, error) {
					n, err := inner.Read(p)
					if errors.Is(err, io.ErrUnexpectedEOF) {
						err = io.EOF
					}
					return n, err
				}), inner}
			}
			return resp, err
		})},
		{name: "the body is read to the end at once", fails: "large-bodies-are-not-read-ahead closing-the-body-ends-the-transfer context-ends-the-body", make: responding(func(resp *http.Response, err error) (*http.Response, error) {
			if err != nil {
				return resp, err
			}
			all, err := io.ReadAll(resp.Body)
			if err != nil {
				return nil, err
			}
			resp.Body = body{bytes.NewReader(all), resp.Body}
			return resp, nil
		})},
		{name: "a goroutine reads the body into memory", fails: "large-bodies-are-not-read-ahead", make: responding(func(resp *http.Response, err error) (*http.Response, error) {
			if err == nil {
				resp.Body = pumped(resp.Body)
			}
			return resp, err
		})},
		{name: "the body cannot be closed", fails: "closing-the-body-ends-the-transfer", make: responding(func(resp *http.Response, err error) (*http.Response, error) {
			if err == nil {
				resp.Body = io.NopCloser(resp.Body)
			}
			return resp, err
		})},
		{name: "the context is replaced when it is done", fails: "done-context", make: asking(func(req *http.Request) *http.Request {
			return req.WithContext(undone(req.Context()))
		})},
		{name: "the context counts from the answer on", fails: "context-ends-the-wait-for-an-answer", make: func(do verifier.DoerFunc) verifier.DoerFunc {
			return func(req *http.Request) (*http.Response, error) {
				if req.Context().Err() != nil {
					return nil, req.Context().Err()
				}
				ctx, cancel := context.WithCancel(context.WithoutCancel(req.Context()))
				resp, err := do(req.WithContext(ctx))
				context.AfterFunc(req.Context(), cancel)
				return resp, err
			}
		}},
		{name: "the context counts up to the answer", fails: "context-ends-the-body", make: func(do verifier.DoerFunc) verifier.DoerFunc {
			return func(req *http.Request) (*http.Response, error) {
				ctx, cancel := context.WithCancel(context.WithoutCancel(req.Context()))
				stop := context.AfterFunc(req.Context(), cancel)
				resp, err := do(req.WithContext(ctx))
				if stop(); err != nil {
					cancel()
				}
				return resp, err
			}
		}},
		{name: "redirects are followed", fails: "redirects-are-not-followed", make: func(verifier.DoerFunc) verifier.DoerFunc {
			return (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do
		}},
		{name: "a field of the Doer holds the URL of the call", fails: "concurrent-requests", make: func(do verifier.DoerFunc) verifier.DoerFunc {
			var mu sync.Mutex
			var current *http.Request
			return func(req *http.Request) (*http.Response, error) {
				mu.Lock()
				current = req
				mu.Unlock()
				yield()
				mu.Lock()
				req = req.Clone(req.Context())
				req.URL = current.URL
				mu.Unlock()
				return do(req)
			}
		}},
	}
}

// pumped reads from inner without end, and gives out what it has.
func pumped(inner io.ReadCloser) io.ReadCloser {
	var mu sync.Mutex
	var have [][]byte
	var last error
	more := sync.NewCond(&mu)
	go func() {
		for {
			chunk := make([]byte, 256<<10)
			n, err := inner.Read(chunk)
			mu.Lock()
			if have, last = append(have, chunk[:n]), err; err != nil {
				more.Broadcast()
				mu.Unlock()
				return
			}
			more.Broadcast()
			mu.Unlock()
		}
	}()
	return body{reader(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		for len(have) == 0 && last == nil {
			more.Wait()
		}
		if len(have) == 0 {
			return 0, last
		}
		n := copy(p, have[0])
		if have[0] = have[0][n:]; len(have[0]) == 0 {
			have = have[1:]
		}
		return n, nil
	}), inner}
}
