package conformance_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
)

// fetched gives a fetcher its inner call and the request.
func fetched(f func(s *keyServer, ctx context.Context, req verifier.KeyRequest, fetch fetchFunc) (verifier.KeySet, error)) fetching {
	return func(s *keyServer, fetch fetchFunc) fetchFunc {
		return func(ctx context.Context, req verifier.KeyRequest) (verifier.KeySet, error) {
			return f(s, ctx, req, fetch)
		}
	}
}

// lastSets remembers full sets by issuer.
type lastSets struct {
	mu   sync.Mutex
	sets map[string]verifier.KeySet
	n    int
}

func (l *lastSets) keep(issuer string, set verifier.KeySet) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sets == nil {
		l.sets = make(map[string]verifier.KeySet)
	}
	set.JWKS = slices.Clone(set.JWKS)
	l.sets[issuer] = set
}

func (l *lastSets) get(issuer string) (verifier.KeySet, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	set, ok := l.sets[issuer]
	set.JWKS = slices.Clone(set.JWKS)
	return set, ok
}

func moreFetcherDefects() []defect[fetching] {
	return []defect[fetching]{
		{name: "no issuer is known", fails: "known-issuers-have-keys", make: fetched(func(s *keyServer, ctx context.Context, _ verifier.KeyRequest, _ fetchFunc) (verifier.KeySet, error) {
			return verifier.KeySet{}, errors.Join(s.begin(ctx), errNotFound)
		})},
		{name: "a hyphen in a host counts for nothing", fails: "issuers-that-differ-in-one-character", make: fetched(func(_ *keyServer, ctx context.Context, req verifier.KeyRequest, fetch fetchFunc) (verifier.KeySet, error) {
			if req.Issuer == "https://-.example/" {
				req.Issuer = firstIssuer
			}
			return fetch(ctx, req)
		})},
		{name: "an unknown issuer with an ETag is not modified", fails: "unknown-issuers-have-no-etag", make: fetched(func(_ *keyServer, ctx context.Context, req verifier.KeyRequest, fetch fetchFunc) (verifier.KeySet, error) {
			set, err := fetch(ctx, req)
			if errors.Is(err, errUnknownIssuer) && req.ETag != "" {
				return verifier.KeySet{Issuer: req.Issuer, ETag: req.ETag, NotModified: true}, nil
			}
			return set, err
		})},
		{name: "callers at the same time share an answer", fails: "concurrent-answers-are-the-callers", make: func(_ *keyServer, fetch fetchFunc) fetchFunc {
			var mu sync.Mutex
			under := make(map[string]*sharedSet)
			join := func(issuer string, set *verifier.KeySet) (*sharedSet, bool) {
				mu.Lock()
				defer mu.Unlock()
				if under[issuer] == nil && set != nil {
					under[issuer] = &sharedSet{set: *set}
				}
				shared := under[issuer]
				if shared != nil {
					shared.callers++
				}
				return shared, shared != nil
			}
			alone := func(shared *sharedSet) bool {
				mu.Lock()
				defer mu.Unlock()
				return shared.callers == 1
			}
			return func(ctx context.Context, req verifier.KeyRequest) (verifier.KeySet, error) {
				if req.ETag != "" {
					return fetch(ctx, req)
				}
				shared, ok := join(req.Issuer, nil)
				if !ok {
					set, err := fetch(ctx, req)
					if err != nil {
						return set, err
					}
					shared, _ = join(req.Issuer, &set)
					for range 20 { // until somebody shares it, but not for long
						if !alone(shared) {
							break
						}
						<-time.After(100 * time.Microsecond)
					}
				}
				yield()
				mu.Lock()
				defer mu.Unlock()
				if shared.callers--; shared.callers == 0 {
					delete(under, req.Issuer)
				}
				return shared.set, nil
			}
		}},
		{name: "ETags are compared by their beginning", fails: "not-modified-is-for-no-other-etag", make: edited(func(req verifier.KeyRequest, set *verifier.KeySet) {
			if mine := strings.TrimSuffix(set.ETag, `"`); strings.HasPrefix(req.ETag, mine+"x") {
				set.NotModified, set.JWKS = true, nil
			}
		})},
		{name: "ETags are those of any issuer", fails: "not-modified-is-for-no-other-issuer", make: func(_ *keyServer, fetch fetchFunc) fetchFunc {
			var mu sync.Mutex
			given := make(map[string]string)
			return func(ctx context.Context, req verifier.KeyRequest) (verifier.KeySet, error) {
				set, err := fetch(ctx, req)
				mu.Lock()
				defer mu.Unlock()
				if issuer, ok := given[req.ETag]; err == nil && ok && issuer != req.Issuer {
					set.NotModified, set.JWKS = true, nil
				} else if err == nil {
					given[set.ETag] = req.Issuer
				}
				return set, err
			}
		}},
		{name: "an answer that is not modified states nobody", fails: "not-modified-states-the-issuer a-changed-statement-is-passed-on", make: edited(func(_ verifier.KeyRequest, set *verifier.KeySet) {
			if set.NotModified {
				set.Issuer = ""
			}
		})},
		{name: "an answer that is not modified has another ETag", fails: "not-modified-states-the-issuer", make: edited(func(_ verifier.KeyRequest, set *verifier.KeySet) {
			if set.NotModified {
				set.ETag = `"304"`
			}
		})},
		{name: "the first ETag is that of every set", fails: "etag-changes-with-the-set", make: func(_ *keyServer, fetch fetchFunc) fetchFunc {
			var first sync.Map
			return func(ctx context.Context, req verifier.KeyRequest) (verifier.KeySet, error) {
				set, err := fetch(ctx, req)
				if err == nil && req.ETag == "" {
					tag, _ := first.LoadOrStore(req.Issuer, set.ETag)
					set.ETag = tag.(string)
				}
				return set, err
			}
		}},
		{name: "every third answer is that before it", fails: "every-change-is-seen", make: func(_ *keyServer, fetch fetchFunc) fetchFunc {
			var last lastSets
			return func(ctx context.Context, req verifier.KeyRequest) (verifier.KeySet, error) {
				set, err := fetch(ctx, req)
				if err != nil || req.ETag != "" || req.Issuer != firstIssuer {
					return set, err
				}
				last.mu.Lock()
				last.n++
				n := last.n
				last.mu.Unlock()
				if before, ok := last.get(req.Issuer); ok && n > 2 && !bytes.Equal(before.JWKS, set.JWKS) {
					return before, nil
				}
				last.keep(req.Issuer, set)
				return set, nil
			}
		}},
		{name: "the issuer is stated as it was asked for", fails: "a-changed-statement-is-passed-on", make: edited(func(req verifier.KeyRequest, set *verifier.KeySet) { set.Issuer = req.Issuer })},
		{name: "a call that was given up breaks the next", fails: "a-done-context-harms-no-later-call", make: func(_ *keyServer, fetch fetchFunc) fetchFunc {
			var broken atomic.Bool
			return func(ctx context.Context, req verifier.KeyRequest) (verifier.KeySet, error) {
				if ctx.Err() != nil {
					broken.Store(true)
				} else if broken.Swap(false) {
					return verifier.KeySet{}, errTimeout
				}
				return fetch(ctx, req)
			}
		}},
		{name: "the fetcher knows deadlines alone", fails: "canceled-while-the-source-hangs", make: fetched(func(s *keyServer, ctx context.Context, req verifier.KeyRequest, fetch fetchFunc) (verifier.KeySet, error) {
			if _, ok := ctx.Deadline(); !ok && ctx.Err() == nil {
				s.wait()
			}
			return fetch(ctx, req)
		})},
		{name: "the fetcher holds a lock while it asks", fails: "a-hanging-call-holds-up-no-other", make: func(_ *keyServer, fetch fetchFunc) fetchFunc {
			var mu sync.Mutex
			return func(ctx context.Context, req verifier.KeyRequest) (verifier.KeySet, error) {
				mu.Lock()
				defer mu.Unlock()
				return fetch(ctx, req)
			}
		}},
		{name: "after three time-outs, the fetcher has given up", fails: "works-after-a-hang", make: givenUp(context.DeadlineExceeded)},
		{name: "after some errors, the fetcher has given up", fails: "works-after-an-outage", make: givenUp(errDown)},
	}
}

