package otelverifier_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/portcullis-go/portcullis/integration/otelverifier"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/reason"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

const audience = "https://api.example.com"

// series is a metric with attributes, such as "cache.hits document=jwks".
type series struct {
	count int64 // value of a counter, or how many were recorded
	sum   float64
	unit  string
}

func newObserver(t *testing.T, cfg otelverifier.Config) (*otelverifier.Observer, *sdkmetric.ManualReader) {
	t.Helper()
	reader := sdkmetric.NewManualReader()
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	cfg.MeterProvider = provider
	o, err := otelverifier.NewObserver(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return o, reader
}

// collect returns what was recorded, by name without "portcullis." and
// attributes.
func collect(t *testing.T, reader *sdkmetric.ManualReader) map[string]series {
	t.Helper()
	var data metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &data); err != nil {
		t.Fatal(err)
	}
	all := make(map[string]series)
	for _, scope := range data.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch d := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range d.DataPoints {
					all[seriesName(m.Name, p.Attributes)] = series{count: p.Value, unit: m.Unit}
				}
			case metricdata.Histogram[float64]:
				for _, p := range d.DataPoints {
					all[seriesName(m.Name, p.Attributes)] = series{count: int64(p.Count), sum: p.Sum, unit: m.Unit}
				}
			default:
				t.Fatalf("metric %q is a %T", m.Name, d)
			}
		}
	}
	return all
}

func seriesName(name string, attributes attribute.Set) string {
	parts := []string{strings.TrimPrefix(name, "portcullis.")}
	for _, kv := range attributes.ToSlice() { // sorted
		parts = append(parts, strings.TrimPrefix(string(kv.Key), "portcullis.")+"="+kv.Value.AsString())
	}
	return strings.Join(parts, " ")
}

func TestObserve(t *testing.T) {
	const issuer = "https://tenant.auth0.com/"
	for _, c := range []struct {
		name  string
		event verifier.Event
		want  map[string]series
	}{
		{"accepted", verifier.Event{Kind: verifier.EventAccepted, Scheme: verifier.SchemeDPoP, Duration: 2 * time.Millisecond}, map[string]series{
			"verifications outcome=accepted scheme=DPoP":         {1, 0, "{verification}"},
			"verification.duration outcome=accepted scheme=DPoP": {1, 0.002, "s"},
		}},
		{"refused", verifier.Event{Kind: verifier.EventRefused, Scheme: verifier.SchemeBearer, Reason: reason.Expired, Duration: time.Second}, map[string]series{
			"verifications error.type=expired outcome=refused scheme=Bearer":         {1, 0, "{verification}"},
			"verification.duration error.type=expired outcome=refused scheme=Bearer": {1, 1, "s"},
		}},
		{"no credentials", verifier.Event{Kind: verifier.EventRefused, Reason: reason.NoCredentials}, map[string]series{
			"verifications error.type=no_credentials outcome=refused":         {1, 0, "{verification}"},
			"verification.duration error.type=no_credentials outcome=refused": {1, 0, "s"},
		}},
		{"could not decide", verifier.Event{Kind: verifier.EventRefused, Scheme: verifier.SchemeBearer, Reason: reason.Keys}, map[string]series{
			"verifications error.type=keys_unavailable outcome=undecided scheme=Bearer":         {1, 0, "{verification}"},
			"verification.duration error.type=keys_unavailable outcome=undecided scheme=Bearer": {1, 0, "s"},
		}},
		{"mistake of the program", verifier.Event{Kind: verifier.EventRefused, Scheme: verifier.SchemeDPoP, Reason: reason.Argument}, map[string]series{
			"verifications error.type=argument outcome=error scheme=DPoP":         {1, 0, "{verification}"},
			"verification.duration error.type=argument outcome=error scheme=DPoP": {1, 0, "s"},
		}},
		{"fetched", verifier.Event{Kind: verifier.EventFetched, Issuer: issuer, Document: "jwks", Duration: 250 * time.Millisecond}, map[string]series{
			"document.fetches document=jwks outcome=succeeded":        {1, 0, "{fetch}"},
			"document.fetch.duration document=jwks outcome=succeeded": {1, 0.25, "s"},
		}},
		{"fetch failed", verifier.Event{Kind: verifier.EventFetchFailed, Issuer: issuer, Document: "discovery", Problem: "timeout", Duration: 5 * time.Second}, map[string]series{
			"document.fetches error.type=timeout document=discovery outcome=failed":        {1, 0, "{fetch}"},
			"document.fetch.duration error.type=timeout document=discovery outcome=failed": {1, 5, "s"},
		}},
		{"rotated", verifier.Event{Kind: verifier.EventRotated, Issuer: issuer, Document: "jwks"}, map[string]series{
			"document.rotations document=jwks": {1, 0, "{rotation}"},
		}},
		{"stale", verifier.Event{Kind: verifier.EventStale, Issuer: issuer, Document: "jwks", Age: time.Hour}, map[string]series{
			"document.stale_uses document=jwks": {1, 0, "{use}"},
		}},
		{"limited", verifier.Event{Kind: verifier.EventLimited, Issuer: issuer, Document: "jwks"}, map[string]series{
			"document.limited_refetches document=jwks": {1, 0, "{refetch}"},
		}},
		{"cache hit", verifier.Event{Kind: verifier.EventCacheHit, Issuer: issuer, Document: "discovery"}, map[string]series{
			"cache.hits document=discovery": {1, 0, "{hit}"},
		}},
		{"cache fault", verifier.Event{Kind: verifier.EventCacheFault, Issuer: issuer, Document: "jwks"}, map[string]series{
			"cache.faults document=jwks": {1, 0, "{fault}"},
		}},
		{"replay", verifier.Event{Kind: verifier.EventReplay}, map[string]series{"replay.detections": {1, 0, "{proof}"}}},
		{"replay fault", verifier.Event{Kind: verifier.EventReplayFault}, map[string]series{"replay.faults": {1, 0, "{fault}"}}},
		{"unknown kind", verifier.Event{Kind: "later"}, map[string]series{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, reader := newObserver(t, otelverifier.Config{})
			o.Observe(c.event)
			if got := collect(t, reader); !maps.Equal(got, c.want) {
				t.Errorf("metrics = %v; want %v", got, c.want)
			}
		})
	}
}

