package introspection

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portcullis-go/portcullis/exchange"
	"github.com/portcullis-go/portcullis/verifier"
)

// newFlyer makes a client whose questions are answered by f.
func newFlyer(t *testing.T, f func(*http.Request) (string, error)) *Client {
	t.Helper()
	c, err := New(Config{
		Domain: "id.example.com", Endpoint: "https://id.example.com/introspect", ClientID: "orders", Auth: exchange.ClientSecretBasic("s3cret-s3cret"), NegativeTTL: -1,
		Doer: verifier.DoerFunc(func(r *http.Request) (*http.Response, error) {
			body, err := f(r)
			if err != nil {
				return nil, err
			}
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: -1, Request: r}, nil
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// TestAnsweredInThisMoment: a question that was answered, or whose client was closed,
// since it was looked for in memory is not sent.
func TestAnsweredInThisMoment(t *testing.T) {
	asked := 0
	c := newFlyer(t, func(*http.Request) (string, error) {
		asked++
		return `{"active":false}`, nil
	})
	k, now := keyOf("token"), time.Now()
	c.active.put(k, []byte(`{"active":true}`), span{now.UnixNano(), now.Add(time.Hour).UnixNano()})
	if f, err := c.fly(t.Context(), k, c.fixed, "token"); err != nil || !f.active || !f.hit || string(f.claims) != `{"active":true}` || asked != 0 {
		t.Errorf("fly = %+v, %v after %d questions; want what is remembered", f, err, asked)
	}
	if f, err := c.fly(t.Context(), keyOf("other"), c.fixed, "other"); err != nil || f.active || f.hit || asked != 1 {
		t.Errorf("fly = %+v, %v after %d questions; want an answer", f, err, asked)
	}
	if len(c.inactive.byKey) != 0 {
		t.Error("a negative answer is remembered, which the configuration switches off")
	}
	_ = c.Close()
	if f, err := c.fly(t.Context(), keyOf("third"), c.fixed, "third"); f.active || !errors.Is(err, ErrClosed) || asked != 1 {
		t.Errorf("fly = %+v, %v after %d questions; want ErrClosed", f, err, asked)
	}
}

// TestCloseWaits for the questions under way.
func TestCloseWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked, over := make(chan struct{}), false
		c := newFlyer(t, func(r *http.Request) (string, error) {
			close(asked)
			<-r.Context().Done()
			time.Sleep(time.Second) // whoever sends it takes a while to notice
			over = true
			return "", r.Context().Err()
		})
		go func() {
			_, _ = c.Introspect(context.Background(), verifier.IntrospectionRequest{Issuer: "id.example.com", Token: "x"})
		}()
		<-asked
		if _ = c.Close(); !over {
			t.Error("Close did not wait for the question under way")
		}
	})
}