func givenUp(kind error) fetching {
	return func(_ *keyServer, fetch fetchFunc) fetchFunc {
		var errs streak
		return func(ctx context.Context, req verifier.KeyRequest) (verifier.KeySet, error) {
			if errs.n.Load() > 2 && ctx.Err() == nil {
				return verifier.KeySet{}, errTimeout
			}
			dead := ctx.Err() != nil
			set, err := fetch(ctx, req)
			if !dead {
				errs.note(err, kind)
			}
			return set, err
		}
	}
}

// retrying sends a request again when it likes the answer not.
func retrying(again func(resp *http.Response, err error) bool) doing {
	return func(do verifier.DoerFunc) verifier.DoerFunc {
		return func(req *http.Request) (*http.Response, error) {
			var text []byte
			if req.Body != nil {
				text, _ = io.ReadAll(req.Body)
			}
			send := func() (*http.Response, error) {
				copied := req.Clone(req.Context())
				if req.Body != nil {
					copied.Body = io.NopCloser(bytes.NewReader(text))
				}
				return do(copied)
			}
			resp, err := send()
			if again(resp, err) && req.Context().Err() == nil {
				return send()
			}
			return resp, err
		}
	}
}

// caching answers GETs from a cache of its own.
func caching(f func(req *http.Request, resp *http.Response) bool, serve func(req *http.Request) bool) doing {
	return func(do verifier.DoerFunc) verifier.DoerFunc {
		type kept struct {
			header http.Header
			text   []byte
		}
		var mu sync.Mutex
		known := make(map[string]kept)
		return func(req *http.Request) (*http.Response, error) {
			mu.Lock()
			k, ok := known[req.URL.String()]
			mu.Unlock()
			if ok && req.Method == http.MethodGet && serve(req) && req.Context().Err() == nil {
				return &http.Response{StatusCode: http.StatusOK, Header: k.header.Clone(), Body: io.NopCloser(bytes.NewReader(k.text)), Request: req}, nil
			}
			resp, err := do(req)
			if err == nil && f(req, resp) {
				text, err := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if err != nil {
					return nil, err
				}
				resp.Body = io.NopCloser(bytes.NewReader(text))
				mu.Lock()
				known[req.URL.String()] = kept{resp.Header.Clone(), text}
				mu.Unlock()
			}
			return resp, err
		}
	}
}

