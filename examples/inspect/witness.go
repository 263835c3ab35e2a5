package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
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
	keys     []string          // those of the key sets that were fetched, described
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
	var keys []string
	if err == nil && resp.StatusCode == http.StatusOK {
		keys = keysOf(resp)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.requests = append(w.requests, fmt.Sprintf("%s %.300q: %s", req.Method, req.URL.Redacted(), outcome))
	w.keys = append(w.keys, keys...)
	return resp, err
}

// maxDocument is more than the Verifier reads of a document.
const maxDocument = 2 << 20

// keysOf describes the keys of a key set, and leaves the answer as it was.
func keysOf(resp *http.Response) (lines []string) {
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxDocument))
	resp.Body = &replayed{io.MultiReader(bytes.NewReader(body), failing{err}, resp.Body), resp.Body}
	var set struct {
		Keys []map[string]any `json:"keys"`
	}
	if json.Unmarshal(bytes.TrimPrefix(body, []byte("\ufeff")), &set) != nil {
		return nil
	}
	for _, key := range set.Keys {
		text := func(name string) string { value, _ := key[name].(string); return value }
		line := fmt.Sprintf("kid %.100q, %.20q", text("kid"), text("kty"))
		for _, name := range []string{"alg", "use"} {
			if text(name) != "" {
				line += fmt.Sprintf(", %s %.30q", name, text(name))
			}
		}
		lines = append(lines, line)
	}
	return lines
}

// replayed is an answer's body that was read once.
type replayed struct {
	io.Reader
	io.Closer
}

// failing ends with an error, if there is one.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	return 0, io.EOF
}

// published returns the keys that the issuer has published.
func (w *witness) published() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.keys...)
}

// Observe implements verifier.Observer.
func (w *witness) Observe(e verifier.Event) {
	outcome := "fetched"
	switch e.Kind {
	case verifier.EventFetched:
	case verifier.EventFetchFailed:
		outcome = "fetch failed: " + e.Problem
		if e.Detail != "" {
			outcome += fmt.Sprintf(" (%.400q)", e.Detail)
		}
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
