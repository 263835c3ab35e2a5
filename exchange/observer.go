package exchange

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
	EventExchanged  EventKind = "exchanged"   // the token endpoint gave a token
	EventFailed     EventKind = "failed"      // a request got no token from there; Err says why
	EventCacheHit   EventKind = "cache_hit"   // a result was served from Config.Cache
	EventCacheFault EventKind = "cache_fault" // Config.Cache failed, or held what is none of this client's results
)

// Event is one thing that happened. It holds nothing of a token or secret, and
// no bytes of the token endpoint.
type Event struct {
	// Kind says which of the other fields count.
	Kind EventKind
	// Flow is "profile", "on-behalf-of", "connection", "id-jag" or "jwt-bearer";
	// "" for EventCacheFault.
	Flow string
	// Issuer that was asked, by its normalised name; "" for EventCacheFault.
	Issuer string
	// Problem of EventFailed in one stable word: metadata, credentials, timeout,
	// network, canceled, refused, rate_limited, invalid_response or closed. A
	// request whose arguments are refused is no event.
	Problem string
	// Status of the answer of the token endpoint, for EventFailed with the problem
	// refused or rate_limited, or 0.
	Status int
	// Err is the failure: an [*Error] of EventFailed, and of EventCacheFault what
	// the cache reported, which may hold whatever the cache puts into its errors.
	Err error
	// Duration of EventExchanged, EventFailed and EventCacheHit: of all that was
	// done for the request, the wait for an equal one included.
	Duration time.Duration
	// Shared says that an equal request, which was under way, did the work.
	Shared bool
}

// Observer is told what happens, for logs and metrics. Observe is called from
// many goroutines at once, on the path of requests: it must be safe for
// concurrent use and return quickly. A panic in it is swallowed.
type Observer interface {
	Observe(Event)
}

// ObserverFunc makes an [Observer] of a function.
type ObserverFunc func(Event)

// Observe calls f(e).
func (f ObserverFunc) Observe(e Event) { f(e) }

// NewSlogObserver returns an Observer that logs failures and faults of the cache
// as warnings, and the rest, with requests that were refused, as debug messages:
// a client of this program cannot fill the log.
func NewSlogObserver(logger *slog.Logger) Observer { return slogObserver{logger} }

type slogObserver struct{ logger *slog.Logger }

func (o slogObserver) Observe(e Event) {
	level := slog.LevelDebug
	switch {
	case e.Kind == EventCacheFault:
		level = slog.LevelWarn
	case e.Kind == EventFailed && e.Problem != "refused" && e.Problem != "canceled":
		level = slog.LevelWarn
	}
	ctx := context.Background()
	if !o.logger.Enabled(ctx, level) {
		return
	}
	var attrs []slog.Attr
	for _, field := range [...][2]string{{"flow", e.Flow}, {"issuer", e.Issuer}, {"problem", e.Problem}} {
		if field[1] != "" {
			attrs = append(attrs, slog.String(field[0], field[1]))
		}
	}
	if e.Status != 0 {
		attrs = append(attrs, slog.Int("status", e.Status))
	}
	if e.Duration > 0 {
		attrs = append(attrs, slog.Duration("duration", e.Duration))
	}
	o.logger.LogAttrs(ctx, level, "portcullis: token exchange: "+string(e.Kind), attrs...)
}

// observe hands an event to the Observer, if there is one.
func (c *Client) observe(e Event) {
	if c.observer != nil {
		foreign.Tell(func() { c.observer.Observe(e) })
	}
}

func (c *Client) cacheFault(err error) { c.observe(Event{Kind: EventCacheFault, Err: err}) }

// outcome is how a request was answered.
type outcome struct {
	hit    bool // from the cache
	shared bool // by a request under way
}

func (c *Client) observeOutcome(k *call, began time.Time, how outcome, err error) {
	if c.observer == nil {
		return
	}
	e := Event{Kind: EventExchanged, Flow: k.flow.name, Issuer: k.issuer, Duration: max(0, c.clock.Now().Sub(began)), Shared: how.shared}
	switch {
	case err != nil:
		e.Kind, e.Err, e.Problem = EventFailed, err, problem(err)
		var failure *Error
		if errors.As(err, &failure) && (failure.kind == ErrRefused || failure.kind == ErrRateLimited) {
			e.Status = failure.Status
		}
	case how.hit:
		e.Kind = EventCacheHit
	}
	c.observe(e)
}

// problem puts a failure into one stable word.
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
	{ErrMetadata, "metadata"}, {ErrCredentials, "credentials"}, {ErrTimeout, "timeout"}, {ErrNetwork, "network"},
	{ErrCanceled, "canceled"}, {ErrRefused, "refused"}, {ErrRateLimited, "rate_limited"}, {ErrInvalidResponse, "invalid_response"}, {ErrClosed, "closed"},
}
