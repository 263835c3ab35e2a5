package otelverifier

import (
	"net/http"
	"slices"
	"strings"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/reason"
)

// Config says where telemetry goes. The zero value is the default.
type Config struct {
	// MeterProvider and TracerProvider; default those of package otel.
	MeterProvider  metric.MeterProvider
	TracerProvider trace.TracerProvider
	// Issuers whose names are recorded, as domains ("tenant.auth0.com") or https
	// URLs, as the attribute portcullis.issuer; all others are "_OTHER" then.
	// Default none: no such attribute. The list bounds the cardinality of
	// metrics also where issuers are chosen per request.
	Issuers []string
}

// scope names the instrumentation.
const scope = "github.com/portcullis-go/portcullis/integration/otelverifier"

func (c *Config) meter() metric.Meter {
	if c.MeterProvider == nil {
		return otel.GetMeterProvider().Meter(scope)
	}
	return c.MeterProvider.Meter(scope)
}

func (c *Config) tracer() trace.Tracer {
	if c.TracerProvider == nil {
		return otel.GetTracerProvider().Tracer(scope)
	}
	return c.TracerProvider.Tracer(scope)
}

// The attributes of this package, and one of the semantic conventions.
const (
	keyOutcome  = attribute.Key("portcullis.outcome")
	keyScheme   = attribute.Key("portcullis.scheme")
	keyDocument = attribute.Key("portcullis.document")
	keyFlow     = attribute.Key("portcullis.flow")
	keyIssuer   = attribute.Key("portcullis.issuer")
	keyError    = attribute.Key("error.type")
)

// other stands for every value that is not expected, as in the semantic
// conventions.
const other = "_OTHER"

// Outcomes.
const (
	accepted  = "accepted"
	refused   = "refused"
	undecided = "undecided"
	failure   = "error" // of the program

	succeeded = "succeeded"
	failed    = "failed"
)

// vocabulary is every value that an attribute can have.
type vocabulary struct {
	outcomes map[verifier.Reason]string
	issuers  map[string]string // by bare name; nil: not recorded
}

func newVocabulary(cfg *Config) vocabulary {
	v := vocabulary{outcomes: make(map[verifier.Reason]string)}
	for _, info := range reason.Catalogue() {
		switch info.Status {
		case http.StatusServiceUnavailable:
			v.outcomes[info.Reason] = undecided
		case http.StatusInternalServerError:
			v.outcomes[info.Reason] = failure
		default:
			v.outcomes[info.Reason] = refused
		}
	}
	if len(cfg.Issuers) > 0 {
		v.issuers = make(map[string]string, len(cfg.Issuers))
		for _, name := range cfg.Issuers {
			v.issuers[bare(name)] = "https://" + bare(name)
		}
	}
	return v
}

// bare makes the spellings of an issuer one.
func bare(issuer string) string {
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(issuer), "https://"), "/")
}

// refusal returns outcome and error type of a reason.
func (v *vocabulary) refusal(r verifier.Reason) (outcome, errorType string) {
	if outcome, ok := v.outcomes[r]; ok {
		return outcome, string(r)
	}
	return refused, other
}

// issuer returns the value of the issuer attribute, or "" for none.
func (v *vocabulary) issuer(name string) string {
	if v.issuers == nil || name == "" {
		return ""
	}
	return expected(v.issuers[bare(name)])
}

func expected(value string) string {
	if value == "" {
		return other
	}
	return value
}

func scheme(s verifier.Scheme) string {
	switch s {
	case verifier.SchemeBearer, verifier.SchemeDPoP, "":
		return string(s)
	default:
		return other
	}
}

func document(name string) string {
	switch name {
	case "discovery", "jwks":
		return name
	default:
		return other
	}
}

// problem returns one of the kinds of failure that verifier.Health lists.
func problem(kind string) string {
	if slices.Contains([]string{
		"network", "timeout", "no_such_host", "connection_refused", "blocked_address", "unknown_authority", "certificate_name",
		"certificate_invalid", "tls", "bad_url", "bad_doer", "redirect", "status", "too_large", "malformed", "issuer", "jwks_uri",
		"too_many_keys", "no_usable_key", "closed", "file", "panic",
	}, kind) {
		return kind
	}
	return other
}
