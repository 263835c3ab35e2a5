//go:build interop

package interop_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/portcullis-go/portcullis/tools/interop/rig"
)

// jwtStorage gives service users JWTs instead of opaque tokens.
type jwtStorage struct{ *storage.Storage }

func (s jwtStorage) ClientCredentials(ctx context.Context, id, secret string) (op.Client, error) {
	client, err := s.Storage.ClientCredentials(ctx, id, secret)
	return jwtClient{client}, err
}

type jwtClient struct{ op.Client }

func (jwtClient) AccessTokenType() op.AccessTokenType { return op.AccessTokenTypeJWT }

// TestZitadel: the example provider of zitadel/oidc, whose tokens have the client
// as their audience and no scope.
func TestZitadel(t *testing.T) {
	authority := rig.NewAuthority(t)
	var provider http.Handler
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { provider.ServeHTTP(w, r) }))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{authority.Issue(t, "issuer").Certificate}}
	server.StartTLS()
	t.Cleanup(server.Close)
	issuer := strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	provider = exampleop.SetupServer(issuer, jwtStorage{storage.NewStorage(storage.NewUserStore(issuer))}, slog.New(slog.DiscardHandler), false)

	r := request(t, "POST", issuer+"/oauth/token", "Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("sid1", "verysecret")
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {"read"}}.Encode()
	token := post(t, authority.Client(), r, form)
	rig.Row(t, "a token is accepted", func(t *testing.T) { call(t, protected(t, authority, issuer, "sid1"), token, 200) })
	rig.Row(t, "a token for another API is refused", func(t *testing.T) { call(t, protected(t, authority, issuer, audience), token, 401) })
}

// post asks a token endpoint and returns the access token.
func post(t *testing.T, client *http.Client, r *http.Request, form string) string {
	t.Helper()
	sent, err := http.NewRequestWithContext(t.Context(), r.Method, r.URL.String(), strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	sent.Header = r.Header
	resp, err := client.Do(sent)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Token string `json:"access_token"`
		Error string `json:"error"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.Token == "" {
		t.Fatalf("%d %v %s; want a token", resp.StatusCode, err, answer.Error)
	}
	return answer.Token
}
