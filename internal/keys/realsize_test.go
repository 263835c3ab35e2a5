package keys_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// discard is a shared cache that keeps nothing.
type discard struct{}

func (discard) Get(context.Context, string) ([]byte, bool, error)        { return nil, false, nil }
func (discard) Set(context.Context, string, []byte, time.Duration) error { return nil }

// realSize serves documents of real size for every issuer.
type realSize struct{}

func (realSize) Do(r *http.Request) (*http.Response, error) {
	body := realKeys()
	if strings.HasSuffix(r.URL.Path, "openid-configuration") {
		body = fmt.Sprintf(`{"issuer":"https://%s/","jwks_uri":"https://%s/keys","token_endpoint":"https://%s/oauth/token","claims_supported":[%q],`+
			`"token_endpoint_auth_methods_supported":["client_secret_basic","client_secret_post","private_key_jwt"]}`,
			r.URL.Host, r.URL.Host, r.URL.Host, strings.Repeat("x", 2300))
	}
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r}, nil
}

// realKeys is a set of three RSA keys with certificates.
var realKeys = sync.OnceValue(func() string {
	all := make([]string, 3)
	for i := range all {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		n := base64.RawURLEncoding.EncodeToString(key.N.Bytes())
		all[i] = fmt.Sprintf(`{"kty":"RSA","use":"sig","alg":"RS256","kid":"key-number-%d-of-three","n":%q,"e":"AQAB","x5t":"0123456789012345678901234567","x5c":[%q]}`,
			i, n, strings.Repeat("A", 1024))
	}
	return `{"keys":[` + strings.Join(all, ",") + `]}`
})
