package verifiertest_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

var errDown = errors.New("down")

// TestKeysOfTheContract: what it promises works, what it does not is refused,
// by the same rule everywhere.
func TestKeysOfTheContract(t *testing.T) {
	ctx := t.Context()
	cache, store := verifiertest.NewCache(nil, 0), verifiertest.NewReplayStore(nil)
	longest := strings.Repeat("k", 64<<10)
	for _, tt := range []struct {
		name, key string
		good      bool
	}{
		{"longest", longest, true},
		{"spaces and controls", "a b\r\n\x00\t", true},
		{"not ASCII", "schlüssel\u2028", true},
		{"empty", "", false},
		{"too long", longest + "k", false},
		{"not UTF-8", "a\xff", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			errs := map[string]error{}
			errs["Set"] = cache.Set(ctx, tt.key, []byte("v"), time.Minute)
			var value []byte
			var ok bool
			value, ok, errs["Get"] = cache.Get(ctx, tt.key)
			errs["Delete"] = cache.Delete(ctx, tt.key)
			_, errs["Add"] = store.Add(ctx, tt.key, time.Minute)
			for method, err := range errs {
				if (err == nil) != tt.good {
					t.Errorf("%s: %v", method, err)
				}
			}
			if ok != tt.good || ok && string(value) != "v" {
				t.Errorf("Get() = %q, %v", value, ok)
			}
		})
	}
}

func TestValuesOfTheContract(t *testing.T) {
	ctx := t.Context()
	cache := verifiertest.NewCache(nil, 0)
	large := bytes.Repeat([]byte("v"), 512<<10)
	if err := cache.Set(ctx, "k", large, time.Minute); err != nil {
		t.Errorf("the largest value: %v", err)
	}
	if got, ok, err := cache.Get(ctx, "k"); err != nil || !ok || !bytes.Equal(got, large) {
		t.Errorf("the largest value: %d bytes, %v, %v", len(got), ok, err)
	}
	if err := cache.Set(ctx, "k", append(large, 'v'), time.Minute); err == nil {
		t.Error("a value that no cache need take was taken")
	}
	for _, ttl := range []time.Duration{0, -1, -time.Hour} {
		if err := cache.Set(ctx, "k", []byte("v"), time.Minute); err != nil {
			t.Fatal(err)
		}
		if err := cache.Set(ctx, "k", []byte("v"), ttl); err != nil {
			t.Errorf("ttl %v: %v", ttl, err)
		}
		if _, ok, err := cache.Get(ctx, "k"); ok || err != nil {
			t.Errorf("after a ttl of %v: %v, %v; want a miss", ttl, ok, err)
		}
	}
	mine := []byte("mine")
	if err := cache.Set(ctx, "k", mine, time.Minute); err != nil {
		t.Fatal(err)
	}
	mine[0] = 'x'
	first, _, _ := cache.Get(ctx, "k")
	first[1] = 'x'
	if got, _, _ := cache.Get(ctx, "k"); string(got) != "mine" {
		t.Errorf("the cache shares memory with its callers: %q", got)
	}
	if err := cache.Set(ctx, "empty", nil, time.Minute); err != nil {
		t.Fatal(err)
	}
	if got, ok, err := cache.Get(ctx, "empty"); got == nil || !ok || err != nil {
		t.Errorf("an empty value: %v, %v, %v; want a hit", got, ok, err)
	}
}

func TestReplayTTLs(t *testing.T) {
	store := verifiertest.NewReplayStore(nil)
	add := func(ttl time.Duration, want bool) {
		t.Helper()
		if added, err := store.Add(t.Context(), "k", ttl); added != want || err != nil {
			t.Errorf("Add(%v) = %v, %v; want %v", ttl, added, err, want)
		}
	}
	add(0, true)
	add(-time.Minute, true)
	add(time.Minute, true)
	add(time.Minute, false)
	add(0, true)            // has expired when it comes
	add(time.Minute, false) // and changed nothing
}

