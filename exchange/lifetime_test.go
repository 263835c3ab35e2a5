package exchange_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/exchange"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// unsigned returns a text that looks like a JWT with these claims.
func unsigned(claims string) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"RS256"}`)) + "." + encode([]byte(claims)) + "." + encode([]byte("s"))
}

// TestLifetimes: the earlier of expires_in and exp counts; nothing known is the
// zero time, and such a result is not kept.
func TestLifetimes(t *testing.T) {
	clock := verifiertest.NewClock(time.Unix(1_750_000_000, 0))
	now := clock.Now().Unix()
	exp := func(seconds int64) string { return unsigned(fmt.Sprintf(`{"exp":%d}`, now+seconds)) }
	for name, c := range map[string]struct {
		token     string
		expiresIn string        // as JSON, or "" for none
		want      time.Duration // from now on, 0 for unknown
		kept      bool
	}{
		"neither":                   {"opaque", "", 0, false},
		"expires_in alone":          {"opaque", "600", 600 * time.Second, true},
		"exp alone":                 {exp(300), "", 300 * time.Second, true},
		"exp first":                 {exp(300), "3600", 300 * time.Second, true},
		"expires_in first":          {exp(3600), "300", 300 * time.Second, true},
		"no exp":                    {unsigned(`{"sub":"x"}`), "", 0, false},
		"no exp, expires_in":        {unsigned(`{"sub":"x"}`), "600", 600 * time.Second, true},
		"strange exp":               {unsigned(`{"exp":"soon"}`), "600", 0, false},
		"null exp":                  {unsigned(`{"exp":null}`), "600", 0, false},
		"two exp":                   {unsigned(fmt.Sprintf(`{"exp":%d,"exp":%d}`, now+3600, now+300)), "3600", 300 * time.Second, true},
		"padded":                    {strings.Replace(exp(300), ".", ".", 1) + "=", "3600", 300 * time.Second, true},
		"fractional exp":            {unsigned(fmt.Sprintf(`{"exp":%d.5}`, now+300)), "3600", 300*time.Second + 500*time.Millisecond, true},
		"bytes that are no Unicode": {unsigned(fmt.Sprintf("{\"exp\":%d,\"x\":\"\xff\"}", now+300)), "3600", 300 * time.Second, true},
		"a byte order mark":         {unsigned(fmt.Sprintf("\ufeff{\"exp\":%d}", now+300)), "3600", 300 * time.Second, true},
		"over":                      {exp(-5), "3600", -5 * time.Second, false},
		"five parts":                {"a.b.c.d.e", "600", 600 * time.Second, true},
	} {
		body := `{"access_token":"` + c.token + `","token_type":"Bearer"`
		if c.expiresIn != "" {
			body += `,"expires_in":` + c.expiresIn
		}
		e := answering(200, body+"}")
		client := e.client(t, func(cfg *exchange.Config) {
			cached(verifiertest.NewCache(clock, 0))(cfg)
			cfg.Clock = clock
		})
		for range 2 {
			for kind, ask := range map[string]func() (*exchange.Token, error){
				"profile": func() (*exchange.Token, error) {
					all, err := client.ExchangeProfile(t.Context(), profile("subject"))
					if err != nil {
						return nil, err
					}
					return &all.Token, nil
				},
				"connection": func() (*exchange.Token, error) {
					return client.ConnectionToken(t.Context(), exchange.ConnectionRequest{Connection: "c", AccessToken: "s"})
				},
			} {
				got, err := ask()
				if err != nil {
					t.Fatalf("%s, %s: %v", name, kind, err)
				}
				var want time.Time
				if c.want != 0 {
					want = clock.Now().Add(c.want)
				}
				// Kept results have ends of whole seconds.
				if !got.ExpiresAt.Equal(want) && !got.ExpiresAt.Equal(want.Truncate(time.Second)) || got.ExpiresIn < 0 || got.ExpiresIn > max(0, c.want) {
					t.Errorf("%s, %s: ExpiresAt %v, ExpiresIn %v; want %v", name, kind, got.ExpiresAt, got.ExpiresIn, want)
				}
			}
		}
		if got, want := e.count(), map[bool]int{true: 2, false: 4}[c.kept]; got != want {
			t.Errorf("%s: %d requests for 4 equal ones by two; want %d", name, got, want)
		}
	}
}

// TestManyServedResultsAreGood: in random sequences of requests, answers and steps of
// the clock, no result is served at or past the end of its own token, of its ID
// token, or of a token that it was got for.
func TestManyServedResultsAreGood(t *testing.T) {
	const sequences = 10_000
	random := rand.New(rand.NewPCG(3, 4))
	end := func(token string) (time.Time, bool) {
		parts := strings.Split(token, ".")
		if len(parts) != 3 {
			return time.Time{}, false
		}
		payload, err := base64.RawURLEncoding.DecodeString(parts[1])
		if err != nil {
			t.Fatal(err)
		}
		seconds, err := strconv.ParseInt(strings.Trim(string(payload), `{}"exp:`), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return time.Unix(seconds, 0), true
	}
	// One document for all: a store for each sequence would be most of the work.
	document := metadataFunc(func(context.Context, string) (verifier.Metadata, error) {
		return verifier.Metadata{Issuer: "https://tenant.example/", TokenEndpoint: tokenURL}, nil
	})
	served, kept := 0, 0
	for range sequences {
		clock := verifiertest.NewClock(time.Unix(1_750_000_000, random.Int64N(1e9)))
		some := func() string { // a token with an end, or without
			if random.IntN(3) == 0 {
				return "opaque" + strconv.Itoa(random.IntN(3))
			}
			return unsigned(fmt.Sprintf(`{"exp":%d}`, clock.Now().Unix()+random.Int64N(900)-100))
		}
		brought := make(map[string]time.Time) // access token -> when its answer said that it ends
		n := 0
		e := &endpoint{answer: func(url.Values, http.Header) (int, http.Header, string) {
			n++
			token := fmt.Sprintf("opaque-%d", n)
			if random.IntN(2) == 0 {
				token = unsigned(fmt.Sprintf(`{"exp":%d}`, clock.Now().Unix()+random.Int64N(900)-100))
			}
			body := `{"access_token":"` + token + `"`
			if random.IntN(3) > 0 {
				seconds := random.IntN(1200)
				brought[token] = clock.Now().Add(time.Duration(seconds) * time.Second)
				body += `,"expires_in":` + strconv.Itoa(seconds)
			}
			if random.IntN(4) == 0 {
				body += `,"id_token":"` + some() + `"`
			}
			return 200, nil, body + "}"
		}}
		cfg := exchange.Config{
			Domain: domain, ClientID: clientID, Auth: exchange.ClientSecretBasic(secret), Doer: e, Clock: clock, Metadata: document,
			Cache: verifiertest.NewCache(clock, 0), CachePrivate: true, CacheSkew: time.Duration(1 + random.Int64N(int64(time.Minute))),
		}
		c, err := exchange.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		subjects := []string{some(), some()}
		for range 4 + random.IntN(8) {
			subject := subjects[random.IntN(2)]
			before := n
			got, err := c.ExchangeProfile(t.Context(), profile(subject))
			if err != nil {
				t.Fatal(err)
			}
			if n == before {
				served++
				now := clock.Now()
				for name, token := range map[string]string{"access token": got.AccessToken, "ID token": got.IDToken, "subject": subject} {
					if at, ok := end(token); ok && !now.Before(at) {
						t.Fatalf("a result is served %v after its %s has ended", now.Sub(at), name)
					}
				}
				if at, ok := brought[got.AccessToken]; ok && !now.Before(at) {
					t.Fatalf("a result is served %v after expires_in", now.Sub(at))
				}
				if got.ExpiresAt.IsZero() || !now.Before(got.ExpiresAt) {
					t.Fatalf("a result is served at %v with ExpiresAt %v", now, got.ExpiresAt)
				}
			} else {
				kept++
			}
			step := time.Duration(random.Int64N(int64(5 * time.Minute)))
			if random.IntN(10) == 0 {
				step = -step / 10
			}
			clock.Advance(step)
		}
		_ = c.Close()
	}
	t.Logf("%d sequences: %d results served, %d fetched", sequences, served, kept)
	if served < sequences || kept < sequences {
		t.Errorf("%d results served, %d fetched: the test does not try both", served, kept)
	}
}
