package otelverifier

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/portcullis-go/portcullis/verifier"
)

// NewDoer returns a [verifier.Doer] that makes a client span of each request
// that another one sends. A nil one is that of verifier.NewHTTPClient. An
// *http.Client is copied, with redirects switched off as the Verifier would do
// itself.
//
// A span ends when the header of the response is there, and has the attributes
// http.request.method, server.address, server.port, http.response.status_code and
// error.type of the semantic conventions. No other part of the URL, no header and
// no error text is recorded, and no trace context is sent to the issuer. One
// fetch serves many requests, so its span is a trace of its own.
func NewDoer(d verifier.Doer, cfg Config) verifier.Doer {
	client, ok := d.(*http.Client)
	switch {
	case d == nil || ok && client == nil:
		d = verifier.NewHTTPClient(verifier.HTTPClientConfig{})
	case ok:
		quiet := *client
		quiet.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		d = &quiet
	}
	return &doer{next: d, tracer: cfg.tracer()}
}

type doer struct {
	next   verifier.Doer
	tracer trace.Tracer
}

// Do implements verifier.Doer.
func (d *doer) Do(req *http.Request) (*http.Response, error) {
	method := req.Method
	switch method {
	case "":
		method = http.MethodGet
	case http.MethodGet, http.MethodPost:
	default:
		method = other
	}
	attributes := []attribute.KeyValue{attribute.String("http.request.method", method)}
	if req.URL != nil {
		attributes = append(attributes, attribute.String("server.address", req.URL.Hostname()), attribute.Int("server.port", port(req)))
	}
	ctx, span := d.tracer.Start(req.Context(), method, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attributes...))
	defer span.End()
	resp, err := d.next.Do(req.WithContext(ctx))
	switch {
	case err != nil:
		span.SetAttributes(keyError.String(transportError(err)))
		span.SetStatus(codes.Error, "")
	case resp != nil:
		span.SetAttributes(attribute.Int("http.response.status_code", resp.StatusCode))
		if resp.StatusCode >= http.StatusBadRequest {
			span.SetAttributes(keyError.String(strconv.Itoa(resp.StatusCode)))
			span.SetStatus(codes.Error, "")
		}
	}
	return resp, err
}

func port(req *http.Request) int {
	if n, err := strconv.Atoi(req.URL.Port()); err == nil {
		return n
	}
	if req.URL.Scheme == "http" {
		return 80
	}
	return 443
}

// transportError puts a failure into one word.
func transportError(err error) string {
	var timeout net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() {
		return "timeout"
	}
	if errors.Is(err, context.Canceled) {
		return "canceled"
	}
	return "network"
}
