// Connect protects an API that is built with connectrpc.com/connect, for clients of
// Connect, gRPC and gRPC-Web.
package main

import (
	"context"
	"errors"
	"flag"
	"log"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
)

func main() {
	log.SetFlags(0)
	var cfg verifier.Config
	flag.StringVar(&cfg.Domain, "domain", "", "issuer of the tokens, such as tenant.auth0.com")
	flag.StringVar(&cfg.Audience, "audience", "", "identifier of this API")
	flag.StringVar(&cfg.ExternalURL, "external-url", "", "how clients know this API, when a proxy is in front of it")
	address := flag.String("listen", "127.0.0.1:8080", "address to listen on")
	flag.Parse()
	cfg.Observer = verifier.NewSlogObserver(slog.Default())
	if err := run(cfg, *address); err != nil {
		log.Fatal("connect: ", err)
	}
}

// run serves the API until the process is told to stop.
func run(cfg verifier.Config, address string) error {
	v, err := verifier.New(cfg)
	if err != nil {
		return err
	}
	defer v.Close()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := v.Warmup(ctx); err != nil {
		log.Print("connect: starting without the issuer's keys: ", err) // the first request fetches them
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true) // gRPC, behind a proxy that ends TLS
	server := &http.Server{Addr: address, Handler: newAPI(v), Protocols: protocols, ReadHeaderTimeout: 5 * time.Second}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		stopped <- server.Shutdown(grace)
	}()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}
