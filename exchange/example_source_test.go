package exchange_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/portcullis-go/portcullis/exchange"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// An http.Client whose requests to another API have a token for the caller in
// their context. In a server, verifier.Middleware puts the caller's token there.
func ExampleTokenSource_Transport() {
	run(func(t testing.TB, issuer *verifiertest.Issuer) {
		c, err := exchange.New(exchange.Config{
			Domain: issuer.Domain(), ClientID: "orders-api", Auth: exchange.ClientSecretBasic("my-secret"), Doer: issuer.Client(),
		})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		billing, err := c.TokenSource(exchange.OnBehalfOfRequest{Audience: "https://billing.example.com"})
		if err != nil {
			t.Fatal(err)
		}
		transport, err := billing.Transport(billingAPI{}, "https://billing.example.com")
		if err != nil {
			t.Fatal(err)
		}
		client := &http.Client{Transport: transport}

		ctx := exchange.ContextWithSubject(context.Background(), issuer.Sign("https://orders.example.com", nil))
		for _, target := range []string{"https://billing.example.com/invoices", "https://elsewhere.example.com/"} {
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
			if err != nil {
				t.Fatal(err)
			}
			response, err := client.Do(request)
			if err != nil {
				fmt.Println(err)
				continue
			}
			body, err := io.ReadAll(response.Body)
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			fmt.Println(string(body))
		}
	})
	// Output:
	// called with Bearer exchanged
	// Get "https://elsewhere.example.com/": exchange: the token is not for this origin
}

// billingAPI stands for the other API.
type billingAPI struct{}

func (billingAPI) RoundTrip(r *http.Request) (*http.Response, error) {
	body := io.NopCloser(strings.NewReader("called with " + r.Header.Get("Authorization")))
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: body, Request: r}, nil
}
