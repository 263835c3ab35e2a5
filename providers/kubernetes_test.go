package providers_test

import (
	"encoding/json"
	"encoding/pem"
	"errors"
	"io/fs"
	"mime"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/providers"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/reason"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// negotiate answers 406 unless the request accepts a media type, as routes of go-restful
// do that produce one: an element is compared without its parameters, and "*/*" accepts
// all; so does no Accept at all.
func negotiate(r *http.Request, produced string) int {
	accepted := r.Header.Get("Accept")
	if accepted == "" {
		return 0
	}
	for element := range strings.SplitSeq(accepted, ",") {
		name, _, err := mime.ParseMediaType(element)
		if err == nil && (name == "*/*" || name == produced) {
			return 0
		}
	}
	return http.StatusNotAcceptable
}

// apiServer is the API server of a cluster: its certificate is of an authority of its
// own, and it shows metadata and keys to the one token that is good at the moment. Its
// keys are on a second server.
type apiServer struct {
	front, back *httptest.Server
	dir         string // of the pod's files
	key         *key

	mu    sync.Mutex
	good  string   // the token
	shown []string // what was shown, at either server
}

func newAPIServer(t *testing.T) *apiServer {
	t.Helper()
	s := &apiServer{dir: t.TempDir(), key: newKey("k8s-1", "RS256"), good: "first"}
	s.front = httptest.NewTLSServer(http.HandlerFunc(s.serve))
	s.back = httptest.NewTLSServer(http.HandlerFunc(s.serve))
	t.Cleanup(func() { s.front.Close(); s.back.Close() })
	s.write(t, "ca.crt", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.front.Certificate().Raw}))
	s.write(t, "token", []byte("first\n"))
	return s
}

func (s *apiServer) file(name string) string { return filepath.Join(s.dir, name) }

// write replaces a file as the kubelet does: by renaming.
func (s *apiServer) write(t *testing.T, name string, content []byte) {
	t.Helper()
	next := s.file(name + ".next")
	if err := errors.Join(os.WriteFile(next, content, 0o600), os.Rename(next, s.file(name))); err != nil {
		t.Fatal(err)
	}
}

func (s *apiServer) serve(w http.ResponseWriter, r *http.Request) {
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	s.mu.Lock()
	s.shown = append(s.shown, token)
	good := token == s.good
	s.mu.Unlock()
	document, produced := any(metadata(s.front.URL, s.back.URL+"/openid/v1/jwks")), "application/json"
	if r.URL.Path == "/openid/v1/jwks" {
		document, produced = keySet(s.key.jwk(nil)), "application/jwk-set+json"
	}
	switch {
	case !good:
		w.WriteHeader(http.StatusUnauthorized)
	case negotiate(r, produced) != 0:
		w.WriteHeader(negotiate(r, produced))
	default:
		w.Header().Set("Content-Type", produced)
		_ = json.NewEncoder(w).Encode(document)
	}
}

func (s *apiServer) rotate(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.good = token
}

func (s *apiServer) requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.shown)
}

func (s *apiServer) config(clock verifier.Clock) providers.KubernetesConfig {
	return providers.KubernetesConfig{
		Issuer: s.front.URL, KeyHosts: []string{strings.TrimPrefix(s.back.URL, "https://")},
		CAFile: s.file("ca.crt"), TokenFile: s.file("token"), Clock: clock,
	}
}

func (s *apiServer) token() string {
	return s.key.sign(nil, object{
		"iss": s.front.URL, "aud": []string{api}, "sub": "system:serviceaccount:shop:web", "kubernetes.io": object{"namespace": "shop"}, "exp": now() + 100_000,
	}).text()
}

// events keeps the failed fetches.
type events struct {
	mu     sync.Mutex
	failed []verifier.Event
}

func (e *events) Observe(event verifier.Event) {
	if event.Kind == verifier.EventFetchFailed {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.failed = append(e.failed, event)
	}
}

func (e *events) last(t *testing.T) verifier.Event {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.failed) == 0 {
		t.Fatal("no event of a failed fetch")
	}
	return e.failed[len(e.failed)-1]
}

func newInCluster(t *testing.T, cfg providers.KubernetesConfig, clock verifier.Clock) (*verifier.Verifier, *events) {
	t.Helper()
	seen := &events{}
	v, err := verifier.New(verifier.Config{Audience: api, Issuers: issuers(providers.Kubernetes(cfg)), Clock: clock, Observer: seen})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.Close() })
	return v, seen
}

// TestKubernetes: metadata and keys with the pod's files, and through the negotiation of
// media types.
func TestKubernetes(t *testing.T) {
	s, clock := newAPIServer(t), verifiertest.NewClock(time.Time{})
	v, _ := newInCluster(t, s.config(clock), clock)
	token, err := v.VerifyAccessToken(t.Context(), s.token())
	if err != nil || token.Subject != "system:serviceaccount:shop:web" {
		t.Fatalf("VerifyAccessToken = %s; want the service account", outcome(err))
	}
	if got := s.requests(); got != 2 {
		t.Errorf("%d requests; want 2", got)
	}
}

