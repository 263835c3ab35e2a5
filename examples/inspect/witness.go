package main

import (
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
)

// witness notes what the Verifier does: the requests that it sends, and its
// events about documents.
type witness struct {
	doer verifier.Doer

	mu       sync.Mutex
	requests []string
	fetches  map[string]string // document -> how its last fetch went
}

// Do implements verifier.Doer.
func (w *witness) Do(req *http.Request) (*http.Response, error) {
	began := time.Now()
	resp, err := w.doer.Do(req)
	outcome := ""
	if err != nil {
		outcome = fmt.Sprintf("%.300q", err.Error()) // of the transport; quoted, whatever an issuer put into it
	} else {
		outcome = fmt.Sprintf("%d in %v", resp.StatusCode, time.Since(began).Round(time.Millisecond))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.requests = append(w.requests, fmt.Sprintf("%s %.300q: %s", req.Method, req.URL.Redacted(), outcome))
	return resp, err
}

// Observe implements verifier.Observer.
func (w *witness) Observe(e verifier.Event) {
	outcome := "fetched"
	switch e.Kind {
	case verifier.EventFetched:
	case verifier.EventFetchFailed:
		outcome = "fetch failed: " + e.Problem
	default:
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fetches == nil {
		w.fetches = make(map[string]string)
	}
	w.fetches[e.Document] = outcome
}

// seen returns the requests, and how the last fetch of each document went.
func (w *witness) seen() (requests []string, discovery, keys string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.requests...), w.fetches["discovery"], w.fetches["jwks"]
}
