package introspection

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/portcullis-go/portcullis/internal/foreign"
)

// EventKind says what an [Event] is about, in one stable word.
type EventKind string

// The kinds of events.
const (
	EventAnswered   EventKind = "answered"    // the endpoint answered; Active says what
	EventFailed     EventKind = "failed"      // a question was not answered; Err says why
	EventCacheHit   EventKind = "cache_hit"   // an answer was remembered; Active says what
	EventCacheFault EventKind = "cache_fault" // Config.Cache failed, or held what is none of this client's answers
)

// Event is one thing that happened. It holds nothing of a token or secret, and no
// bytes of the endpoint.
type Event struct {
	// Kind says which of the other fields count.
	Kind EventKind
	// Issuer that was asked.
	Issuer string
	// Active of EventAnswered and EventCacheHit.
	Active bool
	// Problem of EventFailed in one stable word: issuer, metadata, credentials, busy,
	// timeout, network, canceled, refused, invalid_response or closed.
	Problem string
	// Status of the endpoint's answer, for the problem refused, or 0.
	Status int
	// Err is the failure: an [*Error] of EventFailed, and of EventCacheFault what the
	// cache reported, which may hold whatever the cache puts into its errors.
	Err error
	// Duration of all that was done for the question, the wait for an equal one
	// included.
	Duration time.Duration
	// Shared says that an equal question, which was under way, brought the answer.
	Shared bool
}

// Observer is told what happens, for logs and metrics. Observe is called from many
// goroutines at once, on the path of requests: it must be safe for concurrent use
// and return quickly. A panic in it is swallowed.
type Observer interface {
	Observe(Event)
}

// ObserverFunc makes an [Observer] of a function.
type ObserverFunc func(Event)

// Observe calls f(e).
func (f ObserverFunc) Observe(e Event) { f(e) }

// NewSlogObserver returns an Observer that logs failures and faults of the cache as
// warnings, and the rest, with questions that were too many, as debug messages: a
// client of this program that makes tokens up cannot fill the log.
func NewSlogObserver(logger *slog.Logger) Observer { return slogObserver{logger} }

type slogObserver struct{ logger *slog.Logger }

func (o slogObserver) Observe(e Event) {
	level := slog.LevelDebug
	if e.Kind == EventCacheFault || e.Kind == EventFailed && e.Problem != "busy" && e.Problem != "canceled" {
		level = slog.LevelWarn
	}
	ctx := context.Background()
	if !o.logger.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{slog.String("issuer", e.Issuer)}
	if e.Problem != "" {
		attrs = append(attrs, slog.String("problem", e.Problem))
	}
	if e.Status != 0 {
		attrs = append(attrs, slog.Int("status", e.Status))
	}
	if e.Duration > 0 {
		attrs = append(attrs, slog.Duration("duration", e.Duration))
	}
	o.logger.LogAttrs(ctx, level, "portcullis: introspection: "+string(e.Kind), attrs...)
}

func (c *Client) observe(e Event) {
	if c.observer != nil {
		e.Issuer = c.name
		foreign.Tell(func() { c.observer.Observe(e) })
	}
}

func (c *Client) cacheFault(err error) { c.observe(Event{Kind: EventCacheFault, Err: err}) }

// outcome is how a question was answered.
type outcome struct {
	active bool
	hit    bool // from memory or the cache
	shared bool // by a question under way
}

func (c *Client) observeOutcome(began time.Time, how outcome, err error) {
	if c.observer == nil {
		return
	}
	e := Event{Kind: EventAnswered, Active: how.active, Shared: how.shared, Duration: max(0, c.clock.Now().Sub(began))}
	var failure *Error
	switch {
	case errors.As(err, &failure):
		e.Kind, e.Active, e.Err, e.Problem, e.Status = EventFailed, false, err, problem(err), failure.Status
	case how.hit:
		e.Kind = EventCacheHit
	}
	c.observe(e)
}

func problem(err error) string {
	for _, p := range problems {
		if errors.Is(err, p.err) {
			return p.word
		}
	}
	return "other"
}

var problems = [...]struct {
	err  error
	word string
}{
	{ErrIssuer, "issuer"}, {ErrMetadata, "metadata"}, {ErrCredentials, "credentials"}, {ErrBusy, "busy"}, {ErrTimeout, "timeout"},
	{ErrNetwork, "network"}, {ErrCanceled, "canceled"}, {ErrRefused, "refused"}, {ErrInvalidResponse, "invalid_response"}, {ErrClosed, "closed"},
}
