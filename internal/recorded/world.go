package recorded

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
)

// A World is the network and the clock of a vector. It is safe for concurrent
// use.
type World struct {
	mu       sync.Mutex
	now      time.Time
	ticking  bool
	upstream []Upstream
	calls    []Call
	asked    []Context
}

// NewWorld returns the world in which a vector begins.
func NewWorld(v *Vector) *World {
	w := &World{ticking: v.Clock == "ticking"}
	w.begin(&Step{Now: v.Now, Upstream: v.Upstream})
	return w
}

// begin makes the world that of a step: the clock and the network go on as they
// were where the step says nothing; what was noted is forgotten.
func (w *World) begin(step *Step) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls, w.asked = nil, nil
	if step.Now != "" {
		w.now = instant(step.Now)
	}
	if step.Upstream == nil {
		return
	}
	w.upstream = slices.Clone(step.Upstream)
	for i := range w.upstream {
		if times := w.upstream[i].Times; times != nil {
			w.upstream[i].Times = new(*times) // counted down, and the vector may be played again
		}
	}
}

// instant converts Unix seconds, which may have a fraction, exactly.
func instant(seconds json.Number) time.Time {
	exact, ok := new(big.Rat).SetString(seconds.String())
	if !ok {
		return time.Time{}
	}
	nano := exact.Mul(exact, big.NewRat(1e9, 1))
	return time.Unix(0, new(big.Int).Div(nano.Num(), nano.Denom()).Int64())
}

// Now returns the time of the step.
func (w *World) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ticking {
		w.now = w.now.Add(time.Microsecond)
	}
	return w.now
}

// Do answers as the vector says, and notes what was sent.
func (w *World) Do(req *http.Request) (*http.Response, error) {
	call, err := noted(req)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, call)
	for i := range w.upstream {
		u := &w.upstream[i]
		if u.Method != req.Method || u.URL != req.URL.String() || u.Times != nil && *u.Times == 0 {
			continue
		}
		if u.Times != nil {
			*u.Times--
		}
		return u.answer(req)
	}
	return nil, errNetwork
}

var errNetwork = errors.New("connection refused")

func (u *Upstream) answer(req *http.Request) (*http.Response, error) {
	switch {
	case u.Error == "timeout":
		return nil, context.DeadlineExceeded
	case u.Error != "":
		return nil, errNetwork
	}
	var body []byte
	if u.Body != nil {
		body = []byte(*u.Body)
	}
	if u.BodyB64 != nil {
		body = *u.BodyB64
	}
	header := make(http.Header)
	for name, value := range u.Headers {
		header.Set(name, value)
	}
	return &http.Response{
		StatusCode: u.Status, Header: header, Request: req,
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}, nil
}

func noted(req *http.Request) (Call, error) {
	call := Call{Method: req.Method, URL: req.URL.String()}
	if req.Body == nil {
		return call, nil
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return call, err
	}
	if call.Form, err = url.ParseQuery(string(body)); err != nil {
		return call, err
	}
	call.Authorization, call.ContentType = req.Header.Get("Authorization"), req.Header.Get("Content-Type")
	if deadline, ok := req.Context().Deadline(); ok {
		call.Timeout = json.Number(fmt.Sprint(time.Until(deadline).Seconds()))
	}
	return call, nil
}

// Asked notes what a resolver was told.
func (w *World) Asked(context Context) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = append(w.asked, context)
}

// observed returns what was noted since the step began.
func (w *World) observed() (calls []Call, asked []Context) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.calls), slices.Clone(w.asked)
}