// TestKubernetesReadsFilesAgain: a token that the kubelet has replaced is used after a
// minute at the latest.
func TestKubernetesReadsFilesAgain(t *testing.T) {
	s, clock := newAPIServer(t), verifiertest.NewClock(time.Time{})
	doer := providers.Kubernetes(s.config(clock)).Doer
	ask := func() int {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.front.URL+wellKnown, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := doer.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if req.Header.Get("Authorization") != "" {
			t.Error("the caller's request was changed")
		}
		return resp.StatusCode
	}
	want := func(what string, status int) {
		t.Helper()
		if got := ask(); got != status {
			t.Errorf("%s: status %d; want %d", what, got, status)
		}
	}
	want("the first token", http.StatusOK)
	s.rotate("second")
	s.write(t, "token", []byte("second"))
	want("replaced, within the minute", http.StatusUnauthorized)
	clock.Advance(time.Minute)
	want("replaced, after a minute", http.StatusOK)
	s.rotate("third")
	s.write(t, "token", []byte("third"))
	clock.Advance(-time.Hour)
	want("the clock was set back", http.StatusOK)
}

// TestKubernetesFiles: what cannot be read is 503 and an event that says which file, and
// no word of a token; with keys held, requests go on.
func TestKubernetesFiles(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(t *testing.T, s *apiServer)
		want  string // in the event
	}{
		"no token":            {func(t *testing.T, s *apiServer) { remove(t, s.file("token")) }, "/token"},
		"no authority":        {func(t *testing.T, s *apiServer) { remove(t, s.file("ca.crt")) }, "/ca.crt"},
		"no certificate":      {func(t *testing.T, s *apiServer) { s.write(t, "ca.crt", []byte("secret")) }, "/ca.crt"},
		"an empty token":      {func(t *testing.T, s *apiServer) { s.write(t, "token", []byte(" \n")) }, "/token"},
		"two lines":           {func(t *testing.T, s *apiServer) { s.write(t, "token", []byte("secret\nX-Other: secret")) }, "/token"},
		"another authority":   {func(t *testing.T, s *apiServer) { s.write(t, "ca.crt", otherAuthority()) }, "certificate"},
		"a token of the past": {func(_ *testing.T, s *apiServer) { s.rotate("other") }, "401"},
	} {
		t.Run(name, func(t *testing.T) {
			s, clock := newAPIServer(t), verifiertest.NewClock(time.Time{})
			c.spoil(t, s)
			v, seen := newInCluster(t, s.config(clock), clock)
			_, err := v.VerifyAccessToken(t.Context(), s.token())
			var e *verifier.Error
			if !errors.As(err, &e) || e.Reason != reason.Discovery || e.Status != http.StatusServiceUnavailable {
				t.Errorf("VerifyAccessToken = %s; want %s and 503", outcome(err), reason.Discovery)
			}
			event := seen.last(t)
			text := event.Problem + " " + event.Detail
			if !strings.Contains(text, c.want) {
				t.Errorf("the event says %q; want %q in it", text, c.want)
			}
			for _, said := range []string{text, err.Error()} {
				if strings.Contains(said, "secret") || strings.Contains(said, "first") {
					t.Errorf("a secret is in %q", said)
				}
			}
		})
	}
}

func remove(t *testing.T, file string) {
	t.Helper()
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
}

// otherAuthority is one that has not signed the API server's certificate.
func otherAuthority() []byte {
	leaf, err := newAuthority(newRoots())(helloFor("kubernetes.default.svc"))
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: must(leaf, err).Certificate[0]})
}

// TestKubernetesKeepsItsKeys: files that vanish later do no harm while keys are held.
func TestKubernetesKeepsItsKeys(t *testing.T) {
	s, clock := newAPIServer(t), verifiertest.NewClock(time.Time{})
	v, seen := newInCluster(t, s.config(clock), clock)
	if _, err := v.VerifyAccessToken(t.Context(), s.token()); err != nil {
		t.Fatal(err)
	}
	remove(t, s.file("token"))
	clock.Advance(15 * time.Minute) // longer than documents are fresh
	if _, err := v.VerifyAccessToken(t.Context(), s.token()); err != nil {
		t.Errorf("VerifyAccessToken with keys held = %s; want a token", outcome(err))
	}
	_ = v.Close() // the refresh has ended
	if text := seen.last(t).Detail; !strings.Contains(text, "/token") {
		t.Errorf("the event says %q; want the file's name", text)
	}
}

// TestKubernetesShowsItsTokenToNoOther: the token goes to the issuer's host and the
// hosts of its keys, over https, wherever documents or redirects lead.
func TestKubernetesShowsItsTokenToNoOther(t *testing.T) {
	s := newAPIServer(t)
	cfg := s.config(nil)
	cfg.KeyHosts = nil // the keys are on another port
	doer := providers.Kubernetes(cfg).Doer
	for _, url := range []string{
		s.back.URL + "/openid/v1/jwks", "http" + strings.TrimPrefix(s.front.URL, "https") + wellKnown, "https://evil.example/", "https://127.0.0.1/",
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := doer.Do(req)
		if err == nil {
			_ = resp.Body.Close()
			t.Errorf("Do(%s) = %d; want an error", url, resp.StatusCode)
		}
	}
	if got := s.requests(); got != 0 {
		t.Errorf("the token was shown %d times", got)
	}
}
