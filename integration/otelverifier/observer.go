package otelverifier

import (
	"context"
	"errors"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/portcullis-go/portcullis/verifier"
)

// Observer is a [verifier.Observer] that records metrics; see the package
// documentation for their names. It is safe for concurrent use.
type Observer struct {
	vocabulary vocabulary
	counters   map[verifier.EventKind]metric.Int64Counter // of what has no duration
	sets       sets

	verifications, fetches              metric.Int64Counter
	verificationDuration, fetchDuration metric.Float64Histogram
}

// NewObserver returns an Observer. The error is one of the MeterProvider's.
func NewObserver(cfg Config) (*Observer, error) {
	o := &Observer{vocabulary: newVocabulary(&cfg), counters: make(map[verifier.EventKind]metric.Int64Counter)}
	meter := cfg.meter()
	var failures []error
	counter := func(name, unit, description string) metric.Int64Counter {
		c, err := meter.Int64Counter("portcullis."+name, metric.WithUnit(unit), metric.WithDescription(description))
		failures = append(failures, err)
		return c
	}
	histogram := func(name, description string, bounds ...float64) metric.Float64Histogram {
		h, err := meter.Float64Histogram("portcullis."+name, metric.WithUnit("s"), metric.WithDescription(description),
			metric.WithExplicitBucketBoundaries(bounds...))
		failures = append(failures, err)
		return h
	}
	o.verifications = counter("verifications", "{verification}", "Requests and tokens that were verified.")
	o.verificationDuration = histogram("verification.duration", "Duration of verifications, waiting for keys included.",
		0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5)
	o.fetches = counter("document.fetches", "{fetch}", "Fetches of discovery documents and key sets.")
	o.fetchDuration = histogram("document.fetch.duration", "Duration of fetches of discovery documents and key sets.",
		0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
	for kind, c := range map[verifier.EventKind][3]string{
		verifier.EventRotated:     {"document.rotations", "{rotation}", "Refreshes that brought another content."},
		verifier.EventStale:       {"document.stale_uses", "{use}", "Uses of a document past its freshness."},
		verifier.EventLimited:     {"document.limited_refetches", "{refetch}", "Refetches for unknown keys that the limit did not allow."},
		verifier.EventCacheHit:    {"cache.hits", "{hit}", "Documents found in the shared cache."},
		verifier.EventCacheFault:  {"cache.faults", "{fault}", "Failures of the shared cache or lease, and garbage in it."},
		verifier.EventReplay:      {"replay.detections", "{proof}", "DPoP proofs that were used before."},
		verifier.EventReplayFault: {"replay.faults", "{fault}", "Failures of the replay store."},
	} {
		o.counters[kind] = counter(c[0], c[1], c[2])
	}
	if err := errors.Join(failures...); err != nil {
		return nil, err
	}
	return o, nil
}

// Observe implements verifier.Observer.
func (o *Observer) Observe(e verifier.Event) {
	ctx := context.Background() // an event may concern many requests
	switch e.Kind {
	case verifier.EventAccepted, verifier.EventRefused:
		l := labels{outcome: accepted, scheme: scheme(e.Scheme)}
		if e.Kind == verifier.EventRefused {
			l.outcome, l.errorType = o.vocabulary.refusal(e.Reason)
		}
		set := o.sets.of(l)
		o.verifications.Add(ctx, 1, set)
		o.verificationDuration.Record(ctx, e.Duration.Seconds(), set)
	case verifier.EventFetched, verifier.EventFetchFailed:
		l := labels{outcome: succeeded, document: document(e.Document), issuer: o.vocabulary.issuer(e.Issuer)}
		if e.Kind == verifier.EventFetchFailed {
			l.outcome, l.errorType = failed, problem(e.Problem)
		}
		set := o.sets.of(l)
		o.fetches.Add(ctx, 1, set)
		o.fetchDuration.Record(ctx, e.Duration.Seconds(), set)
	default:
		c, ok := o.counters[e.Kind]
		if !ok {
			return // of a newer Verifier
		}
		l := labels{issuer: o.vocabulary.issuer(e.Issuer)}
		if e.Document != "" {
			l.document = document(e.Document)
		}
		c.Add(ctx, 1, o.sets.of(l))
	}
}

// labels are the attributes of a measurement; "" is left out.
type labels struct{ outcome, scheme, document, flow, issuer, errorType string }

// sets are the attributes of labels.
type sets struct{ made sync.Map }

// of returns the attributes, made once: there are only so many.
func (s *sets) of(l labels) metric.MeasurementOption {
	if set, ok := s.made.Load(l); ok {
		return set.(metric.MeasurementOption)
	}
	set := metric.WithAttributeSet(attribute.NewSet(l.attributes()...))
	s.made.Store(l, set)
	return set
}

func (l labels) attributes() []attribute.KeyValue {
	var list []attribute.KeyValue
	for _, a := range [...]struct {
		key   attribute.Key
		value string
	}{{keyOutcome, l.outcome}, {keyScheme, l.scheme}, {keyDocument, l.document}, {keyFlow, l.flow}, {keyIssuer, l.issuer}, {keyError, l.errorType}} {
		if a.value != "" {
			list = append(list, a.key.String(a.value))
		}
	}
	return list
}
