// Quickstart shows Portcullis at work. Without flags it runs a local issuer
// and a protected API, sends real HTTP requests, and prints which are accepted
// and which are refused, and why. With -domain and -audience it protects a
// local API with a real tenant.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
)

func main() {
	domain := flag.String("domain", "", "domain of a real tenant, such as tenant.auth0.com")
	audience := flag.String("audience", "", "identifier of the API at that tenant")
	address := flag.String("listen", "127.0.0.1:8080", "address of the protected API, with -domain")
	flag.Parse()
	log.SetFlags(0)
	var err error
	switch {
	case *domain == "" && *audience == "":
		err = demo(os.Stdout)
	case *domain == "" || *audience == "":
		err = errors.New("-domain and -audience belong together")
	default:
		err = protect(*domain, *audience, *address)
	}
	if err != nil {
		log.Fatal("quickstart: ", err)
	}
}

// protect runs a local API that accepts the tokens of a real tenant.
func protect(domain, audience, address string) error {
	v, err := verifier.New(verifier.Config{
		Domain:      domain,
		Audience:    audience,
		ExternalURL: "http://" + address,
		Observer:    verifier.NewSlogObserver(slog.Default()),
	})
	if err != nil {
		return err
	}
	defer v.Close()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := v.Warmup(ctx); err != nil {
		return fmt.Errorf("the tenant's keys could not be fetched: %w", err)
	}
	server := &http.Server{Addr: address, Handler: api(v), ReadHeaderTimeout: 5 * time.Second}
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	fmt.Printf("Listening. Try:\n  curl -i http://%s/orders -H \"Authorization: Bearer $TOKEN\"\n", address)
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// api is the program that is protected: one route for everybody with a good
// token, one for those with a scope.
func api(v *verifier.Verifier) http.Handler {
	orders := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := verifier.TokenFromContext(r.Context())
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]string{"subject": token.Subject, "scheme": string(token.Scheme)})
	})
	mux := http.NewServeMux()
	mux.Handle("GET /orders", orders)
	mux.Handle("POST /orders", verifier.Require(verifier.AllScopes("write:orders"))(orders))
	return verifier.Middleware(v, verifier.MiddlewareConfig{})(mux)
}
