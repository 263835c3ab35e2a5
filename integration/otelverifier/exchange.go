package otelverifier

import (
	"context"
	"errors"
	"slices"

	"go.opentelemetry.io/otel/metric"

	"github.com/portcullis-go/portcullis/exchange"
)

// Outcomes of exchanges.
const (
	exchanged = "exchanged" // by the token endpoint
	shared    = "shared"    // by an equal request that was under way
	cached    = "cached"
)

// ExchangeObserver is an [exchange.Observer] that records metrics; see the
// package documentation for their names. It is safe for concurrent use.
type ExchangeObserver struct {
	vocabulary vocabulary
	sets       sets

	exchanges, faults metric.Int64Counter
	duration          metric.Float64Histogram
}

// NewExchangeObserver returns an ExchangeObserver. The error is one of the
// MeterProvider's.
func NewExchangeObserver(cfg Config) (*ExchangeObserver, error) {
	o := &ExchangeObserver{vocabulary: newVocabulary(&cfg)}
	meter := cfg.meter()
	var failures [3]error
	o.exchanges, failures[0] = meter.Int64Counter("portcullis.exchanges", metric.WithUnit("{exchange}"), metric.WithDescription("Requests for a token by exchange."))
	o.duration, failures[1] = meter.Float64Histogram("portcullis.exchange.duration", metric.WithUnit("s"), metric.WithDescription("Duration of requests for a token by exchange."),
		metric.WithExplicitBucketBoundaries(0.00005, 0.0005, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10))
	o.faults, failures[2] = meter.Int64Counter("portcullis.exchange.cache.faults", metric.WithUnit("{fault}"), metric.WithDescription("Failures of the cache of results, and garbage in it."))
	if err := errors.Join(failures[:]...); err != nil {
		return nil, err
	}
	return o, nil
}

// Observe implements exchange.Observer.
func (o *ExchangeObserver) Observe(e exchange.Event) {
	ctx := context.Background() // an event may concern many requests
	l := labels{flow: flow(e.Flow), issuer: o.vocabulary.issuer(e.Issuer)}
	switch e.Kind {
	case exchange.EventCacheFault:
		o.faults.Add(ctx, 1)
		return
	case exchange.EventFailed:
		l.outcome, l.errorType = failed, exchangeProblem(e.Problem)
	case exchange.EventCacheHit:
		l.outcome = cached
	case exchange.EventExchanged:
		l.outcome = exchanged
		if e.Shared {
			l.outcome = shared
		}
	default:
		return // of a newer Client
	}
	set := o.sets.of(l)
	o.exchanges.Add(ctx, 1, set)
	o.duration.Record(ctx, e.Duration.Seconds(), set)
}

func flow(name string) string {
	if slices.Contains([]string{"profile", "on-behalf-of", "connection", "id-jag", "jwt-bearer"}, name) {
		return name
	}
	return other
}

// exchangeProblem returns one of the words that exchange.Event lists.
func exchangeProblem(word string) string {
	if slices.Contains([]string{
		"metadata", "credentials", "timeout", "network", "canceled", "refused", "rate_limited", "invalid_response", "closed",
	}, word) {
		return word
	}
	return other
}
