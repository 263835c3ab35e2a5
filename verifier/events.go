package verifier

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/portcullis-go/portcullis/internal/foreign"
	"github.com/portcullis-go/portcullis/internal/keys"
	"github.com/portcullis-go/portcullis/internal/lifecycle"
)

// EventKind says what an [Event] is about, in one stable word.
type EventKind string

// The kinds of events.
const (
	EventAccepted        EventKind = "accepted"           // a request or token was accepted
	EventRefused         EventKind = "refused"            // it was not; Reason says why
	EventFetched         EventKind = "fetched"            // an issuer answered with a good document
	EventFetchFailed     EventKind = "fetch_failed"       // it did not; Problem says why
	EventRotated         EventKind = "rotated"            // a refresh brought another content
	EventStale           EventKind = "stale"              // a document past its freshness was used
	EventLimited         EventKind = "limited"            // an unknown kid was not worth another fetch
	EventCacheHit        EventKind = "cache_hit"          // Config.Cache had a document
	EventCacheFault      EventKind = "cache_fault"        // Config.Cache or Config.Lease failed, or held garbage
	EventOtherSource     EventKind = "cache_other_source" // Config.Cache had a document from a source that this Verifier would not ask
	EventEvicted         EventKind = "evicted"            // an issuer in use was driven out; see Refresh.MaxMemory
	EventReplay          EventKind = "replay"             // a proof was used before
	EventReplayFault     EventKind = "replay_fault"       // the replay store failed
	EventRevocationFault EventKind = "revocation_fault"   // the revocation checker failed
)

// Event is one thing that happened. It holds nothing of a token, and no bytes
// of a client or an issuer but the name of an allowed issuer.
type Event struct {
	// Kind says which of the other fields count.
	Kind EventKind
	// Issuer, normalised, of a document event; of other events "".
	Issuer string
	// Document is "discovery" or "jwks" in document events.
	Document string
	// Reason of EventRefused.
	Reason Reason
	// Scheme of EventAccepted and EventRefused.
	Scheme Scheme
	// Problem is the kind of failure; see [Health].
	Problem string
	// Detail says in a sentence of our own which document of which issuer could
	// not be got, from which host, and why. Host is that host or, for the problem
	// jwks_uri, the one on which the metadata places the keys. Status is that of
	// the answer, or 0.
	Detail string
	Host   string
	Status int
	// Permanent says that the problem is a mistake of set-up rather than an
	// outage: somebody has to change a name, a certificate or a setting.
	Permanent bool
	// Err is the failure as the cache, store or fetcher reported it. It may
	// hold whatever that implementation puts into its errors.
	Err error
	// Duration of a fetch or of a verification.
	Duration time.Duration
	// Age of a document used stale.
	Age time.Duration
}

// Observer is told what happens, for logs and metrics. Observe is called from
// many goroutines at once, also on the path of requests: it must be safe for
// concurrent use and return quickly. A panic in it is swallowed.
type Observer interface {
	Observe(Event)
}

// ObserverFunc makes an [Observer] of a function.
type ObserverFunc func(Event)

// Observe calls f(e).
func (f ObserverFunc) Observe(e Event) { f(e) }

// NewSlogObserver returns an Observer that logs all events but accepted
// requests: failures of infrastructure and replays as warnings, refusals and
// the rest as debug messages, so that a client cannot fill the log.
func NewSlogObserver(logger *slog.Logger) Observer { return slogObserver{logger} }

type slogObserver struct{ logger *slog.Logger }

func (o slogObserver) Observe(e Event) {
	level := slog.LevelDebug
	switch e.Kind {
	case EventAccepted:
		return
	case EventFetchFailed, EventStale, EventCacheFault, EventOtherSource, EventEvicted, EventReplay, EventReplayFault, EventRevocationFault:
		level = slog.LevelWarn
	case EventRotated:
		level = slog.LevelInfo
	}
	ctx := context.Background()
	if !o.logger.Enabled(ctx, level) {
		return
	}
	attrs := make([]slog.Attr, 0, 8)
	text := func(key, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(key, value))
		}
	}
	text("issuer", e.Issuer)
	text("document", e.Document)
	text("reason", string(e.Reason))
	text("scheme", string(e.Scheme))
	text("problem", e.Problem)
	text("detail", e.Detail)
	if e.Permanent {
		attrs = append(attrs, slog.Bool("permanent", true))
	}
	if e.Duration > 0 {
		attrs = append(attrs, slog.Duration("duration", e.Duration))
	}
	if e.Age > 0 {
		attrs = append(attrs, slog.Duration("age", e.Age))
	}
	o.logger.LogAttrs(ctx, level, "portcullis: "+string(e.Kind), attrs...)
}

// watcher tells the Observer, if there is one.
type watcher struct{ observer Observer }

func (w watcher) tell(e Event) {
	if w.observer != nil {
		foreign.Tell(func() { w.observer.Observe(e) })
	}
}

// begin returns the time to measure from, or zero when nobody asks.
func (w watcher) begin() time.Time {
	if w.observer == nil {
		return time.Time{}
	}
	return time.Now()
}

// finish tells the outcome of a verification.
func (w watcher) finish(began time.Time, scheme Scheme, err error) {
	if w.observer == nil {
		return
	}
	e := Event{Kind: EventAccepted, Scheme: scheme, Duration: time.Since(began)}
	var refusal *Error
	if errors.As(err, &refusal) {
		e.Kind, e.Reason = EventRefused, refusal.Reason
	}
	w.tell(e)
}

// documentEvents translates the events of the key store.
func (w watcher) documentEvents() func(lifecycle.Event) {
	if w.observer == nil {
		return nil
	}
	return func(e lifecycle.Event) {
		t := troubleOf(e.Err)
		w.tell(Event{
			Kind: documentEventKinds[e.Kind], Issuer: e.Issuer, Document: e.Document,
			Problem: problem(e.Err), Detail: t.detail, Host: t.host, Status: t.status, Permanent: t.permanent,
			Err: e.Err, Duration: e.Duration, Age: e.Age,
		})
	}
}

var documentEventKinds = map[lifecycle.EventKind]EventKind{
	lifecycle.EventFetched:     EventFetched,
	lifecycle.EventFetchFailed: EventFetchFailed,
	lifecycle.EventRotated:     EventRotated,
	lifecycle.EventStale:       EventStale,
	lifecycle.EventLimited:     EventLimited,
	lifecycle.EventCacheHit:    EventCacheHit,
	lifecycle.EventCacheFault:  EventCacheFault,
	lifecycle.EventOtherSource: EventOtherSource,
	lifecycle.EventEvicted:     EventEvicted,
}

// problem puts a failure into one stable word; "" for nil.
func problem(err error) string { return string(keys.ClassOf(err)) }

// trouble is what operators are told about a document that could not be got.
type trouble struct {
	detail    string
	host      string
	status    int
	permanent bool
}

func troubleOf(err error) trouble {
	var f *keys.Failure
	if !errors.As(err, &f) {
		return trouble{}
	}
	detail := f.Error()
	if f.Class == keys.KeysHost && f.Host != "" {
		detail += "; Config.KeyHosts or the hosts of the issuer's Keys would allow it"
	}
	if f.File != "" {
		detail += "; the file is " + f.File
	}
	return trouble{detail, f.Host, f.Status, f.Permanent()}
}
