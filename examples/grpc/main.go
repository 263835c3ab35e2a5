// Grpc protects a gRPC server with interceptors for unary and stream methods.
package main

import (
	"context"
	"flag"
	"log"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/portcullis-go/portcullis/verifier"
)

// files are those of the server's certificate; without them it speaks plain
// HTTP/2, for behind a proxy that ends TLS.
type files struct{ certificate, key string }

func main() {
	log.SetFlags(0)
	var cfg verifier.Config
	var tls files
	flag.StringVar(&cfg.Domain, "domain", "", "issuer of the tokens, such as tenant.auth0.com")
	flag.StringVar(&cfg.Audience, "audience", "", "identifier of this API")
	flag.StringVar(&cfg.ExternalURL, "external-url", "", "how clients know this API, when a proxy is in front of it")
	flag.StringVar(&tls.certificate, "cert", "", "file of the server's certificate")
	flag.StringVar(&tls.key, "key", "", "file of the server's key")
	address := flag.String("listen", "127.0.0.1:8080", "address to listen on")
	flag.Parse()
	cfg.Observer = verifier.NewSlogObserver(slog.Default())
	if err := run(cfg, *address, tls); err != nil {
		log.Fatal("grpc: ", err)
	}
}

// run serves the API until the process is told to stop.
func run(cfg verifier.Config, address string, tls files) error {
	v, err := verifier.New(cfg) // which also validates the external URL
	if err != nil {
		return err
	}
	defer v.Close()
	var options []grpc.ServerOption
	if tls != (files{}) {
		creds, err := credentials.NewServerTLSFromFile(tls.certificate, tls.key)
		if err != nil {
			return err
		}
		options = append(options, grpc.Creds(creds))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := v.Warmup(ctx); err != nil {
		log.Print("grpc: starting without the issuer's keys: ", err) // the first call fetches them
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	server, err := newServer(v, cfg.ExternalURL, options...)
	if err != nil {
		return err
	}
	go func() {
		<-ctx.Done()
		grace := time.AfterFunc(10*time.Second, server.Stop)
		defer grace.Stop()
		server.GracefulStop()
	}()
	return server.Serve(l)
}
