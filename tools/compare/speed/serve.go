package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/portcullis-go/portcullis/integration/fastrsa"
	"github.com/portcullis-go/portcullis/verifier"
)

const (
	openName = "no verification"
	memoName = ourName + ", TokenMemo"
)

// handler returns what a server that verifies with one library serves: 204 to a
// request with a good token. A library without a middleware gets the least one.
func (f *fixture) handler(ctx context.Context, name string) (http.Handler, error) {
	switch name {
	case openName:
		return http.HandlerFunc(handle), nil
	case ourName:
		return f.ourHandler(ctx, nil)
	case fastName:
		return f.ourHandler(ctx, func(cfg *verifier.Config) { cfg.SignatureAlgorithms = fastrsa.Algorithms() })
	case memoName:
		return f.ourHandler(ctx, func(cfg *verifier.Config) { cfg.TokenMemo = 10_000 })
	case golangJWTName:
		return checking(f.golangJWT(ctx))
	case goOIDCName:
		return checking(f.goOIDC(ctx))
	case auth0Name:
		return f.auth0Middleware()
	default:
		return nil, fmt.Errorf("no server is called %q", name)
	}
}

func (f *fixture) ourHandler(ctx context.Context, change func(*verifier.Config)) (http.Handler, error) {
	v, err := f.ours(ctx, change)
	if err != nil {
		return nil, err
	}
	return verifier.Middleware(v, verifier.MiddlewareConfig{})(http.HandlerFunc(handle)), nil
}

// checking is the least middleware.
func checking(verify func(token string) error, err error) (http.Handler, error) {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if !strings.EqualFold(scheme, "Bearer") || verify(token) != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		handle(w, r)
	}), err
}

// served is what a server is told at its start.
type served struct {
	Name string
	JWKS []byte // of the issuer
}

// serveOne is the program as a server: it reads what to serve, writes its
// address, and ends with its input, also when who started it dies.
func serveOne(ctx context.Context, in io.Reader, out io.Writer) error {
	var s served
	if err := json.NewDecoder(in).Decode(&s); err != nil {
		return err
	}
	handler, err := (&fixture{jwks: s.JWKS}).handler(ctx, s.Name)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	if _, err := fmt.Fprintln(out, listener.Addr()); err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, in)
	_ = server.Close()
	<-ended
	return nil
}
