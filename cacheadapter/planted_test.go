package cacheadapter_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/portcullis-go/portcullis/cacheadapter"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// TestPlantedKeys: whoever can write to a shared cache can plant a key set, and
// sign tokens with its keys. Sealing makes the planted set a miss and an event.
func TestPlantedKeys(t *testing.T) {
	const audience = "https://api.example"
	issuer, evil := verifiertest.NewIssuer(t), verifiertest.NewIssuer(t)
	good := issuer.Sign(audience, nil)
	forged := evil.SignWith(nil, issuer.Claims(audience, nil)) // the issuer's name, the attacker's key
	start := func(cache verifier.Cache) *verifier.Verifier {
		cfg := issuer.Config(audience)
		cfg.Cache = cache
		v, err := verifier.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := v.Warmup(t.Context()); err != nil {
			t.Fatal(err)
		}
		return v
	}
	plant := func(backend *verifiertest.Cache) {
		backend.Corrupt(func(key string, value []byte) []byte {
			if !strings.Contains(key, ":jwks:") {
				return value
			}
			head, _, _ := bytes.Cut(value, []byte("\n")) // unsealed entries are a line and the document
			return slices.Concat(head, []byte("\n"), evil.JWKS())
		})
	}
	// verdict is what a process that starts with the planted cache says.
	verdict := func(backend *verifiertest.Cache, cache verifier.Cache) (ofGood, ofForged error) {
		t.Helper()
		_ = start(cache).Close() // ends the writes to the cache, too
		if len(backend.Keys()) != 2 {
			t.Fatalf("%d entries; want metadata and keys", len(backend.Keys()))
		}
		plant(backend)
		v := start(cache)
		defer v.Close()
		_, ofForged = v.VerifyAccessToken(t.Context(), forged)
		_, ofGood = v.VerifyAccessToken(t.Context(), good)
		return ofGood, ofForged
	}

	bare := verifiertest.NewCache(nil, 0)
	if _, err := verdict(bare, bare); err != nil {
		t.Errorf("a forged token with an unsealed cache: %v; this test no longer plants keys", err)
	}

	backend, events := verifiertest.NewCache(nil, 0), new(atomic.Int64)
	sealed, err := cacheadapter.Sealed(backend, cacheadapter.SealedConfig{
		Keys:    [][]byte{bytes.Repeat([]byte("k"), cacheadapter.SealKeySize)},
		Observe: func(cacheadapter.Event) { events.Add(1) },
	})
	if err != nil {
		t.Fatal(err)
	}
	ofGood, ofForged := verdict(backend, sealed)
	if ofGood != nil || !errors.Is(ofForged, verifier.ErrInvalidToken) {
		t.Errorf("with a sealed cache: good token %v, forged token %v; want nil and ErrInvalidToken", ofGood, ofForged)
	}
	if events.Load() == 0 {
		t.Error("no event about the planted entry")
	}
}
