// Fiber protects an API that is built with gofiber/fiber, which runs on
// fasthttp instead of net/http.
package main

import (
	"context"
	"flag"
	"log"
	"log/slog"
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
		log.Fatal("fiber: ", err)
	}
}

// run serves the API until the process is told to stop.
func run(cfg verifier.Config, address string) error {
	v, err := verifier.New(cfg) // which also validates the external URL
	if err != nil {
		return err
	}
	defer v.Close()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := v.Warmup(ctx); err != nil {
		log.Print("fiber: starting without the issuer's keys: ", err) // the first request fetches them
	}
	app := newAPI(v, cfg.ExternalURL)
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		stopped <- app.ShutdownWithTimeout(10 * time.Second)
	}()
	if err := app.Listen(address); err != nil {
		return err
	}
	return <-stopped
}