func moreDoerDefects() []defect[doing] {
	return []defect[doing]{
		{name: "every request is refused", fails: "a-request-is-answered", make: responding(func(resp *http.Response, err error) (*http.Response, error) {
			if err == nil {
				_ = resp.Body.Close()
			}
			return nil, errRefused
		})},
		{name: "what has a max-age is cached", fails: "answers-are-not-cached", make: caching(func(req *http.Request, resp *http.Response) bool {
			return strings.Contains(resp.Header.Get("Cache-Control"), "max-age=3600") && resp.StatusCode == http.StatusOK && req.Method == http.MethodGet
		}, func(*http.Request) bool { return true })},
		{name: "a 304 is answered from a cache", fails: "conditional-answers-come-through", make: caching(func(_ *http.Request, resp *http.Response) bool {
			return resp.StatusCode == http.StatusOK && resp.Header.Get("ETag") != "" && resp.Header.Get("Cache-Control") == ""
		}, func(req *http.Request) bool { return req.Header.Get("If-None-Match") != "" })},
		{name: "Retry-After is obeyed", fails: "retry-after-is-left-to-the-caller", make: retrying(func(resp *http.Response, err error) bool {
			return err == nil && resp.Header.Get("Retry-After") != ""
		})},
		{name: "an error of the server is tried again", fails: "a-request-is-sent-once", make: retrying(func(resp *http.Response, err error) bool {
			return err == nil && (resp.StatusCode == http.StatusBadGateway)
		})},
		{name: "cookies are kept", fails: "requests-are-apart", make: func(do verifier.DoerFunc) verifier.DoerFunc {
			var mu sync.Mutex
			cookies := make(map[string]string)
			return func(req *http.Request) (*http.Response, error) {
				req = req.Clone(req.Context())
				mu.Lock()
				if cookie := cookies[req.URL.Host]; cookie != "" {
					req.Header.Set("Cookie", cookie)
				}
				mu.Unlock()
				resp, err := do(req)
				if err == nil {
					mu.Lock()
					cookies[req.URL.Host] = resp.Header.Get("Set-Cookie")
					mu.Unlock()
				}
				return resp, err
			}
		}},
		{name: "a field is added to the caller's request", fails: "the-request-is-not-changed", make: asking(func(req *http.Request) *http.Request {
			req.Header.Set("X-Request-Id", "1")
			return req
		})},
		{name: "the response names the URL without its query", fails: "the-response-names-its-request", make: responding(func(resp *http.Response, err error) (*http.Response, error) {
			if err == nil && resp.Request != nil {
				named := resp.Request.Clone(resp.Request.Context())
				named.URL.RawQuery = ""
				resp.Request = named
			}
			return resp, err
		})},
		{name: "the first value of each field is kept", fails: "headers-of-the-answer-arrive", make: responding(func(resp *http.Response, err error) (*http.Response, error) {
			if err == nil {
				for name, values := range resp.Header {
					resp.Header[name] = values[:1]
				}
			}
			return resp, err
		})},
		{name: "callers of one URL share a request", fails: "one-url-by-many-callers", make: shared(40)},
		{name: "the Doer knows deadlines alone", fails: "canceled-while-the-server-hangs", make: asking(func(req *http.Request) *http.Request {
			if _, ok := req.Context().Deadline(); !ok && req.Context().Err() == nil {
				ctx, cancel := context.WithTimeout(context.WithoutCancel(req.Context()), 8*time.Second)
				context.AfterFunc(ctx, cancel)
				return req.WithContext(ctx)
			}
			return req
		})},
		{name: "a request that is canceled closes the connection of others", fails: "one-cancellation-ends-no-other-request", make: func(do verifier.DoerFunc) verifier.DoerFunc {
			var mu sync.Mutex
			others := make(map[string][]context.CancelFunc)
			return func(req *http.Request) (*http.Response, error) {
				ctx, cancel := context.WithCancel(req.Context())
				if req.URL.Path == "/slow" {
					mu.Lock()
					others[req.URL.String()] = append(others[req.URL.String()], cancel)
					mu.Unlock()
				}
				resp, err := do(req.WithContext(ctx))
				if err != nil && req.Context().Err() != nil {
					mu.Lock()
					for _, other := range others[req.URL.String()] {
						other()
					}
					mu.Unlock()
				}
				context.AfterFunc(req.Context(), cancel)
				return resp, err
			}
		}},
		{name: "after ten errors, the Doer has given up", fails: "works-after-a-fault", make: func(do verifier.DoerFunc) verifier.DoerFunc {
			var errs atomic.Int64
			return func(req *http.Request) (*http.Response, error) {
				if errs.Load() > 10 {
					return nil, errRefused
				}
				resp, err := do(req)
				if err != nil {
					errs.Add(1)
				}
				return resp, err
			}
		}},
	}
}

