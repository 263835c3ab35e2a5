package otelverifier_test

import (
	"maps"
	"net/url"
	"testing"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/portcullis-go/portcullis/exchange"
	"github.com/portcullis-go/portcullis/integration/otelverifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

func newExchangeObserver(t *testing.T, cfg otelverifier.Config) (*otelverifier.ExchangeObserver, *sdkmetric.ManualReader) {
	t.Helper()
	reader := sdkmetric.NewManualReader()
	cfg.MeterProvider = sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	o, err := otelverifier.NewExchangeObserver(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return o, reader
}

func TestObserveExchanges(t *testing.T) {
	const issuer = "https://tenant.auth0.com/"
	for _, c := range []struct {
		name  string
		event exchange.Event
		want  map[string]series
	}{
		{"exchanged", exchange.Event{Kind: exchange.EventExchanged, Flow: "on-behalf-of", Issuer: issuer, Duration: 250 * time.Millisecond}, map[string]series{
			"exchanges flow=on-behalf-of issuer=https://tenant.auth0.com outcome=exchanged":         {1, 0, "{exchange}"},
			"exchange.duration flow=on-behalf-of issuer=https://tenant.auth0.com outcome=exchanged": {1, 0.25, "s"},
		}},
		{"shared", exchange.Event{Kind: exchange.EventExchanged, Flow: "jwt-bearer", Issuer: issuer, Shared: true}, map[string]series{
			"exchanges flow=jwt-bearer issuer=https://tenant.auth0.com outcome=shared":         {1, 0, "{exchange}"},
			"exchange.duration flow=jwt-bearer issuer=https://tenant.auth0.com outcome=shared": {1, 0, "s"},
		}},
		{"cached", exchange.Event{Kind: exchange.EventCacheHit, Flow: "id-jag", Issuer: issuer, Duration: time.Millisecond}, map[string]series{
			"exchanges flow=id-jag issuer=https://tenant.auth0.com outcome=cached":         {1, 0, "{exchange}"},
			"exchange.duration flow=id-jag issuer=https://tenant.auth0.com outcome=cached": {1, 0.001, "s"},
		}},
		{"failed", exchange.Event{Kind: exchange.EventFailed, Flow: "profile", Issuer: "https://other.example/", Problem: "refused", Status: 400}, map[string]series{
			"exchanges error.type=refused flow=profile issuer=_OTHER outcome=failed":         {1, 0, "{exchange}"},
			"exchange.duration error.type=refused flow=profile issuer=_OTHER outcome=failed": {1, 0, "s"},
		}},
		{"words that are not known", exchange.Event{Kind: exchange.EventFailed, Flow: "x", Issuer: issuer, Problem: "y"}, map[string]series{
			"exchanges error.type=_OTHER flow=_OTHER issuer=https://tenant.auth0.com outcome=failed":         {1, 0, "{exchange}"},
			"exchange.duration error.type=_OTHER flow=_OTHER issuer=https://tenant.auth0.com outcome=failed": {1, 0, "s"},
		}},
		{"cache fault", exchange.Event{Kind: exchange.EventCacheFault}, map[string]series{"exchange.cache.faults": {1, 0, "{fault}"}}},
		{"later", exchange.Event{Kind: "later"}, map[string]series{}},
	} {
		o, reader := newExchangeObserver(t, otelverifier.Config{Issuers: []string{"tenant.auth0.com"}})
		o.Observe(c.event)
		if got := collect(t, reader); !maps.Equal(got, c.want) {
			t.Errorf("%s: %v; want %v", c.name, got, c.want)
		}
	}
}

// TestObserveRealExchanges: every flow, and the problems that a Client has, are
// known here.
func TestObserveRealExchanges(t *testing.T) {
	o, reader := newExchangeObserver(t, otelverifier.Config{})
	issuer := verifiertest.NewIssuer(t)
	issuer.AnswerExchanges(func(form url.Values) (int, any) {
		if form.Get("subject_token")+form.Get("assertion") == "bad" {
			return 400, map[string]any{"error": "invalid_grant"}
		}
		answer := map[string]any{"access_token": "t", "token_type": "Bearer", "expires_in": 60}
		if requested := form.Get("requested_token_type"); requested != "" {
			answer["issued_token_type"] = requested
		}
		return 200, answer
	})
	c, err := exchange.New(exchange.Config{Domain: issuer.Domain(), ClientID: "c", Auth: exchange.ClientSecretBasic("secret"), Doer: issuer.Client(), Observer: o})
	if err != nil {
		t.Fatal(err)
	}
	for _, subject := range []string{"good", "bad"} {
		_, _ = c.ExchangeProfile(t.Context(), exchange.ProfileRequest{SubjectToken: subject, SubjectTokenType: "t"})
		_, _ = c.OnBehalfOf(t.Context(), exchange.OnBehalfOfRequest{AccessToken: subject, Audience: "a"})
		_, _ = c.ConnectionToken(t.Context(), exchange.ConnectionRequest{AccessToken: subject, Connection: "a"})
		_, _ = c.IDJAG(t.Context(), exchange.IDJAGRequest{SubjectToken: subject, Audience: "a"})
		_, _ = c.JWTBearer(t.Context(), exchange.JWTBearerRequest{Assertion: subject})
	}
	_ = c.Close()
	_, _ = c.JWTBearer(t.Context(), exchange.JWTBearerRequest{Assertion: "good"})
	got := collect(t, reader)
	for _, flow := range []string{"profile", "on-behalf-of", "connection", "id-jag", "jwt-bearer"} {
		for _, name := range []string{"exchanges flow=" + flow + " outcome=exchanged", "exchanges error.type=refused flow=" + flow + " outcome=failed"} {
			if got[name].count != 1 {
				t.Errorf("%s: %d; want 1 of %v", name, got[name].count, got)
			}
		}
	}
	if got["exchanges error.type=closed flow=jwt-bearer outcome=failed"].count != 1 {
		t.Errorf("closed: %v", got)
	}
}
