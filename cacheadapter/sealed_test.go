package cacheadapter_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/cacheadapter"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// sealedOver returns a sealed cache and what it reported.
func sealedOver(t *testing.T, cache verifier.Cache, clock verifier.Clock, keys ...[]byte) (verifier.Cache, *[]cacheadapter.Event) {
	t.Helper()
	var events []cacheadapter.Event
	c := must(t)(cacheadapter.Sealed(cache, cacheadapter.SealedConfig{
		Keys: keys, Clock: clock, Observe: func(e cacheadapter.Event) { events = append(events, e) },
	}))
	return c, &events
}

// raw returns what the wrapped cache holds.
func raw(t *testing.T, cache verifier.Cache, key string) []byte {
	t.Helper()
	value, ok, err := cache.Get(t.Context(), key)
	if !ok || err != nil {
		t.Fatalf("Get(%q) of the wrapped cache = %v, %v; want true, nil", key, ok, err)
	}
	return value
}

func TestSealedRejects(t *testing.T) {
	const secret = "a key set that nobody may plant"
	flip := func(at int) func([]byte) []byte {
		return func(b []byte) []byte {
			if at < 0 {
				at += len(b)
			}
			b[at] ^= 1
			return b
		}
	}
	for name, test := range map[string]struct {
		change func([]byte) []byte
		want   cacheadapter.Problem
	}{
		"poison in clear":    {func([]byte) []byte { return []byte(`{"keys":[{"kty":"RSA"}]}` + secret + secret) }, cacheadapter.ProblemMalformed},
		"empty":              {func([]byte) []byte { return nil }, cacheadapter.ProblemMalformed},
		"header only":        {func(b []byte) []byte { return b[:5] }, cacheadapter.ProblemMalformed},
		"a byte too short":   {func(b []byte) []byte { return b[:cacheadapter.SealOverhead-1] }, cacheadapter.ProblemMalformed},
		"cut to no value":    {func(b []byte) []byte { return b[:cacheadapter.SealOverhead] }, cacheadapter.ProblemForged},
		"truncated":          {func(b []byte) []byte { return b[:len(b)-1] }, cacheadapter.ProblemForged},
		"extended":           {func(b []byte) []byte { return append(b, 0) }, cacheadapter.ProblemForged},
		"another version":    {flip(0), cacheadapter.ProblemMalformed},
		"another key's name": {flip(1), cacheadapter.ProblemUnknownKey},
		"nonce changed":      {flip(5), cacheadapter.ProblemForged},
		"end changed":        {flip(5 + 12), cacheadapter.ProblemForged},
		"value changed":      {flip(5 + 12 + 8), cacheadapter.ProblemForged},
		"tag changed":        {flip(-1), cacheadapter.ProblemForged},
	} {
		inner := verifiertest.NewCache(nil, 0)
		c, events := sealedOver(t, inner, nil, sealKey(1))
		set(t, c, "k", secret, time.Minute)
		inner.Corrupt(func(_ string, value []byte) []byte { return test.change(value) })
		wantMiss(t, c, "k")
		want := []cacheadapter.Event{{Op: cacheadapter.OpGet, Outcome: cacheadapter.OutcomeRejected, Problem: test.want}}
		if !slices.Equal(*events, want) {
			t.Errorf("%s: events %v; want %v", name, *events, want)
		}
	}
}

func TestSealedBindsAnEntryToItsKey(t *testing.T) {
	inner := verifiertest.NewCache(nil, 0)
	c, events := sealedOver(t, inner, nil, sealKey(1))
	set(t, c, "jwks of one", "one", time.Minute)
	set(t, inner, "jwks of two", string(raw(t, inner, "jwks of one")), time.Minute)
	wantMiss(t, c, "jwks of two")
	wantHit(t, c, "jwks of one", "one")
	if len(*events) != 1 || (*events)[0].Problem != cacheadapter.ProblemForged {
		t.Errorf("events %v; want one of a forged entry", *events)
	}
}

