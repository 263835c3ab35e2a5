package lifecycle_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portcullis-go/portcullis/internal/cachecontrol"
	"github.com/portcullis-go/portcullis/internal/lifecycle"
)

// The tests of this package run in bubbles of testing/synctest: time is that of
// the bubble, and moves when everybody waits.

var (
	errDown     = errors.New("down")
	errUnusable = errors.New("nothing usable")
)

// place is where a document of an issuer is: what it answers and how often it
// was asked.
type place struct {
	mu     sync.Mutex
	answer lifecycle.Answer
	err    error
	delay  time.Duration
	asked  int
	tags   []string
	panics bool
}

func (p *place) set(change func(*place)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p)
}

func (p *place) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked
}

func (p *place) get(ctx context.Context, etag string) (lifecycle.Answer, error) {
	p.mu.Lock()
	p.asked++
	p.tags = append(p.tags, etag)
	delay, panics := p.delay, p.panics
	p.mu.Unlock()
	if panics {
		panic("fetch")
	}
	select {
	case <-time.After(delay):
	case <-ctx.Done():
		return lifecycle.Answer{}, ctx.Err()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	answer := p.answer
	answer.Body = slices.Clone(answer.Body)
	if p.err != nil {
		return lifecycle.Answer{}, p.err
	}
	if etag != "" && etag == answer.ETag {
		answer.NotModified, answer.Body = true, nil
	}
	return answer, nil
}

// document reads a place. Its value is the text of the document; a text of words
// has those names.
type document struct {
	kind string
	*place
	origin  func(before any) string
	private bool
}

func (d *document) Kind() string  { return d.kind }
func (d *document) Private() bool { return d.private }

func (d *document) MayComeFrom(before any, origin string) bool { return origin == d.origin(before) }

func (d *document) Fetch(ctx context.Context, before any, held lifecycle.Reference) (lifecycle.Answer, error) {
	etag := ""
	if held.Origin == d.origin(before) {
		etag = held.ETag
	}
	answer, err := d.place.get(ctx, etag)
	answer.Origin = d.origin(before)
	return answer, err
}

func (d *document) Parse(body []byte, _ string) (any, error) {
	switch text := string(body); text {
	case "garbage":
		return nil, errors.New("garbage")
	case "panic":
		panic("parse")
	case "empty":
		return nil, errUnusable
	default:
		text, _, _ = strings.Cut(text, "\x00") // the rest is ballast
		return text, nil
	}
}

// Failed says which document it was.
func (d *document) Failed(_ any, err error) error { return &failure{d.kind, err} }
func (d *document) Same(a, b any) bool            { return a == b }
func (d *document) Size(value any) int            { return len(value.(string)) }

type failure struct {
	document string
	err      error
}

func (f *failure) Error() string { return f.document + ": " + f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// issuer has metadata, whose text is the place of the keys, and a key set, whose
// text are the kids.
type issuer struct {
	metadata, keys *place
	private        bool
}

func newIssuer() *issuer {
	return &issuer{
		metadata: &place{answer: lifecycle.Answer{Body: []byte("url keys"), Public: true}},
		keys:     &place{answer: lifecycle.Answer{Body: []byte("k1"), Public: true}},
	}
}

func (i *issuer) documents() []lifecycle.Document {
	return []lifecycle.Document{
		&document{"discovery", i.metadata, func(any) string { return "url metadata" }, i.private},
		&document{"jwks", i.keys, func(before any) string {
			if before == nil {
				return "nowhere"
			}
			return before.(string)
		}, i.private},
	}
}

func (i *issuer) both(change func(*place)) {
	i.metadata.set(change)
	i.keys.set(change)
}

func (i *issuer) freshness(d cachecontrol.Directives) {
	i.both(func(p *place) { p.answer.Freshness = d })
}

func (i *issuer) counts() [2]int { return [2]int{i.metadata.count(), i.keys.count()} }

// memory is a shared cache and lease on the time of the bubble.
type memory struct {
	mu      sync.Mutex
	values  map[string]memoryValue
	largest int // 0: no bound
	fail    error
	drop    bool          // writes vanish
	hang    time.Duration // of each call, whatever the context says
	panics  bool
	sets    []string
}

type memoryValue struct {
	value []byte
	until time.Time
}

func newMemory() *memory { return &memory{values: make(map[string]memoryValue)} }

var errFull = errors.New("full")

func (m *memory) Get(_ context.Context, key string) ([]byte, bool, error) {
	time.Sleep(m.hang)
	if m.panics {
		panic("cache")
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.values[key]
	if !ok || !time.Now().Before(v.until) {
		return nil, false, nil
	}
	return slices.Clone(v.value), true, nil
}

func (m *memory) Set(_ context.Context, key string, value []byte, ttl time.Duration) error {
	time.Sleep(m.hang)
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.fail != nil:
		return m.fail
	case m.largest > 0 && len(value) > m.largest:
		return errFull
	case m.drop:
		return nil
	}
	m.sets = append(m.sets, key)
	m.values[key] = memoryValue{slices.Clone(value), time.Now().Add(ttl)}
	return nil
}

// change changes what is held, behind everybody's back.
func (m *memory) change(f func(values map[string]memoryValue)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f(m.values)
}

// copyTo puts the documents that are held into another memory.
func (m *memory) copyTo(other *memory) {
	for _, key := range m.documents() {
		var v memoryValue
		m.change(func(values map[string]memoryValue) { v = values[key] })
		other.change(func(values map[string]memoryValue) { values[key] = v })
	}
}

// documents returns the keys of the documents that are held.
func (m *memory) documents() (all []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for key, v := range m.values {
		if (strings.Contains(key, ":jwks:") || strings.Contains(key, ":discovery:")) && time.Now().Before(v.until) {
			all = append(all, key)
		}
	}
	return all
}

// leases grants each key once while it lasts.
type leases struct {
	memory *memory
	never  bool
	fail   error
	added  []string
}

func (l *leases) Add(_ context.Context, key string, ttl time.Duration) (bool, error) {
	if l.fail != nil {
		return false, l.fail
	}
	if l.never {
		return false, nil
	}
	l.memory.mu.Lock()
	defer l.memory.mu.Unlock()
	if v, ok := l.memory.values[key]; ok && time.Now().Before(v.until) {
		return false, nil
	}
	l.memory.values[key] = memoryValue{nil, time.Now().Add(ttl)}
	l.added = append(l.added, key)
	return true, nil
}

// events are what a store reported.
type events struct {
	mu  sync.Mutex
	all []lifecycle.Event
}

func (e *events) observe(event lifecycle.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, event)
}

// told returns all of them.
func (e *events) told() []lifecycle.Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.all)
}

