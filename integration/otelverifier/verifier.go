package otelverifier

import (
	"context"
	"errors"
	"net/http"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/portcullis-go/portcullis/verifier"
)

// RequestVerifier is what [NewVerifier] wraps; a [*verifier.Verifier] is one.
type RequestVerifier interface {
	verifier.RequestVerifier
	// VerifyRequest is that of [verifier.Verifier].
	VerifyRequest(ctx context.Context, req verifier.Request, opts ...verifier.VerifyOption) (*verifier.Token, error)
}

// Verifier makes a span of each verification. It is a [verifier.RequestVerifier],
// and safe for concurrent use.
//
// A span is named "portcullis.verify" and has the attributes of the package
// documentation. Its status is Error when the outcome is undecided or error: a
// refused token is a fault of the client, and none of this service.
type Verifier struct {
	next       RequestVerifier
	tracer     trace.Tracer
	vocabulary vocabulary
}

// NewVerifier returns a Verifier that verifies with another one.
func NewVerifier(v RequestVerifier, cfg Config) *Verifier {
	return &Verifier{next: v, tracer: cfg.tracer(), vocabulary: newVocabulary(&cfg)}
}

// VerifyHTTPRequest implements verifier.RequestVerifier.
func (v *Verifier) VerifyHTTPRequest(r *http.Request, opts ...verifier.VerifyOption) (*verifier.Token, error) {
	ctx, span := v.start(r.Context())
	defer span.End()
	t, err := v.next.VerifyHTTPRequest(r.WithContext(ctx), opts...)
	v.finish(span, t, err)
	return t, err
}

// VerifyRequest verifies a request of another transport.
func (v *Verifier) VerifyRequest(ctx context.Context, req verifier.Request, opts ...verifier.VerifyOption) (*verifier.Token, error) {
	ctx, span := v.start(ctx)
	defer span.End()
	t, err := v.next.VerifyRequest(ctx, req, opts...)
	v.finish(span, t, err)
	return t, err
}

func (v *Verifier) start(ctx context.Context) (context.Context, trace.Span) {
	return v.tracer.Start(ctx, "portcullis.verify")
}

// finish describes the outcome. The error itself is not recorded: its text is
// safe, but what it wraps is of others.
func (v *Verifier) finish(span trace.Span, t *verifier.Token, err error) {
	l := labels{outcome: accepted}
	var e *verifier.Error
	switch {
	case errors.As(err, &e):
		l.outcome, l.errorType = v.vocabulary.refusal(e.Reason)
	case err != nil:
		l.outcome, l.errorType = failure, other
	case t != nil:
		l.scheme, l.issuer = scheme(t.Scheme), v.vocabulary.issuer(t.Issuer)
	}
	span.SetAttributes(l.attributes()...)
	if l.outcome == undecided || l.outcome == failure {
		span.SetStatus(codes.Error, "")
	}
}
