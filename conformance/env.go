package conformance

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"sync"
)

// Env is the environment of one check. The functions of a harness get it.
type Env struct {
	// Namespace is random and of lower-case letters, digits and hyphens, unless
	// the check is about others. What is made with one Namespace shares a key
	// space, and what is made with another one must not be disturbed: give it
	// to the implementation as its key prefix, with a separator, if it has
	// such a thing.
	Namespace string

	ctx    context.Context
	prefix string // of all keys of the check

	mu       sync.Mutex
	cleanups []func()
	calls    map[int]string // in flight
	serial   int
}

func newEnv(ctx context.Context) *Env {
	return &Env{Namespace: "conformance-" + randomHex(8), ctx: ctx, prefix: randomHex(6) + ":", calls: make(map[int]string)}
}

// Context ends with the check.
func (e *Env) Context() context.Context { return e.ctx }

// Cleanup runs f when the check has ended; the last one added runs first.
func (e *Env) Cleanup(f func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.cleanups = append(e.cleanups, f)
}

// clean runs the cleanups that are there, those that they add included.
func (e *Env) clean() {
	for {
		e.mu.Lock()
		n := len(e.cleanups)
		if n == 0 {
			e.mu.Unlock()
			return
		}
		f := e.cleanups[n-1]
		e.cleanups = e.cleanups[:n-1]
		e.mu.Unlock()
		f()
	}
}

// named returns an environment of another namespace that ends with this one.
func (e *Env) named(namespace string) *Env {
	other := newEnv(e.ctx)
	other.Namespace, other.prefix = namespace, e.prefix
	e.Cleanup(other.clean)
	return other
}

// key returns a key of this check.
func (e *Env) key(name string) string { return e.prefix + name }

// begin notes a call, so that the watchdog can name it; the result ends it.
func (e *Env) begin(call string) (end func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.serial++
	id := e.serial
	e.calls[id] = call
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.calls, id)
	}
}

// inFlight returns the oldest call that has not returned, or "".
func (e *Env) inFlight() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	oldest := 0
	for id := range e.calls {
		if oldest == 0 || id < oldest {
			oldest = id
		}
	}
	return e.calls[oldest]
}

func randomHex(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// randomBytes are a random block, repeated: cheap, and of any bytes.
func randomBytes(n int) []byte {
	block := make([]byte, 251)
	_, _ = rand.Read(block)
	return bytes.Repeat(block, n/len(block)+1)[:n:n]
}
