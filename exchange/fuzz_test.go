package exchange_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/exchange"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// FuzzAnswer: no answer of a token endpoint makes the client panic, a token
// that is accepted can be used, and an error says nothing of its own.
func FuzzAnswer(f *testing.F) {
	for _, body := range []string{
		`{"access_token":"t","expires_in":3600,"token_type":"Bearer","scope":"","id_token":"a.b.c"}`, `{"access_token":"t","expires_in":"3600"}`,
		`{"access_token":"t","expires_in":1e400}`, `{"access_token":"t","expires_in":-0.0}`, `{"error":"invalid_grant","error_description":"no"}`,
		`{"error":5}`, `[]`, `null`, `<html>`, ``, `{"access_token":"\u0000"}`, `{"access_token":"t","expires_in":99999999999999999999}`,
		`{"access_token":"eyJhbGciOiJub25lIn0.eyJvcmdfaWQiOiJvcmdfMSJ9.AA"}`,
	} {
		f.Add(uint16(200), "application/json", "5", body)
		f.Add(uint16(400), "application/json", "", body)
		f.Add(uint16(429), "text/html", "Wed, 21 Oct 2015 07:28:00 GMT", body)
	}
	var status int
	var header http.Header
	var body string
	e := &endpoint{answer: func(url.Values, http.Header) (int, http.Header, string) { return status, header, body }}
	clock := verifiertest.NewClock(time.Time{})
	c, err := exchange.New(exchange.Config{Domain: domain, ClientID: clientID, Auth: exchange.ClientSecretBasic(secret), Doer: e, Clock: clock})
	if err != nil {
		f.Fatal(err)
	}
	defer c.Close()
	f.Fuzz(func(t *testing.T, code uint16, contentType, retryAfter, text string) {
		status, header, body = int(code)&^1, http.Header{"Content-Type": {contentType}, "Retry-After": {retryAfter}}, text
		clock.Advance(2 * time.Hour) // nothing is held
		r := profile("a-subject-token")
		if code%2 == 1 {
			r.Organization = "org_1"
		}
		before := clock.Now().Truncate(time.Second)
		got, err := c.ExchangeProfile(t.Context(), r)
		if err != nil {
			var e *exchange.Error
			if !errors.As(err, &e) || e.Code == "" || len(e.Code) > 128 || e.RetryAfter < 0 || strings.ContainsAny(e.Code, "\"\\\r\n") {
				t.Errorf("error %#v", err)
			}
			if errors.As(err, &e) && len(e.ServerDescription()) > 512 {
				t.Error("a long description")
			}
			return
		}
		if status != 200 || strings.Trim(got.AccessToken, " ") == "" || strings.ContainsAny(got.AccessToken, "\r\n\x00") || got.ExpiresIn < 0 || !got.ExpiresAt.IsZero() && got.ExpiresAt.Before(before) && got.ExpiresIn != 0 {
			t.Errorf("accepted a token that cannot be used: status %d, expires in %v at %v", status, got.ExpiresIn, got.ExpiresAt)
		}
		r2, err := http.NewRequest(http.MethodGet, "https://backend.example/", nil)
		if err != nil {
			t.Fatal(err)
		}
		got.Authorize(r2)
		if v := r2.Header.Get("Authorization"); !strings.HasPrefix(v, "Bearer ") {
			t.Errorf("Authorization %q", v)
		}
	})
}
