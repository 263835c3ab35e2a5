package cacheadapter_test

import (
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/cacheadapter"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

func TestPrefixedKeepsUsersApart(t *testing.T) {
	b := newBackend(nil)
	one := must(t)(cacheadapter.Prefixed(b.complete(), "one:"))
	two := must(t)(cacheadapter.Prefixed(b.complete(), "two:"))
	set(t, one, "k", "of one", time.Minute)
	wantMiss(t, two, "k")
	set(t, two, "k", "of two", time.Minute)
	if err := one.Delete(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	wantMiss(t, one, "k")
	wantHit(t, two, "k", "of two")
	for _, c := range []verifier.Cache{one, two} {
		if added, err := c.(verifier.ReplayStore).Add(t.Context(), "a.b", time.Minute); !added || err != nil {
			t.Errorf("Add = %v, %v; want true, nil", added, err)
		}
	}
}

func TestPrefixedNamesKeys(t *testing.T) {
	const hash = "sha256-"
	sum := map[string]string{ // SHA-256 of what is short enough to be written down
		"":  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"a": "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb",
	}
	full := 64<<10 - len("p:")
	for _, test := range []struct{ key, want string }{
		{"k", "p:k"},
		{"a.b", "p:a.b"},
		{strings.Repeat("k", full), "p:" + strings.Repeat("k", full)},
		{"a." + strings.Repeat("k", full), "p:" + hash + sum["a"] + "."},
		{strings.Repeat("k", full+1), "p:" + hash},
		{hash, "p:" + hash},
		{hash + sum["a"], "p:" + hash},
	} {
		b := newBackend(nil)
		c := must(t)(cacheadapter.Prefixed(b.complete(), "p:"))
		set(t, c, test.key, "v", time.Minute)
		got := b.cache.Keys()[0]
		if !strings.HasPrefix(got, test.want) || len(got) > 64<<10 || len(test.key) <= full && !strings.HasPrefix(test.key, hash) && got != test.want {
			t.Errorf("key of %d bytes %.20q is named %.80q of %d bytes; want %.80q", len(test.key), test.key, got, len(got), test.want)
		}
		wantHit(t, c, test.key, "v")
	}
}

// TestPrefixedHashesDoNotCollide: the name of a long key is itself a key.
func TestPrefixedHashesDoNotCollide(t *testing.T) {
	inner := verifiertest.NewCache(nil, 0)
	c := must(t)(cacheadapter.Prefixed(inner, "p:"))
	for _, long := range []string{strings.Repeat("k", 64<<10), strings.Repeat("k", 64<<9) + "." + strings.Repeat("k", 64<<9)} {
		set(t, c, long, "of the long key", time.Minute)
		name := inner.Keys()[0]
		wantMiss(t, c, strings.TrimPrefix(name, "p:"))
	}
	set(t, c, strings.Repeat("k", 64<<10), "v", time.Minute)
	wantMiss(t, c, strings.Repeat("k", 64<<10-1)+"l")
	set(t, c, "a."+strings.Repeat("k", 64<<10), "v", time.Minute)
	wantMiss(t, c, "b."+strings.Repeat("k", 64<<10))
}

// TestPrefixedKeepsTheGroupOfAKey: stores bound the keys with the same text
// before the first dot.
func TestPrefixedKeepsTheGroupOfAKey(t *testing.T) {
	b := newBackend(nil)
	c := must(t)(cacheadapter.Prefixed(b.complete(), "p:")).(verifier.ReplayStore)
	groups := make(map[string]int)
	for _, key := range []string{"one.1", "one.2", "two.1", "three." + strings.Repeat("k", 64<<10), "three." + strings.Repeat("l", 64<<10)} {
		if added, err := c.Add(t.Context(), key, time.Minute); !added || err != nil {
			t.Errorf("Add(%.10q) = %v, %v; want true, nil", key, added, err)
		}
	}
	for _, name := range b.store.Keys() {
		group, _, _ := strings.Cut(name, ".")
		groups[group]++
	}
	if len(groups) != 3 || groups["p:one"] != 2 || groups["p:two"] != 1 {
		t.Errorf("groups are %v; want 3: p:one with 2 keys, p:two with 1, a hash with 2", groups)
	}
}
