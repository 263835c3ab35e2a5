package cacheadapter

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/portcullis-go/portcullis/verifier"
)

const (
	// maxKey is the longest key that every cache accepts, in bytes.
	maxKey = 64 << 10
	// maxPrefix leaves room for a hashed key.
	maxPrefix = 1 << 10
	// hashMark begins a hashed key, and no other.
	hashMark = "sha256-"
)

// Prefixed returns a view of a cache in which every key begins with prefix, so
// that several users share one cache without meeting each other's entries.
//
//   - Two prefixes are apart when neither is the beginning of the other: end
//     each with a separator, such as "orders:".
//   - A prefix is not empty, is UTF-8 of at most 1 KiB, and has no dot: stores
//     bound the keys of one proof key by what precedes the first dot.
//   - A key that would become longer than 64 KiB is replaced by a hash.
//   - The result is a ReplayStore when cache is one. It is never a Clearer:
//     Clear of the wrapped cache removes the entries of all its prefixes. To
//     clear one user's entries, give an adapter of its own the prefix.
func Prefixed(cache verifier.Cache, prefix string) (verifier.Cache, error) {
	switch {
	case cache == nil:
		return nil, refuse("the cache is nil")
	case prefix == "":
		return nil, refuse("the prefix is empty")
	case len(prefix) > maxPrefix:
		return nil, refuse("the prefix is longer than %d bytes", maxPrefix)
	case !utf8.ValidString(prefix):
		return nil, refuse("the prefix is not UTF-8")
	case strings.Contains(prefix, "."):
		return nil, refuse("the prefix has a dot")
	}
	p := prefixed{cache: cache, prefix: prefix}
	var add addFunc
	if inner := addOf(cache); inner != nil {
		add = func(ctx context.Context, key string, ttl time.Duration) (bool, error) {
			return inner(ctx, p.key(key), ttl)
		}
	}
	return assemble(p, nil, add), nil
}

type prefixed struct {
	cache  verifier.Cache
	prefix string
}

func (p prefixed) Get(ctx context.Context, key string) ([]byte, bool, error) {
	return p.cache.Get(ctx, p.key(key))
}

func (p prefixed) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	return p.cache.Set(ctx, p.key(key), value, ttl)
}

func (p prefixed) Delete(ctx context.Context, key string) error {
	return p.cache.Delete(ctx, p.key(key))
}

// key returns the wrapped cache's name of a key. A key that looks like a hashed
// one is hashed too, so that it is not taken for the long key with that hash.
func (p prefixed) key(key string) string {
	if len(p.prefix)+len(key) <= maxKey && !strings.HasPrefix(key, hashMark) {
		return p.prefix + key
	}
	before, after, dotted := strings.Cut(key, ".")
	short := p.prefix + hashMark + hashText(before)
	if dotted {
		short += "." + hashText(after)
	}
	return short
}

func hashText(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}
