package introspection_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/introspection"
)

// TestSlogObserver: what a client can bring about at will is no warning, and
// nothing of an error gets into the log.
func TestSlogObserver(t *testing.T) {
	const marker = "an-error-with-a-token"
	for _, c := range []struct {
		event introspection.Event
		want  string
	}{
		{introspection.Event{Kind: introspection.EventAnswered, Active: true, Duration: time.Second}, `level=DEBUG msg="portcullis: introspection: answered" issuer=i duration=1s`},
		{introspection.Event{Kind: introspection.EventCacheHit}, `level=DEBUG msg="portcullis: introspection: cache_hit" issuer=i`},
		{introspection.Event{Kind: introspection.EventFailed, Problem: "busy"}, `level=DEBUG msg="portcullis: introspection: failed" issuer=i problem=busy`},
		{introspection.Event{Kind: introspection.EventFailed, Problem: "canceled"}, `level=DEBUG msg="portcullis: introspection: failed" issuer=i problem=canceled`},
		{introspection.Event{Kind: introspection.EventFailed, Problem: "refused", Status: 401}, `level=WARN msg="portcullis: introspection: failed" issuer=i problem=refused status=401`},
		{introspection.Event{Kind: introspection.EventFailed, Problem: "timeout"}, `level=WARN msg="portcullis: introspection: failed" issuer=i problem=timeout`},
		{introspection.Event{Kind: introspection.EventCacheFault}, `level=WARN msg="portcullis: introspection: cache_fault" issuer=i`},
	} {
		var log bytes.Buffer
		c.event.Issuer, c.event.Err = "i", errors.New(marker)
		introspection.NewSlogObserver(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))).Observe(c.event)
		if got := log.String(); !strings.HasSuffix(got, c.want+"\n") || strings.Contains(got, marker) {
			t.Errorf("log of %+v = %q; want %q", c.event, got, c.want)
		}
	}
}
