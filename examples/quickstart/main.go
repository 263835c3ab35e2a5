// Quickstart shows Portcullis at work. Without flags it runs a local issuer
// and a protected API, sends real HTTP requests, and prints which are accepted
// and which are refused, and why. With -domain and -audience, or -provider, it protects
// a local API with a real tenant.
package main

import (
	"cmp"
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
	"strings"
	"time"

	"github.com/portcullis-go/portcullis/examples/internal/byname"
	"github.com/portcullis-go/portcullis/verifier"
)

func main() {
	domain := flag.String("domain", "", "domain of a real tenant, such as tenant.auth0.com")
	provider := flag.String("provider", "", "instead of -domain: "+strings.Join(byname.Names(), ", "))
	issuer := flag.String("issuer", "", "with -provider: the exact iss of its tokens")
	allow := flag.String("allow", "", "with -provider: the clients, origins or owners to accept, with commas between them")
	audience := flag.String("audience", "", "identifier of the API at that tenant")
	address := flag.String("listen", "127.0.0.1:8080", "address of the protected API")
	flag.Parse()
	log.SetFlags(0)
	cfg, err := configure(*domain, *provider, *issuer, *allow, *audience)
	switch {
	case err != nil || flag.NArg() > 0:
		err = cmp.Or(err, errors.New("there are arguments beside the flags"))
	case flag.NFlag() == 0:
		err = demo(os.Stdout)
	default:
		err = protect(cfg, *address)
	}
	if err != nil {
		log.Fatal("quickstart: ", err)
	}
}

// configure makes the configuration of a real tenant; without flags there is none.
func configure(domain, provider, issuer, allow, audience string) (cfg verifier.Config, err error) {
	cfg.Audience = audience
	switch {
	case provider == "" && issuer+allow != "":
		return cfg, errors.New("-issuer and -allow belong to -provider")
	case provider != "" && domain != "":
		return cfg, errors.New("-provider and -domain exclude each other")
	case provider == "" && (domain == "") != (audience == ""):
		return cfg, errors.New("-domain and -audience belong together")
	case provider == "":
		cfg.Domain = domain
		return cfg, nil
	}
	in := byname.Input{Issuer: issuer}
	if allow != "" {
		in.Allow = strings.Split(allow, ",")
	}
	if audience != "" {
		in.Audiences = []string{audience}
	}
	call, err := byname.Make(provider, in)
	if err != nil {
		return cfg, err
	}
	fmt.Println("In your own program: Issuers: []verifier.Issuer{" + call.String() + "}")
	cfg.Issuers = []verifier.Issuer{call.Issuer}
	return cfg, nil
}

// protect runs a local API that accepts the tokens of a real tenant.
func protect(cfg verifier.Config, address string) error {
	cfg.ExternalURL, cfg.Observer = "http://"+address, verifier.NewSlogObserver(slog.Default())
	v, err := verifier.New(cfg)
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
