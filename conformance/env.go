package conformance

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	randv2 "math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"
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
	id     string
	prefix string // of all keys of the check
	seed   uint64
	scale  int // of short ttls, when the machine was too slow for shorter ones

	mu       sync.Mutex
	cleanups []func()
	flying   map[int]flight
	serial   int
	counts   map[string]int // calls that returned, by method
	spent    time.Duration  // in them
	late     string         // the call that took too long
}

// flight is a call that has not returned.
type flight struct {
	call  string
	since time.Time
}

func newEnv(ctx context.Context, seed uint64, scale int) *Env {
	id := randomHex(8)
	if seed == 0 {
		var b [8]byte
		_, _ = rand.Read(b[:]) // never fails
		seed = binary.LittleEndian.Uint64(b[:]) | 1
	}
	return &Env{
		Namespace: "conformance-" + id, ctx: ctx, id: id, prefix: randomHex(6) + ":", seed: seed, scale: scale,
		flying: make(map[int]flight), counts: make(map[string]int),
	}
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
	other := newEnv(e.ctx, e.seed, e.scale)
	other.Namespace, other.prefix, other.id = namespace, e.prefix, e.id
	e.Cleanup(other.clean)
	return other
}

// key returns a key of this check.
func (e *Env) key(name string) string { return e.prefix + name }

// random returns a source of the check's seed; each n is another one.
func (e *Env) random(n uint64) *randv2.Rand { return randv2.New(randv2.NewPCG(e.seed, n)) }

// begin notes a call, so that the watchdog can name it; the result ends it.
func (e *Env) begin(call string) (end func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.serial++
	id, start := e.serial, time.Now()
	e.flying[id] = flight{call, start}
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.flying, id)
		e.counts[call]++
		e.spent += time.Since(start)
	}
}

// inFlight returns the oldest call that has not returned, or "".
func (e *Env) inFlight() (call string, since time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	oldest := 0
	for id := range e.flying {
		if oldest == 0 || id < oldest {
			oldest = id
		}
	}
	return e.flying[oldest].call, e.flying[oldest].since
}

func (e *Env) slow(call string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.late = call
}

func (e *Env) slowest() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.late
}

// calls says how many calls returned, and how long one took.
func (e *Env) calls() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var parts []string
	total := 0
	for call, n := range e.counts {
		parts = append(parts, fmt.Sprintf("%d %s", n, call))
		total += n
	}
	slices.Sort(parts)
	if total == 0 {
		return "no call"
	}
	return fmt.Sprintf("%s, %v each", strings.Join(parts, ", "), (e.spent / time.Duration(total)).Round(time.Microsecond))
}

// latency is how long a call took on average.
func (e *Env) latency() time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	total := 0
	for _, n := range e.counts {
		total += n
	}
	return e.spent / time.Duration(max(total, 1))
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
