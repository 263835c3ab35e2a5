package forwardauth

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/portcullis-go/portcullis/verifier"
)

// Verifier is what the handler needs; a [*verifier.Verifier] is one.
type Verifier interface {
	verifier.RequestVerifier
	// TrustsPeer reports whether the peer is a proxy that is believed.
	TrustsPeer(*http.Request) bool
}

// Config describes a handler.
type Config struct {
	// Verifier of the tokens. It must trust the proxy: Config.TrustedProxies or
	// Config.TrustUnixPeers.
	Verifier Verifier
	// Proxy that asks.
	Proxy Proxy
	// Requirements that every request must meet, as those of verifier.Require.
	Requirements []verifier.Requirement
	// Headers for the service behind the proxy, to be copied by the proxy from
	// the answer into the request.
	Headers []Header
	// MaxHeaderBytes bounds Headers, names and values together. A request whose
	// token needs more is answered with 500; nothing is cut. Default 4 KiB, which
	// is what the proxies read without further configuration; at most 64 KiB.
	MaxHeaderBytes int
	// PassPreflights lets the preflight requests of browsers (OPTIONS with Origin
	// and Access-Control-Request-Method) pass without a token, with empty Headers,
	// for a service that answers them itself. They carry no credentials (Fetch
	// standard, "CORS-preflight fetch").
	PassPreflights bool
	// Options of every verification.
	Options []verifier.VerifyOption
}

// ErrConfig: New refused the configuration.
var ErrConfig = errors.New("forwardauth: invalid configuration")

// ReasonUndecidable is the reason of the refusal of a request that does not come
// from a trusted proxy, or in which the proxy does not say method and URI.
const ReasonUndecidable verifier.Reason = "forward_auth_request"

const (
	statusField       = "X-Auth-Status"
	defaultMaxHeaders = 4 << 10
	maxMaxHeaders     = 64 << 10
)

// Handler answers a proxy. Safe for concurrent use.
//
// 200: let the request pass. The answer has Config.Headers and, where nonces are
// in use, the next DPoP-Nonce, which the proxy should add to the answer of the
// service (RFC 9449, Section 8.2). Every answer has Cache-Control: no-store.
//
// Anything else: do not. Status, challenges, DPoP-Nonce and Retry-After are those
// of the Verifier's error. Could not decide is 503 here, too: a proxy that makes
// another status of it (nginx: 500) finds the right one in the field
// X-Auth-Status, which every refusal has; its configuration maps it back. 400:
// the peer is not trusted, or it does not say method and URI.
type Handler struct {
	config Config
	check  http.Handler
}

// New returns a Handler. The error matches [ErrConfig].
func New(cfg Config) (*Handler, error) {
	if cfg.Verifier == nil {
		return nil, refused("Verifier must be set")
	}
	p := &cfg.Proxy
	switch {
	case p.PathPrefix == "" && (!isToken(p.MethodField) || !isToken(p.URIField)):
		return nil, refused("Proxy must name MethodField and URIField, or PathPrefix")
	case p.PathPrefix != "" && (p.MethodField != "" || p.URIField != ""):
		return nil, refused("Proxy has fields and a PathPrefix; set one of them")
	case p.PathPrefix != "" && (!strings.HasPrefix(p.PathPrefix, "/") || strings.HasSuffix(p.PathPrefix, "/")):
		return nil, refused("Proxy.PathPrefix must begin with a slash and not end with one")
	case cfg.MaxHeaderBytes < 0 || cfg.MaxHeaderBytes > maxMaxHeaders:
		return nil, refused("MaxHeaderBytes is not between 1 and 65536")
	case cfg.MaxHeaderBytes == 0:
		cfg.MaxHeaderBytes = defaultMaxHeaders
	}
	seen := make(map[string]bool, len(cfg.Headers))
	for i, header := range cfg.Headers {
		name := http.CanonicalHeaderKey(header.Name)
		switch {
		case !usable(header.Name) || name == http.CanonicalHeaderKey(p.MethodField) || name == http.CanonicalHeaderKey(p.URIField):
			return nil, refused(fmt.Sprintf("Headers[%d] has a name that cannot be used", i))
		case seen[name]:
			return nil, refused(fmt.Sprintf("Headers[%d] has a name that stands twice", i))
		case header.Value == nil:
			return nil, refused(fmt.Sprintf("Headers[%d] has no Value", i))
		}
		seen[name] = true
	}
	cfg.Headers = append([]Header(nil), cfg.Headers...)
	h := &Handler{config: cfg}
	h.check = verifier.Middleware(cfg.Verifier, verifier.MiddlewareConfig{ErrorHandler: h.refuse, Options: cfg.Options})(
		verifier.Require(cfg.Requirements...)(http.HandlerFunc(h.pass)))
	return h, nil
}

func refused(problem string) error { return fmt.Errorf("%w: %s", ErrConfig, problem) }

// ServeHTTP answers for the client's request that r is about.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if !h.config.Verifier.TrustsPeer(r) {
		h.refuse(w, r, undecidable("the peer is not a trusted proxy"))
		return
	}
	original, ok := h.config.Proxy.original(r)
	if !ok {
		h.refuse(w, r, undecidable("the proxy does not say the method and URI of the request"))
		return
	}
	if h.config.PassPreflights && isPreflight(original) {
		h.write(w, func(Header) string { return "" })
		return
	}
	h.check.ServeHTTP(w, original)
}

func undecidable(description string) error {
	return &verifier.Error{Code: verifier.CodeInvalidRequest, Reason: ReasonUndecidable, Description: description, Status: http.StatusBadRequest}
}

// isPreflight recognises a request that a browser sends on its own.
func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != "" &&
		r.Header.Get("Authorization") == ""
}

// refuse answers with the status of an error, here and in the field.
func (h *Handler) refuse(w http.ResponseWriter, _ *http.Request, err error) {
	status := http.StatusInternalServerError
	var e *verifier.Error
	if errors.As(err, &e) {
		status = e.Status
	}
	w.Header().Set(statusField, strconv.Itoa(status))
	if h.config.Proxy.OneLine {
		w = &joined{ResponseWriter: w}
	}
	verifier.WriteError(w, err)
}

// joined writes all challenges on one line.
type joined struct{ http.ResponseWriter }

func (w *joined) WriteHeader(status int) {
	if lines := w.Header().Values("WWW-Authenticate"); len(lines) > 1 {
		w.Header().Set("WWW-Authenticate", strings.Join(lines, ", "))
	}
	w.ResponseWriter.WriteHeader(status)
}

var errTooLarge = errors.New("forwardauth: the claims of the token are larger than MaxHeaderBytes")

// pass lets a request pass whose token is good.
func (h *Handler) pass(w http.ResponseWriter, r *http.Request) {
	t, ok := verifier.TokenFromContext(r.Context())
	if !ok {
		h.refuse(w, r, errors.New("forwardauth: no token"))
		return
	}
	if !h.write(w, func(header Header) string { return encode(header.Value(t)) }) {
		h.refuse(w, r, errTooLarge)
	}
}

// write answers with 200 and every configured header, unless they are too large.
func (h *Handler) write(w http.ResponseWriter, value func(Header) string) bool {
	values, size := make([]string, len(h.config.Headers)), 0
	for i, header := range h.config.Headers {
		values[i] = value(header)
		if size += len(header.Name) + len(values[i]); size > h.config.MaxHeaderBytes {
			return false
		}
	}
	for i, header := range h.config.Headers {
		w.Header().Set(header.Name, values[i])
	}
	w.WriteHeader(http.StatusOK)
	return true
}