// TestRepeatedAddDoesNotExtend: the first ttl counts.
func TestRepeatedAddDoesNotExtend(t *testing.T) {
	clock := verifiertest.NewClock(time.Time{})
	store := verifiertest.NewReplayStore(clock)
	for _, want := range []bool{true, false, false, true} {
		if added, err := store.Add(t.Context(), "k", time.Minute); added != want || err != nil {
			t.Errorf("Add() = %v, %v; want %v", added, err, want)
		}
		clock.Advance(21 * time.Second)
	}
}

// TestDoneContexts: no fake works for a caller that is gone.
func TestDoneContexts(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	cache, store := verifiertest.NewCache(nil, 0), verifiertest.NewReplayStore(nil)
	_, _, getErr := cache.Get(ctx, "k")
	_, addErr := store.Add(ctx, "k", time.Minute)
	for method, err := range map[string]error{
		"Get": getErr, "Add": addErr, "Delete": cache.Delete(ctx, "k"), "Clear": cache.Clear(ctx), "Set": cache.Set(ctx, "k", nil, time.Minute),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v; want context.Canceled", method, err)
		}
	}
	if len(cache.Keys())+len(store.Keys()) != 0 {
		t.Error("something was written")
	}
}

// TestLostAnswers: the work is done, and the caller does not know.
func TestLostAnswers(t *testing.T) {
	ctx := t.Context()
	cache, store := verifiertest.NewCache(nil, 0), verifiertest.NewReplayStore(nil)
	cache.LoseNext(1, errDown)
	if err := cache.Set(ctx, "k", []byte("v"), time.Minute); !errors.Is(err, errDown) {
		t.Errorf("Set() = %v; want %v", err, errDown)
	}
	if value, ok, err := cache.Get(ctx, "k"); !ok || err != nil || string(value) != "v" {
		t.Errorf("Get() = %q, %v, %v; want the value", value, ok, err)
	}
	cache.LoseNext(1, errDown)
	if value, ok, err := cache.Get(ctx, "k"); value != nil || ok || !errors.Is(err, errDown) {
		t.Errorf("a lost Get: %q, %v, %v", value, ok, err)
	}
	store.LoseNext(-1, errDown)
	for range 2 {
		if added, err := store.Add(ctx, "k", time.Minute); added || !errors.Is(err, errDown) {
			t.Errorf("a lost Add: %v, %v", added, err)
		}
	}
	store.Recover()
	if added, err := store.Add(ctx, "k", time.Minute); added || err != nil {
		t.Errorf("after it: %v, %v; want a key that is known", added, err)
	}
}

// TestRecoverEndsAHang, also of the calls that wait already.
func TestRecoverEndsAHang(t *testing.T) {
	store := verifiertest.NewReplayStore(nil)
	store.Hang()
	store.Hang()
	done := make(chan error)
	go func() {
		_, err := store.Add(t.Context(), "k", time.Minute)
		done <- err
	}()
	for store.Calls("Add") == 0 {
		select {
		case err := <-done:
			t.Fatalf("Add() = %v, before Recover", err)
		default:
		}
	}
	store.Recover()
	if err := <-done; err != nil {
		t.Errorf("Add() = %v; want no error", err)
	}
}

// TestReplayStoreOfAVerifier: what its faults mean for a request.
func TestReplayStoreOfAVerifier(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  error
		want int
	}{
		{"down", errDown, http.StatusServiceUnavailable},
		{"quota", verifiertest.QuotaError{}, http.StatusUnauthorized},
	} {
		t.Run(tt.name, func(t *testing.T) {
			store := verifiertest.NewReplayStore(nil)
			store.FailNext(1, tt.err)
			issuer := verifiertest.NewIssuer(t, verifiertest.WithAlgorithm("ES256"))
			client := verifiertest.NewDPoPClient(t, nil, "")
			cfg := issuer.Config(audience)
			cfg.DPoP.ReplayStore = store
			r := httptest.NewRequest("GET", target, nil)
			client.Authorize(r, issuer.Sign(audience, map[string]any{"cnf": client.Confirmation()}))
			_, err := newVerifier(t, cfg).VerifyHTTPRequest(r)
			var e *verifier.Error
			if !errors.As(err, &e) || e.Status != tt.want {
				t.Errorf("VerifyHTTPRequest() = %v; want status %d", err, tt.want)
			}
		})
	}
}
