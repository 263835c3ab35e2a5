package discovery_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/internal/discovery"
	"github.com/portcullis-go/portcullis/internal/fetch"
)

func TestPlaces(t *testing.T) {
	for issuer, want := range map[string][2]string{
		"https://a.example/":             {"https://a.example/.well-known/openid-configuration", "https://a.example/.well-known/oauth-authorization-server"},
		"https://a.example":              {"https://a.example/.well-known/openid-configuration", "https://a.example/.well-known/oauth-authorization-server"},
		"https://a.example:8443/b":       {"https://a.example:8443/b/.well-known/openid-configuration", "https://a.example:8443/.well-known/oauth-authorization-server/b"},
		"https://a.example/b/c/":         {"https://a.example/b/c/.well-known/openid-configuration", "https://a.example/.well-known/oauth-authorization-server/b/c"},
		"http://localhost:8080/realms/x": {"http://localhost:8080/realms/x/.well-known/openid-configuration", "http://localhost:8080/.well-known/oauth-authorization-server/realms/x"},
	} {
		if got := discovery.Places(issuer); got != want {
			t.Errorf("Places(%q) = %q; want %q", issuer, got, want)
		}
	}
}

// server answers URLs with a status, or a document for 200, or an error for 0.
type server struct {
	statuses map[string]int
	asked    []string
	tags     []string
}

const document = `{"issuer":"https://a.example/b","jwks_uri":"https://a.example/k"}`

func (s *server) Do(r *http.Request) (*http.Response, error) {
	s.asked = append(s.asked, r.URL.String())
	s.tags = append(s.tags, r.Header.Get("If-None-Match"))
	status := s.statuses[r.URL.String()]
	if status == 0 {
		return nil, errors.New("no answer")
	}
	return &http.Response{StatusCode: status, Header: http.Header{"Etag": {`"1"`}}, Body: io.NopCloser(strings.NewReader(document)), Request: r, ContentLength: -1}, nil
}

const (
	withPath = "https://a.example/b"
	openID   = "https://a.example/b/.well-known/openid-configuration"
	oauth    = "https://a.example/.well-known/oauth-authorization-server/b"

	elsewhere = "https://a.example/old/.well-known/openid-configuration"
)

// TestSecondPlace: only after a definite answer, never after a failure.
func TestSecondPlace(t *testing.T) {
	for _, c := range []struct {
		name          string
		place         string
		openID, oauth int
		asked         []string
		found         string
		status        int // of the error
	}{
		{"OpenID", "", 200, 200, []string{openID}, openID, 0},
		{"404", "", 404, 200, []string{openID, oauth}, oauth, 0},
		{"405", "", 405, 200, []string{openID, oauth}, oauth, 0},
		{"410", "", 410, 200, []string{openID, oauth}, oauth, 0},
		{"neither", "", 410, 404, []string{openID, oauth}, "", 410},
		{"the second fails", "", 404, 500, []string{openID, oauth}, "", 500},
		{"500", "", 500, 200, []string{openID}, "", 500},
		{"503", "", 503, 200, []string{openID}, "", 503},
		{"429", "", 429, 200, []string{openID}, "", 429},
		{"403", "", 403, 200, []string{openID}, "", 403},
		{"401", "", 401, 200, []string{openID}, "", 401},
		{"400", "", 400, 200, []string{openID}, "", 400},
		{"406", "", 406, 200, []string{openID}, "", 406},
		{"302 elsewhere", "", 302, 200, []string{openID}, "", 302},
		{"no answer", "", 0, 200, []string{openID}, "", 0},
		{"remembered", oauth, 200, 200, []string{oauth}, oauth, 0},
		{"remembered, and gone", oauth, 200, 404, []string{oauth, openID}, openID, 0},
		{"remembered, and fails", oauth, 200, 500, []string{oauth}, "", 500},
		{"remembered, and all gone", oauth, 404, 410, []string{oauth, openID}, "", 410},
		{"remembered elsewhere, and gone", elsewhere, 404, 200, []string{elsewhere, openID, oauth}, oauth, 0},
		{"remembered OpenID, and gone", openID, 404, 200, []string{openID, oauth}, oauth, 0},
	} {
		s := &server{statuses: map[string]int{openID: c.openID, oauth: c.oauth, elsewhere: 404}}
		got, err := discovery.Fetch(t.Context(), s, discovery.Request{Issuer: withPath, Place: c.place, ETag: `"x"`})
		if !slices.Equal(s.asked, c.asked) || got.Place != c.found {
			t.Errorf("%s: asked %q, found %q; want %q and %q", c.name, s.asked, got.Place, c.asked, c.found)
		}
		for i, tag := range s.tags {
			if want := s.asked[i] == c.place; (tag != "") != want {
				t.Errorf("%s: %s asked with tag %q; want one: %v", c.name, s.asked[i], tag, want)
			}
		}
		var f *fetch.Error
		if (err == nil) != (c.found != "") || err != nil && (!errors.As(err, &f) || f.Status != c.status) {
			t.Errorf("%s: %v; want status %d", c.name, err, c.status)
		}
	}
}

func TestPlacesShareOneDeadline(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	end, _ := ctx.Deadline()
	n := 0
	_, err := discovery.Fetch(ctx, doerFunc(func(r *http.Request) (*http.Response, error) {
		n++
		if own, ok := r.Context().Deadline(); !ok || own.After(end) {
			t.Errorf("request %d has until %v; want until %v at most", n, own, end)
		}
		if n == 1 {
			return &http.Response{StatusCode: 404, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
		}
		<-r.Context().Done()
		return nil, r.Context().Err()
	}), discovery.Request{Issuer: withPath})
	var f *fetch.Error
	if !errors.As(err, &f) || f.Kind != fetch.Timeout || n != 2 {
		t.Errorf("%v after %d requests; want a time-out after 2", err, n)
	}
}

type doerFunc func(*http.Request) (*http.Response, error)

func (f doerFunc) Do(r *http.Request) (*http.Response, error) { return f(r) }
