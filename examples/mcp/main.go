// Mcp protects an MCP server of the official SDK and calls another API on
// behalf of its users.
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

	"github.com/portcullis-go/portcullis/exchange"
	"github.com/portcullis-go/portcullis/verifier"
)

func main() {
	log.SetFlags(0)
	var cfg verifier.Config
	var api ordersAPI
	flag.StringVar(&cfg.Domain, "domain", "", "issuer of the tokens, such as tenant.auth0.com")
	resource := flag.String("resource", "http://127.0.0.1:8080/mcp", "URL of the MCP endpoint as clients write it")
	client := flag.String("client-id", "", "this server's client at the issuer; its secret is in CLIENT_SECRET")
	flag.StringVar(&api.url, "orders-url", "", "URL of the API of orders")
	flag.StringVar(&api.audience, "orders-audience", "", "identifier of that API")
	address := flag.String("listen", "127.0.0.1:8080", "address to listen on")
	flag.Parse()
	cfg.Observer = verifier.NewSlogObserver(slog.Default())
	if err := run(cfg, *resource, *address, *client, &api); err != nil {
		log.Fatal("mcp: ", err)
	}
}

// run serves the tools until the process is told to stop.
func run(cfg verifier.Config, resource, address, client string, api *ordersAPI) error {
	handler, err := newHandler(resource, cfg, api)
	if err != nil {
		return err
	}
	defer handler.Close()
	api.client = verifier.NewHTTPClient(verifier.HTTPClientConfig{})
	api.exchange, err = exchange.New(exchange.Config{
		Domain: cfg.Domain, ClientID: client, Auth: exchange.ClientSecretBasic(os.Getenv("CLIENT_SECRET")), Metadata: handler.Verifier(),
	})
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	server := &http.Server{Addr: address, Handler: handler, ReadHeaderTimeout: 5 * time.Second}
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