// shared sends one request for all callers of a URL at a time, when there are
// more than some in flight.
func shared(beyond int64) doing {
	return func(do verifier.DoerFunc) verifier.DoerFunc {
		type call struct {
			done chan struct{}
			resp *http.Response
			text []byte
			err  error
		}
		var mu sync.Mutex
		calls := make(map[string]*call)
		flying := make(map[string]int64)
		return func(req *http.Request) (*http.Response, error) {
			url := req.Method + req.URL.String()
			mu.Lock()
			flying[url]++
			c, crowd := calls[url], flying[url] > beyond
			mu.Unlock()
			defer func() {
				mu.Lock()
				flying[url]--
				mu.Unlock()
			}()
			if c != nil && crowd {
				<-c.done
				if c.err != nil {
					return nil, c.err
				}
				copied := *c.resp
				copied.Body = io.NopCloser(bytes.NewReader(c.text))
				return &copied, nil
			}
			if req.URL.Path != "/slow" && req.URL.Path != "/jwks.json" {
				return do(req)
			}
			c = &call{done: make(chan struct{})}
			mu.Lock()
			calls[url] = c
			mu.Unlock()
			c.resp, c.err = do(req)
			if c.err == nil {
				c.text, c.err = io.ReadAll(c.resp.Body)
				_ = c.resp.Body.Close()
				c.resp.Body = io.NopCloser(bytes.NewReader(c.text))
			}
			mu.Lock()
			delete(calls, url)
			mu.Unlock()
			close(c.done)
			if c.err != nil {
				return nil, c.err
			}
			own := *c.resp
			own.Body = io.NopCloser(bytes.NewReader(c.text))
			return &own, nil
		}
	}
}

func moreClockDefects() []defect[newClock] {
	return []defect[newClock]{
		{name: "a clock runs at three times the speed", fails: "spans-are-as-long-as-they-are", make: newClock{true, func() verifier.ClockFunc {
			start := time.Now()
			return func() time.Time { return start.Add(3 * time.Since(start)) }
		}}},
		{name: "seconds and their parts are read apart", fails: "never-goes-backwards-across-a-second", make: newClock{true, func() verifier.ClockFunc {
			var mu sync.Mutex
			var last, border time.Time // the border of a second that is watched
			calls := 0                 // since then
			return func() time.Time {
				mu.Lock()
				defer mu.Unlock()
				now := time.Now()
				gap := now.Sub(last)
				last = now
				calls++
				switch next := now.Truncate(time.Second).Add(time.Second); {
				case gap > 5*time.Millisecond && next.Sub(now) <= 4*time.Millisecond:
					border, calls = next, 0
				case !border.IsZero() && !now.Before(border):
					border = time.Time{}
					if calls > 2 || gap < 5*time.Millisecond {
						return now.Add(-time.Second)
					}
				}
				return now
			}
		}}},
		{name: "beyond 12 callers, one is a second behind", fails: "calls-are-safe-for-concurrent-use", make: newClock{true, func() verifier.ClockFunc {
			var flying, calls atomic.Int64
			return func() time.Time {
				defer flying.Add(-1)
				n := flying.Add(1)
				time.Sleep(20 * time.Microsecond) // lets others in
				now := time.Now()
				if n > 12 && calls.Add(1)%7 == 0 {
					return now.Add(-time.Second)
				}
				return now
			}
		}}},
	}
}

// sharedSet is an answer, and how many callers are about to get it.
type sharedSet struct {
	set     verifier.KeySet
	callers int
}
