package mcpverifier

import (
	"context"
	"errors"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"weak"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/portcullis-go/portcullis/verifier"
)

// Handler serves a protected MCP endpoint and its metadata. It is safe for
// concurrent use.
//
// It answers GET and HEAD of [Handler.MetadataPath] with the metadata, to
// everybody. Every other path is the MCP endpoint: on a mux, register the
// handler under the path of the endpoint and under MetadataPath.
type Handler struct {
	verifier     *verifier.Verifier
	baseline     []verifier.Requirement
	union        bool
	stateless    bool
	metadataPath string
	metadata     http.Handler
	endpoint     http.Handler // verifies, then serves
	sdk          http.Handler
	sessions     sessionSealer

	mu      sync.Mutex
	servers map[weak.Pointer[mcp.Server]]bool // those that have perRequest
}

// New returns the handler of an MCP server. getServer is that of
// [mcp.NewStreamableHTTPHandler]; the context of the request that it gets has
// the token. New makes a [verifier.Verifier] of Config.Verifier; errors match
// [verifier.ErrConfig]. Close the handler at the end.
func New(getServer func(*http.Request) *mcp.Server, cfg Config) (*Handler, error) {
	if getServer == nil {
		return nil, errNoServer
	}
	endpoint, err := cfg.endpoint()
	if err != nil {
		return nil, err
	}
	metadataURL, err := cfg.metadata().URL()
	if err != nil {
		return nil, err
	}
	if err := cfg.complete(endpoint, metadataURL); err != nil {
		return nil, err
	}
	h := &Handler{
		union: cfg.UnionScopes, stateless: cfg.HTTP.Stateless,
		sessions: newSessionSealer(), servers: make(map[weak.Pointer[mcp.Server]]bool),
	}
	if len(cfg.Scopes) > 0 {
		h.baseline = []verifier.Requirement{verifier.AllScopes(cfg.Scopes...)}
	}
	if h.metadataPath, h.metadata, err = h.newMetadata(&cfg); err != nil {
		return nil, err
	}
	if h.verifier, err = verifier.New(cfg.Verifier); err != nil {
		return nil, err
	}
	h.sdk = mcp.NewStreamableHTTPHandler(h.equip(getServer), &cfg.HTTP)
	h.endpoint = verifier.Middleware(h.verifier, verifier.MiddlewareConfig{})(http.HandlerFunc(h.serve))
	return h, nil
}

// Verifier returns the verifier of the handler, for Warmup and Health.
func (h *Handler) Verifier() *verifier.Verifier { return h.verifier }

// MetadataPath returns the path of the protected resource metadata, such as
// "/.well-known/oauth-protected-resource/mcp".
func (h *Handler) MetadataPath() string { return h.metadataPath }

// Close closes the verifier. It returns nil. Sessions are ended by ending the
// HTTP server and those of the MCP server.
func (h *Handler) Close() error { return h.verifier.Close() }

// ServeHTTP serves the endpoint and the metadata.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.TrimRight(r.URL.EscapedPath(), "/") == strings.TrimRight(h.metadataPath, "/") {
		h.metadata.ServeHTTP(w, r)
		return
	}
	h.endpoint.ServeHTTP(w, r)
}

// serve handles a request with a good token.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request) {
	token, _ := verifier.TokenFromContext(r.Context())
	c := &call{token: token, accessToken: sentToken(r.Header)}
	if err := verifier.Meets(r.Context(), token, h.baseline...); err != nil {
		h.refuse(w, c, err)
		return
	}
	ctx := r.Context()
	if r.Method == http.MethodGet { // a stream without end
		var stop context.CancelFunc
		ctx, stop = verifier.ContextUntilExpiry(ctx, token)
		defer stop()
	}
	// No tool may take the token of the request that opened its session for its
	// own: SDK contexts live as long as the session.
	ctx = withTokenInfo(verifier.ContextWithToken(ctx, nil), c)
	if callIn(ctx) != c {
		h.refuse(w, c, errNotPassedOn)
		return
	}
	r = withoutCredentials(r.WithContext(ctx))
	if !h.stateless && !h.openSession(r, c) {
		http.Error(w, "session not found", http.StatusNotFound)
		return
	}
	answer := &responseWriter{ResponseWriter: w, handler: h, call: c}
	if r.Body != nil {
		answer.body = &firstByte{ReadCloser: r.Body}
		r.Body = answer.body
	}
	h.sdk.ServeHTTP(answer, r)
}

// refuse answers with a refusal of the token.
func (h *Handler) refuse(w http.ResponseWriter, c *call, err error) {
	var e *verifier.Error
	if h.union && errors.As(err, &e) && e.Scope != "" {
		united := *e
		united.Scope = unite(c.token, e.Scope)
		err = &united
	}
	verifier.WriteError(w, err)
}

// maxUnion bounds the scopes of a challenge in bytes: header fields are short.
const maxUnion = 2048

// unite returns the scopes that are needed with those that the token has.
func unite(t *verifier.Token, needed string) string {
	all := needed
	for _, scope := range t.Scopes() {
		// A resource does not ask for refresh tokens (revision 2026-07-28).
		if scope == "offline_access" || strings.Contains(" "+all+" ", " "+scope+" ") {
			continue
		}
		all += " " + scope
	}
	if len(all) > maxUnion {
		return needed
	}
	return all
}

// openSession checks that the session of the request is of the token's owner,
// and gives the request the SDK's name of it.
func (h *Handler) openSession(r *http.Request, c *call) bool {
	sealed := r.Header.Get(sessionHeader)
	if sealed == "" {
		return true
	}
	id, ok := h.sessions.open(sealed, owner(c))
	if ok {
		r.Header.Set(sessionHeader, id)
	}
	return ok
}

// equip gives getServer the token, and its servers the middleware that puts
// the token of each request into the context of its method.
func (h *Handler) equip(getServer func(*http.Request) *mcp.Server) func(*http.Request) *mcp.Server {
	return func(r *http.Request) *mcp.Server {
		if c := callIn(r.Context()); c != nil {
			r = r.WithContext(verifier.ContextWithToken(r.Context(), c.token))
		}
		server := getServer(r)
		if server == nil {
			return nil
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		key := weak.Make(server)
		if !h.servers[key] {
			h.servers[key] = true
			server.AddReceivingMiddleware(h.perRequest)
			runtime.AddCleanup(server, h.forget, key)
		}
		return server
	}
}

func (h *Handler) forget(key weak.Pointer[mcp.Server]) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.servers, key)
}

// perRequest gives each method the token of its own request, or none.
func (h *Handler) perRequest(next mcp.MethodHandler) mcp.MethodHandler {
	return func(ctx context.Context, method string, req mcp.Request) (mcp.Result, error) {
		c := callOf(req)
		if c == nil {
			return next(verifier.ContextWithToken(ctx, nil), method, req)
		}
		ctx = withTokenInfo(verifier.ContextWithToken(ctx, c.token), c)
		if method == "subscriptions/listen" { // a stream without end
			var stop context.CancelFunc
			ctx, stop = verifier.ContextUntilExpiry(ctx, c.token)
			defer stop()
		}
		return next(ctx, method, req)
	}
}
