package keys_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/internal/keys"
	"github.com/portcullis-go/portcullis/internal/lifecycle"
)

const name = "https://tenant.example/"

// web answers URLs with texts. An answer of digits is a status; "!" is no answer.
type web struct {
	mu      sync.Mutex
	answers map[string]string
	header  http.Header
	err     error // of "!"
	asked   []string
	tags    []string
}

func (w *web) Do(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	url := r.URL.String()
	w.asked = append(w.asked, url)
	w.tags = append(w.tags, r.Header.Get("If-None-Match"))
	text, ok := w.answers[url]
	if !ok {
		text = "404"
	}
	if text == "!" {
		return nil, w.err
	}
	resp := &http.Response{StatusCode: 200, Header: w.header.Clone(), Body: io.NopCloser(strings.NewReader(text)), ContentLength: -1, Request: r}
	if resp.Header == nil {
		resp.Header = http.Header{}
	}
	if len(text) == 3 {
		_, _ = fmt.Sscan(text, &resp.StatusCode)
	}
	if tag := resp.Header.Get("ETag"); resp.StatusCode == 200 && tag != "" && tag == r.Header.Get("If-None-Match") {
		resp.StatusCode = http.StatusNotModified
	}
	return resp, nil
}

func (w *web) set(url, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answers[url] = text
}

func (w *web) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.asked)
}

const (
	metadataURL = name + ".well-known/openid-configuration"
	keysURL     = name + "keys"
)

func metadataText(issuer, keysAt string) string {
	return fmt.Sprintf(`{"issuer":%q,"jwks_uri":%q,"token_endpoint":"https://tenant.example/token","token_endpoint_auth_methods_supported":["private_key_jwt"]}`, issuer, keysAt)
}

func newWeb() *web {
	return &web{err: errors.New("no answer"), answers: map[string]string{metadataURL: metadataText(name, keysURL), keysURL: jwks("k1")}}
}

var keyTexts sync.Map

// jwks returns a set with a key for each kid; "" is a key without kid.
func jwks(kids ...string) string {
	all := make([]string, len(kids))
	for i, kid := range kids {
		text, ok := keyTexts.Load(kid)
		if !ok {
			key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			if err != nil {
				panic(err)
			}
			point, _ := key.PublicKey.Bytes()
			part := base64.RawURLEncoding.EncodeToString
			text, _ = keyTexts.LoadOrStore(kid, fmt.Sprintf(`"kty":"EC","crv":"P-256","x":%q,"y":%q`, part(point[1:33]), part(point[33:])))
		}
		if kid != "" && kid[0] != '-' {
			text = fmt.Sprintf(`"kid":%q,`, kid) + text.(string)
		}
		all[i] = "{" + text.(string) + "}"
	}
	return `{"keys":[` + strings.Join(all, ",") + `]}`
}

// store is a Store on a clock that stands still.
type store struct {
	*keys.Store
	t   *testing.T
	mu  sync.Mutex
	at  time.Time
	all []lifecycle.Event
}

func newStore(t *testing.T, change func(*keys.Config)) *store {
	t.Helper()
	s := &store{t: t, at: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}
	cfg := keys.Config{Policy: lifecycle.DefaultPolicy(), Now: s.now, Observe: func(e lifecycle.Event) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.all = append(s.all, e)
	}}
	cfg.Policy.Jitter, cfg.Policy.RefreshAhead = 0, 0
	if change != nil {
		change(&cfg)
	}
	s.Store = keys.New(cfg)
	t.Cleanup(s.Close)
	return s
}

func (s *store) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at
}

func (s *store) advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = s.at.Add(d)
}

func source(t *testing.T, cfg keys.SourceConfig) *keys.Source {
	t.Helper()
	if cfg.Name == "" {
		cfg.Name = name
	}
	src, err := keys.NewSource(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return src
}