func (e *events) count(kind lifecycle.EventKind) (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, event := range e.all {
		if event.Kind == kind {
			n++
		}
	}
	return n
}

// process is one store with the entry of one issuer.
type process struct {
	*testing.T
	*lifecycle.Store
	entry *lifecycle.Entry
	events
}

const name = "https://a.example/"

// steady is the default policy without chance.
func steady() lifecycle.Policy {
	p := lifecycle.DefaultPolicy()
	p.Jitter = 0
	return p
}

func start(t *testing.T, i *issuer, change func(*lifecycle.Config)) *process {
	t.Helper()
	p := &process{T: t}
	cfg := lifecycle.Config{Policy: steady(), Now: time.Now, Unusable: errUnusable, Observe: p.observe}
	if change != nil {
		change(&cfg)
	}
	p.Store = lifecycle.New(cfg)
	t.Cleanup(p.Close)
	p.entry = p.Entry(lifecycle.Key{Issuer: name, Source: "test"}, i.documents(), false)
	return p
}

func (p *process) get() (*lifecycle.View, error) {
	v, _, err := p.entry.Get(p.Context(), time.Now())
	return v, err
}

// text returns the key set that is served, or the error.
func (p *process) text() string {
	v, err := p.get()
	if err != nil {
		return "error: " + err.Error()
	}
	return v.Document(1).Value.(string)
}

func (p *process) want(text string) {
	p.Helper()
	if got := p.text(); got != text {
		p.Errorf("served %q; want %q", got, text)
	}
}

func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

func wantCounts(t *testing.T, i *issuer, metadata, keys int) {
	t.Helper()
	if got := i.counts(); got != [2]int{metadata, keys} {
		t.Errorf("asked %v times; want %v", got, [2]int{metadata, keys})
	}
}
