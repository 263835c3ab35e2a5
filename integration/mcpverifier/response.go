package mcpverifier

import (
	"io"
	"net/http"
)

// responseWriter gives the answer of the SDK two things that it lacks: a session
// name that is bound to its owner, and status 403 with a challenge where a
// requirement refused the call before anything was written.
type responseWriter struct {
	http.ResponseWriter
	handler *Handler
	call    *call
	body    *firstByte // of the request; nil: none
	begun   bool
	refused bool // answered; what the SDK writes is dropped
}

// Unwrap is for http.ResponseController.
func (w *responseWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Flush is for code that asks for an http.Flusher.
func (w *responseWriter) Flush() { _ = w.FlushError() }

// FlushError is for http.ResponseController.
func (w *responseWriter) FlushError() error {
	w.begin()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// WriteHeader begins the answer, if it has not begun.
func (w *responseWriter) WriteHeader(status int) {
	if w.begin(); !w.refused {
		w.ResponseWriter.WriteHeader(status)
	}
}

// Write begins the answer, if it has not begun.
func (w *responseWriter) Write(p []byte) (int, error) {
	if w.begin(); w.refused {
		return len(p), nil
	}
	return w.ResponseWriter.Write(p)
}

func (w *responseWriter) begin() {
	if w.begun {
		return
	}
	w.begun = true
	header := w.Header()
	if err := w.call.refused(); err != nil && !w.body.isBatch() {
		w.refused = true
		for _, name := range []string{"Content-Type", "Cache-Control", "Connection", sessionHeader} {
			header.Del(name)
		}
		w.handler.refuse(w.ResponseWriter, w.call, err)
		return
	}
	if header.Get("DPoP-Nonce") != "" {
		header.Set("Cache-Control", "no-store, no-transform") // RFC 9449, Section 8.2
	}
	if id := header.Get(sessionHeader); id != "" && !w.handler.stateless {
		header.Set(sessionHeader, w.handler.sessions.seal(id, owner(w.call)))
	}
}

// firstByte is the body of a request that tells whether it is a batch: the other
// calls of a batch may have been carried out.
type firstByte struct {
	io.ReadCloser
	first byte // that is no white space; 0: none yet
}

func (b *firstByte) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	for i := 0; i < n && b.first == 0; i++ {
		switch p[i] {
		case ' ', '\t', '\r', '\n':
		default:
			b.first = p[i]
		}
	}
	return n, err
}

func (b *firstByte) isBatch() bool { return b != nil && b.first == '[' }