// TestSealedBindsTheEnd: a writer of the cache puts an entry back for longer.
func TestSealedBindsTheEnd(t *testing.T) {
	clock := verifiertest.NewClock(time.Time{})
	inner := verifiertest.NewCache(clock, 0)
	c, _ := sealedOver(t, inner, clock, sealKey(1))
	set(t, c, "k", "v", time.Minute)
	set(t, inner, "k", string(raw(t, inner, "k")), time.Hour)
	clock.Advance(time.Minute - 1)
	wantHit(t, c, "k", "v")
	clock.Advance(1)
	wantMiss(t, c, "k")
}

func TestSealedHidesValues(t *testing.T) {
	inner := verifiertest.NewCache(nil, 0)
	c, _ := sealedOver(t, inner, nil, sealKey(1))
	seen := make(map[string]bool)
	for range 100 {
		set(t, c, "k", "the value", time.Minute)
		entry := raw(t, inner, "k")
		if bytes.Contains(entry, []byte("value")) {
			t.Fatalf("entry %q holds the value in clear", entry)
		}
		if got, want := len(entry), len("the value")+cacheadapter.SealOverhead; got != want {
			t.Fatalf("entry has %d bytes; want %d", got, want)
		}
		seen[string(entry[5:17])] = true
	}
	if len(seen) != 100 {
		t.Errorf("%d different nonces in 100 entries; want 100", len(seen))
	}
}

func TestSealedRotatesKeys(t *testing.T) {
	before, after := sealKey(1), sealKey(2)
	inner := verifiertest.NewCache(nil, 0)
	onlyBefore, _ := sealedOver(t, inner, nil, before)
	learned, _ := sealedOver(t, inner, nil, before, after)
	switched, _ := sealedOver(t, inner, nil, after, before)
	onlyAfter, events := sealedOver(t, inner, nil, after)

	set(t, onlyBefore, "k", "old", time.Minute)
	for _, c := range []verifier.Cache{onlyBefore, learned, switched} {
		wantHit(t, c, "k", "old")
	}
	wantMiss(t, onlyAfter, "k")
	if len(*events) != 1 || (*events)[0].Problem != cacheadapter.ProblemUnknownKey {
		t.Errorf("events %v; want one of an unknown key", *events)
	}
	set(t, learned, "k", "sealed with the first key", time.Minute)
	wantHit(t, onlyBefore, "k", "sealed with the first key")
	set(t, switched, "k", "new", time.Minute)
	for _, c := range []verifier.Cache{learned, switched, onlyAfter} {
		wantHit(t, c, "k", "new")
	}
	wantMiss(t, onlyBefore, "k")
}

// FuzzSealed plants what an attacker may write: anything at all, and good
// entries with changes. Nothing but the entry as it was sealed is a hit.
func FuzzSealed(f *testing.F) {
	f.Add("k", []byte("value"), []byte{}, 0, byte(0), 0)
	f.Add("k", []byte("value"), []byte("\x01aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), 20, byte(1), 0)
	f.Add("", []byte{}, []byte{1, 2, 3}, 3, byte(255), 40)
	inner := verifiertest.NewCache(nil, 0)
	c, err := cacheadapter.Sealed(inner, cacheadapter.SealedConfig{Keys: [][]byte{sealKey(1), sealKey(2)}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, key string, value, planted []byte, at int, xor byte, cut int) {
		key = "k" + strings.ToValidUTF8(key[:min(len(key), 1000)], "")
		if err := c.Set(t.Context(), key, value, time.Hour); err != nil {
			t.Fatal(err)
		}
		good := raw(t, inner, key)
		wantHit(t, c, key, string(value))

		changed := slices.Clone(good)
		if at >= 0 && at < len(changed) {
			changed[at] ^= xor
		}
		if cut > 0 && cut <= len(changed) {
			changed = changed[:len(changed)-cut]
		}
		spliced := append(slices.Clone(good[:min(len(good), max(0, at))]), planted...)
		for _, entry := range [][]byte{changed, planted, spliced, append(slices.Clone(good), planted...)} {
			set(t, inner, key, string(entry), time.Hour)
			got, ok, err := c.Get(t.Context(), key)
			if err != nil || ok != bytes.Equal(entry, good) || ok && !bytes.Equal(got, value) {
				t.Fatalf("Get of entry %x = %q, %v, %v; sealed was %x", entry, got, ok, err, good)
			}
		}
		set(t, inner, key+"2", string(good), time.Hour)
		wantMiss(t, c, key+"2")
	})
}
