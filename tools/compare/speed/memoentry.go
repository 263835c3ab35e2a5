package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"runtime"
	"strings"

	"github.com/portcullis-go/portcullis/verifier"
)

// memoEntry returns how many bytes Config.TokenMemo takes for a token like
// f.token. Its table has twice as many places as tokens, so that none drives out
// another.
func (f *fixture) memoEntry(ctx context.Context) (float64, error) {
	const tokens = 5000
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return 0, err
	}
	v, err := f.publishing(ctx, ed25519JWK(public), func(cfg *verifier.Config) {
		cfg.Algorithms, cfg.TokenMemo = []string{"EdDSA"}, 2*tokens
	})
	if err != nil {
		return 0, err
	}
	var claims map[string]any
	data, err := base64.RawURLEncoding.DecodeString(strings.Split(f.token, ".")[1])
	if err != nil {
		return 0, err
	}
	if err := json.Unmarshal(data, &claims); err != nil {
		return 0, err
	}
	before := liveHeap()
	for i := range tokens {
		payload := maps.Clone(claims)
		payload["jti"] = fmt.Sprintf("%010d", i)
		if data, err = json.Marshal(payload); err != nil {
			return 0, err
		}
		token, _, _, err := tokenWith("EdDSA", base64.RawURLEncoding.EncodeToString(data), func(input []byte) ([]byte, error) { return ed25519.Sign(private, input), nil })
		if err != nil {
			return 0, err
		}
		if err := v.bearer(token)(); err != nil {
			return 0, err
		}
	}
	each := float64(liveHeap()-before) / tokens
	runtime.KeepAlive(v)
	return each, nil
}