func TestIssuersAreRecordedWhenListed(t *testing.T) {
	o, reader := newObserver(t, otelverifier.Config{Issuers: []string{"tenant.auth0.com", "https://idp.example.com/realms/one"}})
	for _, issuer := range []string{"https://tenant.auth0.com/", "https://idp.example.com/realms/one", "https://a.example.com/", "https://b.example.com/"} {
		o.Observe(verifier.Event{Kind: verifier.EventStale, Document: "jwks", Issuer: issuer})
	}
	o.Observe(verifier.Event{Kind: verifier.EventReplay})
	want := map[string]series{
		"document.stale_uses document=jwks issuer=https://tenant.auth0.com":           {1, 0, "{use}"},
		"document.stale_uses document=jwks issuer=https://idp.example.com/realms/one": {1, 0, "{use}"},
		"document.stale_uses document=jwks issuer=_OTHER":                             {2, 0, "{use}"},
		"replay.detections": {1, 0, "{proof}"},
	}
	if got := collect(t, reader); !maps.Equal(got, want) {
		t.Errorf("metrics = %v; want %v", got, want)
	}
}

// TestCardinality: whatever events hold, there are only so many series.
func TestCardinality(t *testing.T) {
	o, reader := newObserver(t, otelverifier.Config{Issuers: []string{"tenant.auth0.com"}})
	kinds := []verifier.EventKind{
		verifier.EventAccepted, verifier.EventRefused, verifier.EventFetched, verifier.EventFetchFailed, verifier.EventRotated, verifier.EventStale,
		verifier.EventLimited, verifier.EventCacheHit, verifier.EventCacheFault, verifier.EventReplay, verifier.EventReplayFault, "later",
	}
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			evil := "evil-" + strings.Repeat("x", i)
			for _, kind := range kinds {
				o.Observe(verifier.Event{
					Kind: kind, Issuer: evil, Document: evil, Reason: verifier.Reason(evil), Scheme: verifier.Scheme(evil), Problem: evil,
				})
			}
		})
	}
	wg.Wait()
	got := collect(t, reader)
	if len(got) != 15 { // a counter and a duration of each of the first four kinds, a counter of each of the other seven
		t.Errorf("%d series; want 15: %v", len(got), slices.Sorted(maps.Keys(got)))
	}
	for name := range got {
		if strings.Contains(name, "evil") {
			t.Errorf("series %q has what an event held", name)
		}
	}
}

// TestVerifierMetrics: the events of a real Verifier arrive.
func TestVerifierMetrics(t *testing.T) {
	o, reader := newObserver(t, otelverifier.Config{})
	issuer := verifiertest.NewIssuer(t)
	cfg := issuer.Config(audience)
	cfg.Observer = o
	v, err := verifier.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	for range 3 {
		if _, err := v.VerifyRequest(t.Context(), bearer(issuer.Sign(audience, nil))); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := v.VerifyRequest(t.Context(), bearer(issuer.Sign("https://other.example.com", nil))); err == nil {
		t.Fatal("a token for another audience was accepted")
	}
	got := collect(t, reader)
	for name, want := range map[string]int64{
		"verifications outcome=accepted scheme=Bearer":                            3,
		"verification.duration outcome=accepted scheme=Bearer":                    3,
		"verifications error.type=audience outcome=refused scheme=Bearer":         1,
		"verification.duration error.type=audience outcome=refused scheme=Bearer": 1,
		"document.fetches document=discovery outcome=succeeded":                   1,
		"document.fetches document=jwks outcome=succeeded":                        1,
		"document.fetch.duration document=jwks outcome=succeeded":                 1,
	} {
		if got[name].count != want {
			t.Errorf("%s = %d; want %d", name, got[name].count, want)
		}
	}
}

func bearer(token string) verifier.Request {
	return verifier.Request{Method: http.MethodGet, URL: "https://api.example.com/orders", Header: http.Header{"Authorization": {"Bearer " + token}}}
}
