package introspection_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portcullis-go/portcullis/exchange"
	"github.com/portcullis-go/portcullis/introspection"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// TestSharedQuestionsAreTold of all who share one but the first.
func TestSharedQuestionsAreTold(t *testing.T) {
	for _, status := range []int{200, 500} {
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex
			shared := make(map[bool]int)
			release := make(chan struct{})
			doer := &raw{status: status, body: `{"active":true}`, after: func(*http.Request) { <-release }}
			c := mustClient(t, introspection.Config{
				Domain: "id.example.com", Endpoint: "https://id.example.com/introspect", ClientID: "orders", Auth: exchange.ClientSecretBasic("s3cret-s3cret"), Doer: doer,
				Observer: introspection.ObserverFunc(func(e introspection.Event) {
					mu.Lock()
					defer mu.Unlock()
					shared[e.Shared]++
				}),
			})
			var wg sync.WaitGroup
			for range 3 {
				wg.Go(func() {
					got, err := c.Introspect(t.Context(), verifier.IntrospectionRequest{Issuer: "https://id.example.com/", Token: "x"})
					if got.Active != (status == 200) || (err == nil) != (status == 200) {
						t.Errorf("Introspect = %v, %v with status %d", got.Active, err, status)
					}
				})
			}
			synctest.Wait() // all wait for the answer
			close(release)
			wg.Wait()
			if shared[true] != 2 || shared[false] != 1 || doer.calls.Load() != 1 {
				t.Errorf("status %d: %d shared, %d did not, of %d questions; want 2, 1 and 1", status, shared[true], shared[false], doer.calls.Load())
			}
		})
	}
}

// TestCloseEndsTheFetchOfMetadata that a question waits for.
func TestCloseEndsTheFetchOfMetadata(t *testing.T) {
	asked, over := make(chan struct{}), make(chan error, 1)
	c := mustClient(t, introspection.Config{
		Domain: "id.example.com", ClientID: "orders", Auth: exchange.ClientSecretBasic("s3cret-s3cret"),
		Doer: verifier.DoerFunc(func(r *http.Request) (*http.Response, error) {
			close(asked)
			<-r.Context().Done()
			over <- r.Context().Err()
			return nil, r.Context().Err()
		}),
	})
	done := make(chan error, 1)
	go func() {
		_, err := c.Introspect(context.Background(), verifier.IntrospectionRequest{Issuer: "https://id.example.com/", Token: "x"})
		done <- err
	}()
	<-asked
	_ = c.Close()
	if err := <-over; !errors.Is(err, context.Canceled) {
		t.Errorf("the fetch ended with %v; want that Close ends it", err)
	}
	if err := <-done; !errors.Is(err, introspection.ErrClosed) {
		t.Errorf("Introspect = %v; want ErrClosed", err)
	}
}

// sets is a cache that counts what is written.
type sets struct {
	names
	count int
}

func (s *sets) Set(context.Context, string, []byte, time.Duration) error {
	s.count++
	return nil
}

// TestAnswerThatEndsAtOnce is remembered nowhere.
func TestAnswerThatEndsAtOnce(t *testing.T) {
	for _, c := range []struct {
		exp         int64
		sets, asked int
	}{{start.Unix() - 10, 0, 2}, {start.Unix(), 0, 2}, {start.Unix() + 1, 1, 1}} {
		cache, asked := &sets{}, 0
		client := mustClient(t, introspection.Config{
			Domain: "id.example.com", Endpoint: "https://id.example.com/introspect", ClientID: "orders", Auth: exchange.ClientSecretBasic("s3cret-s3cret"),
			Clock: verifiertest.NewClock(start), Cache: cache, CachePrivate: true,
			Doer: verifier.DoerFunc(func(r *http.Request) (*http.Response, error) {
				asked++
				body := fmt.Sprintf(`{"active":true,"exp":%d}`, c.exp)
				return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: -1, Request: r}, nil
			}),
		})
		for range 2 {
			if _, err := client.Introspect(t.Context(), verifier.IntrospectionRequest{Issuer: "https://id.example.com/", Token: "x"}); err != nil {
				t.Error(err)
			}
		}
		if cache.count != c.sets || asked != c.asked {
			t.Errorf("exp %d: %d writes, asked %d times; want %d and %d", c.exp, cache.count, asked, c.sets, c.asked)
		}
	}
}
