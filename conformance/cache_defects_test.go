package conformance_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/maphash"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/conformance"
)

var (
	errNotFound = errors.New("client: not found")
	errRefused  = errors.New("client: refused")
	errTimeout  = errors.New("client: i/o timeout")
)

func TestReferenceCache(t *testing.T) {
	exact := newBackend()
	exact.exact = true
	ran := make(map[string]bool)
	for _, h := range []conformance.CacheHarness{cacheHarness(nil), cacheHarnessOn(exact, nil)} {
		for _, passed := range conformance.TestCache(t, h).With(conformance.Passed) {
			ran[passed.Check] = true
		}
	}
	for _, c := range conformance.CacheChecks() {
		if !ran[c.Name] {
			t.Errorf("%s was run for neither reference", c.Name)
		}
	}
}

func TestCacheDefects(t *testing.T) {
	t.Parallel()
	testDefects(t, conformance.CacheChecks(), allCacheDefects(), func(ctx context.Context, d cacheDefect) conformance.Report {
		b := newBackend()
		b.exact = d.exact
		return conformance.RunCache(ctx, cacheHarnessOn(b, d.make))
	})
}

func allCacheDefects() []cacheDefect {
	return slices.Concat(presenceDefects(), timeDefects(), keyDefects(), valueDefects(), faultDefects(), clearDefects(),
		lifeDefects(), sliceDefects(), togetherDefects(), peerDefects(), contextDefects(), recoveryDefects(), moreClearDefects())
}

type cacheDefect = defect[func(a *altered)]

// tombstones notes the keys that a cache once had.
type tombstones struct {
	mu   sync.Mutex
	keys map[string]bool
}

func (t *tombstones) add(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.keys == nil {
		t.keys = make(map[string]bool)
	}
	t.keys[key] = true
}

func (t *tombstones) has(key string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.keys[key]
}

// missError makes some misses errors.
func missError(a *altered, which func(key string) bool) {
	get := a.get
	a.get = func(ctx context.Context, key string) ([]byte, bool, error) {
		value, ok, err := get(ctx, key)
		if !ok && err == nil && which(key) {
			err = errNotFound
		}
		return value, ok, err
	}
}

func presenceDefects() []cacheDefect {
	return []cacheDefect{
		{name: "the client's not-found error leaks from Get", fails: "absent-key-is-a-miss delete-removes entry-expires", make: func(a *altered) {
			missError(a, func(string) bool { return true })
		}},
		{name: "a key that was never set is an error", fails: "absent-key-is-a-miss", make: func(a *altered) {
			var known tombstones
			missError(a, func(key string) bool { return !known.has(key) })
			set := a.set
			a.set = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
				known.add(key)
				return set(ctx, key, value, ttl)
			}
		}},
		{name: "a deleted key is an error", fails: "delete-removes", make: func(a *altered) {
			var deleted tombstones
			missError(a, deleted.has)
			remove := a.delete
			a.delete = func(ctx context.Context, key string) error {
				deleted.add(key)
				return remove(ctx, key)
			}
		}},
		{name: "a miss has an empty slice", fails: "miss-has-a-nil-value", make: func(a *altered) {
			get := a.get
			a.get = func(ctx context.Context, key string) ([]byte, bool, error) {
				value, ok, err := get(ctx, key)
				if !ok && err == nil {
					value = []byte{}
				}
				return value, ok, err
			}
		}},
		{name: "an empty value is read as a miss", fails: "empty-value-is-a-value", make: func(a *altered) {
			get := a.get
			a.get = func(ctx context.Context, key string) ([]byte, bool, error) {
				value, ok, err := get(ctx, key)
				if len(value) == 0 {
					return nil, false, err
				}
				return value, ok, err
			}
		}},
		{name: "an empty value is stored as a Delete", fails: "empty-value-is-a-value", make: func(a *altered) {
			set := a.set
			a.set = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
				if len(value) == 0 {
					return a.reference.Delete(ctx, key)
				}
				return set(ctx, key, value, ttl)
			}
		}},
		{name: "handles of a ring are used after they are overwritten", fails: "many-keys-have-values-of-their-own", make: ring()},
		{name: "a shorter value leaves the end of the longer one", fails: "set-replaces-the-value", make: func(a *altered) {
			set := a.set
			a.set = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
				value = slices.Clone(value)
				a.look(key, func(e *entry) {
					if e != nil && len(e.value) > len(value) && a.live(e) {
						value = append(value, e.value[len(value):]...)
					}
				})
				return set(ctx, key, value, ttl)
			}
		}},
		{name: "the client's not-found error leaks from Delete", fails: "delete-of-an-absent-key-is-nil", make: func(a *altered) {
			remove := a.delete
			a.delete = func(ctx context.Context, key string) error {
				absent := false
				a.look(key, func(e *entry) { absent = e == nil })
				if err := remove(ctx, key); err != nil || !absent {
					return err
				}
				return errNotFound
			}
		}},
		{name: "Delete takes the key as a prefix", fails: "delete-spares-other-keys", make: func(a *altered) {
			remove := a.delete
			a.delete = func(ctx context.Context, key string) error {
				if err := remove(ctx, key); err != nil {
					return err
				}
				a.deleteIf(func(p string) bool { return strings.HasPrefix(p, a.path(key)) })
				return nil
			}
		}},
		{name: "Delete takes the key as a pattern", fails: "delete-spares-other-keys", make: func(a *altered) {
			remove := a.delete
			a.delete = func(ctx context.Context, key string) error {
				if err := remove(ctx, key); err != nil {
					return err
				}
				a.deleteIf(func(p string) bool {
					match, _ := path.Match(a.path(key), p)
					return match
				})
				return nil
			}
		}},
		{name: "Set does not lift the tombstone of Delete", fails: "set-works-after-delete", make: func(a *altered) {
			var deleted tombstones
			get, remove := a.get, a.delete
			a.delete = func(ctx context.Context, key string) error {
				deleted.add(key)
				return remove(ctx, key)
			}
			a.get = func(ctx context.Context, key string) ([]byte, bool, error) {
				value, ok, err := get(ctx, key)
				if deleted.has(key) {
					return nil, false, err
				}
				return value, ok, err
			}
		}},
		{name: "keys are hashed with the seed of a process", fails: "entries-are-shared", make: func(a *altered) {
			seed := maphash.MakeSeed()
			a.keyed(func(key string) string {
				if len(key) <= 250 {
					return "raw:" + key
				}
				return fmt.Sprint("hash:", maphash.String(seed, key), sha256.Sum256([]byte(key)))
			})
		}},
		{name: "a field of the cache holds the key of the call", fails: "concurrent-calls", make: func(a *altered) {
			set := a.set
			var mu sync.Mutex
			var current string
			a.set = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
				mu.Lock()
				current = key
				mu.Unlock()
				yield()
				mu.Lock()
				key = current
				mu.Unlock()
				return set(ctx, key, value, ttl)
			}
		}},
	}
}

// ring keeps values in slots that are used again, and forgets to look whose
// value is in there.
func ring() func(a *altered) {
	const slots = 512
	var mu sync.Mutex
	taken := 0
	slot := make(map[string]string) // by path
	return func(a *altered) {
		defer func(add func(context.Context, string, time.Duration) (bool, error)) { a.add = add }(a.add)
		a.keyed(func(key string) string {
			mu.Lock()
			defer mu.Unlock()
			if handle, ok := slot[a.path(key)]; ok {
				return handle
			}
			return "none:" + key
		})
		set := a.set
		a.set = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
			mu.Lock()
			if slot[a.path(key)] == "" {
				slot[a.path(key)] = fmt.Sprint("slot:", taken%slots)
				taken++
			}
			mu.Unlock()
			return set(ctx, key, value, ttl)
		}
	}
}

// timed changes the ttls on their way to the backend.
func timed(f func(ttl time.Duration) time.Duration) func(a *altered) {
	return func(a *altered) {
		set, add := a.set, a.add
		a.set = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
			return set(ctx, key, value, f(ttl))
		}
		a.add = func(ctx context.Context, key string, ttl time.Duration) (bool, error) { return add(ctx, key, f(ttl)) }
	}
}

// forEver is what backends without an expiry do.
const forEver = 200 * 365 * 24 * time.Hour

// negative ttls as backends misread them: nothing is written.
func keepNegative(a *altered) {
	set := a.set
	a.set = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
		if ttl < 0 {
			return a.begin(ctx)
		}
		return set(ctx, key, value, ttl)
	}
}

func timeDefects() []cacheDefect {
	const day = 24 * time.Hour
	return []cacheDefect{
		{name: "the backend has no expiry", fails: "entry-expires get-does-not-extend-the-ttl peers-see-the-end-of-a-ttl set-shortens-the-ttl tiny-ttl-is-not-for-ever ttl-beyond-30-days", make: positive(func(time.Duration) time.Duration { return forEver })},
		{name: "an entry that nobody has read does not expire", fails: "entry-expires", make: func(a *altered) {
			var read tombstones
			get := a.get
			a.get = func(ctx context.Context, key string) ([]byte, bool, error) {
				if !read.has(key) {
					read.add(key)
					var value []byte
					found := false
					a.look(key, func(e *entry) {
						if e != nil {
							value, found = append([]byte{}, e.value...), true
						}
					})
					if err := a.begin(ctx); err != nil || found {
						return value, found && err == nil, err
					}
				}
				return get(ctx, key)
			}
		}},
		{name: "an expired entry is an error", fails: "entry-expires", make: func(a *altered) {
			missError(a, func(key string) bool {
				expired := false
				a.look(key, func(e *entry) { expired = e != nil && !a.live(e) })
				return expired
			})
		}},
		{name: "Get starts the ttl anew", fails: "get-does-not-extend-the-ttl", make: func(a *altered) {
			var mu sync.Mutex
			ttls := make(map[string]time.Duration)
			get, set := a.get, a.set
			a.set = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
				mu.Lock()
				ttls[key] = ttl
				mu.Unlock()
				return set(ctx, key, value, ttl)
			}
			a.get = func(ctx context.Context, key string) ([]byte, bool, error) {
				value, ok, err := get(ctx, key)
				if ok {
					mu.Lock()
					ttl := ttls[key]
					mu.Unlock()
					_ = a.reference.Set(ctx, key, value, ttl)
				}
				return value, ok, err
			}
		}},
		{name: "a third of the ttl is kept", fails: "ttl-is-not-cut-short", make: positive(func(ttl time.Duration) time.Duration { return max(ttl/3, resolution) })},
		{name: "milliseconds are passed as seconds", fails: "entry-expires get-does-not-extend-the-ttl peers-see-the-end-of-a-ttl set-shortens-the-ttl tiny-ttl-is-not-for-ever ttl-beyond-30-days", make: positive(func(ttl time.Duration) time.Duration {
			return min(ttl, forEver/1000) * 1000
		})},
		{name: "a ttl of zero is for ever", fails: "zero-ttl-of-an-absent-key zero-ttl-removes", make: timed(func(ttl time.Duration) time.Duration {
			if ttl == 0 {
				return forEver
			}
			return ttl
		})},
		{name: "a ttl of zero is ignored", fails: "zero-ttl-removes", make: func(a *altered) {
			set := a.set
			a.set = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
				if ttl == 0 {
					return a.begin(ctx)
				}
				return set(ctx, key, value, ttl)
			}
		}},
		{name: "a ttl of zero deletes, and not-found leaks", fails: "zero-ttl-of-an-absent-key", make: func(a *altered) {
			set := a.set
			a.set = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
				absent := false
				a.look(key, func(e *entry) { absent = e == nil })
				if err := set(ctx, key, value, ttl); err != nil || !absent || ttl != 0 {
					return err
				}
				return errNotFound
			}
		}},
		{name: "a ttl of zero is an error", fails: "delete-of-an-expired-key-is-nil later-calls-do-not-change-what-get-returned second-life-ends-at-its-own-ttl second-life-outlasts-the-first-ttl zero-ttl-of-an-absent-key zero-ttl-removes", make: func(a *altered) {
			set := a.set
			a.set = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
				if ttl == 0 && a.begin(ctx) == nil {
					return errRefused
				}
				return set(ctx, key, value, ttl)
			}
		}},
		{name: "a negative ttl keeps what was there", fails: "negative-ttl-removes", make: keepNegative},
		{name: "a negative ttl is for ever", fails: "negative-ttl-removes", make: timed(func(ttl time.Duration) time.Duration {
			if ttl < 0 {
				return forEver
			}
			return ttl
		})},
		{name: "a ttl below a second is truncated to zero, and zero is for ever", fails: "tiny-ttl-is-not-for-ever", make: positive(func(ttl time.Duration) time.Duration {
			if ttl < resolution {
				return forEver
			}
			return ttl
		})},
		{name: "a ttl below a second is truncated to zero, and zero removes", fails: "tiny-ttl-is-rounded-up", make: positive(func(ttl time.Duration) time.Duration {
			return ttl.Truncate(resolution)
		})},
		{name: "a ttl beyond 30 days is a Unix time", fails: "ttl-beyond-30-days ttl-beyond-all-bounds ttl-fits-no-small-integer", make: positive(func(ttl time.Duration) time.Duration {
			if ttl > 30*day {
				return 0
			}
			return ttl
		})},
		{name: "a ttl is cut to 30 days", fails: "ttl-beyond-30-days", make: positive(func(ttl time.Duration) time.Duration { return min(ttl, 30*day) })},
		{name: "the end of a ttl overflows", fails: "ttl-beyond-all-bounds", make: func(a *altered) {
			set := a.set
			a.set = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
				if now := a.clock.Now().UnixNano(); ttl > 0 && now+int64(ttl) < now {
					ttl = 0
				}
				return set(ctx, key, value, ttl)
			}
		}},
		{name: "Set keeps the old ttl", fails: "set-extends-the-ttl set-shortens-the-ttl", make: boundTTL(func(old, _ time.Time) time.Time { return old })},
		{name: "Set extends the ttl only", fails: "set-shortens-the-ttl", make: boundTTL(func(old, new time.Time) time.Time {
			if old.After(new) {
				return old
			}
			return new
		})},
		{name: "Set shortens the ttl only", fails: "set-extends-the-ttl", make: boundTTL(func(old, new time.Time) time.Time {
			if old.Before(new) {
				return old
			}
			return new
		})},
		{name: "an expired entry is in the way of the next", fails: "set-works-after-expiry", make: func(a *altered) {
			set := a.set
			a.set = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
				expired := false
				a.look(key, func(e *entry) { expired = e != nil && !a.live(e) })
				if expired {
					return a.begin(ctx)
				}
				return set(ctx, key, value, ttl)
			}
		}},
	}
}

// boundTTL lets the end of a live entry shape that of its successor.
func boundTTL(end func(old, new time.Time) time.Time) func(a *altered) {
	return func(a *altered) {
		set := a.set
		a.set = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
			var old time.Time
			a.look(key, func(e *entry) {
				if e != nil && a.live(e) {
					old = e.expires
				}
			})
			err := set(ctx, key, value, ttl)
			a.look(key, func(e *entry) {
				if e != nil && err == nil && !old.IsZero() {
					e.expires = end(old, e.expires)
				}
			})
			return err
		}
	}
}

// unreachable keys are those that Delete does not find.
func unreachable(which func(key string) bool) func(a *altered) {
	return func(a *altered) {
		remove := a.delete
		a.delete = func(ctx context.Context, key string) error {
			if which(key) {
				return a.begin(ctx)
			}
			return remove(ctx, key)
		}
	}
}

func control(r rune) bool  { return r < ' ' || r == 0x7f }
func nonASCII(r rune) bool { return r > 0x7f }
func lower(r rune) rune {
	if r >= 'A' && r <= 'Z' {
		return r + 'a' - 'A'
	}
	return r
}

// rekeyed stores keys under what f makes of them.
func rekeyed(f func(key string) string) func(a *altered) {
	return func(a *altered) { a.keyed(f) }
}

func keyDefects() []cacheDefect {
	return []cacheDefect{
		{name: "keys with spaces are refused", fails: "clear-removes-hashed-keys clear-spares-replay-records delete-from-a-hanging-backend delete-with-a-done-context entries-are-shared entries-of-any-kind-expire get-from-a-hanging-backend get-with-a-done-context hashed-keys-do-not-collide keys-that-differ-by-escaping keys-that-differ-by-spaces keys-with-spaces longest-ttl-lasts miss-has-a-nil-value peers-see-a-ttl-of-zero peers-see-writes second-life-ends-at-its-own-ttl second-life-outlasts-the-first-ttl set-to-a-hanging-backend set-with-a-done-context ttl-between-two-steps-is-rounded-up ttl-fits-no-small-integer", make: func(a *altered) {
			a.refuse(func(key string) bool { return strings.Contains(key, " ") })
		}},
		{name: "keys with control characters are refused", fails: "clear-removes-hashed-keys delete-with-a-done-context entries-are-shared entries-of-any-kind-expire get-with-a-done-context hashed-keys-do-not-collide keys-of-equal-beginnings-or-ends-differ keys-that-differ-after-nul keys-that-differ-by-escaping keys-that-differ-by-spaces keys-with-control-characters peers-see-a-ttl-of-zero peers-see-writes set-with-a-done-context", make: func(a *altered) {
			a.refuse(func(key string) bool { return strings.ContainsFunc(key, control) })
		}},
		{name: "keys beyond 250 bytes are refused", fails: "clear-removes-hashed-keys clear-spares-replay-records delete-with-a-done-context entries-are-shared entries-of-any-kind-expire get-with-a-done-context hashed-keys-do-not-collide keys-up-to-64-kib long-keys-that-differ peers-see-a-ttl-of-zero peers-see-writes set-with-a-done-context", make: func(a *altered) {
			a.refuse(func(key string) bool { return len(key) > 250 })
		}},
		{name: "keys beyond 32 KiB are refused", fails: "clear-removes-hashed-keys hashed-keys-do-not-collide keys-up-to-64-kib long-keys-that-differ", make: func(a *altered) {
			a.refuse(func(key string) bool { return len(key) > 32<<10 })
		}},
		{name: "Delete does not escape spaces as Set does", fails: "keys-with-spaces", make: unreachable(func(key string) bool { return strings.Contains(key, " ") })},
		{name: "Delete does not escape control characters as Set does", fails: "keys-with-control-characters", make: unreachable(func(key string) bool { return strings.ContainsFunc(key, control) })},
		{name: "Delete does not encode keys beyond ASCII as Set does", fails: "keys-beyond-ascii", make: unreachable(func(key string) bool { return strings.ContainsFunc(key, nonASCII) })},
		{name: "Delete does not clean paths as Set does", fails: "keys-like-patterns-and-paths", make: unreachable(func(key string) bool { return strings.Contains(key, "..") })},
		{name: "Delete does not hash long keys as Set does", fails: "keys-up-to-64-kib", make: unreachable(func(key string) bool { return len(key) > 250 })},
		{name: "keys are lower-cased", fails: "keys-that-differ-by-case", make: rekeyed(func(key string) string { return strings.Map(lower, key) })},
		{name: "keys are trimmed", fails: "keys-that-differ-by-spaces", make: rekeyed(strings.TrimSpace)},
		{name: "keys are normalised", fails: "keys-that-differ-by-unicode-form", make: rekeyed(func(key string) string {
			return strings.ReplaceAll(key, "e\u0301", "\u00e9")
		})},
		{name: "keys end at NUL", fails: "keys-that-differ-after-nul", make: rekeyed(func(key string) string {
			before, _, _ := strings.Cut(key, "\x00")
			return before
		})},
		{name: "slashes become underscores", fails: "keys-that-differ-by-escaping", make: rekeyed(func(key string) string { return strings.ReplaceAll(key, "/", "_") })},
		{name: "spaces are escaped, and the escape is not", fails: "keys-that-differ-by-escaping", make: rekeyed(func(key string) string { return strings.ReplaceAll(key, " ", "%20") })},
		{name: "keys are cut to 250 bytes", fails: "long-keys-that-differ", make: rekeyed(func(key string) string { return key[:min(len(key), 250)] })},
		{name: "the end of long keys is their key", fails: "long-keys-that-differ", make: rekeyed(func(key string) string { return key[max(0, len(key)-250):] })},
		{name: "the hash of a long key is a key like others", fails: "hashed-keys-do-not-collide", make: rekeyed(func(key string) string {
			if len(key) <= 250 {
				return key
			}
			sum := sha256.Sum256([]byte(key))
			return hex.EncodeToString(sum[:])
		})},
	}
}

func valueDefects() []cacheDefect {
	limit := func(n int, over func(a *altered, ctx context.Context, key string, value []byte, ttl time.Duration) error) func(a *altered) {
		return func(a *altered) {
			set := a.set
			a.set = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
				if len(value) > n {
					return over(a, ctx, key, value, ttl)
				}
				return set(ctx, key, value, ttl)
			}
		}
	}
	return []cacheDefect{
		{name: "values are kept as UTF-8 text", fails: "larger-values-are-kept-or-refused values-of-any-bytes values-up-to-512-kib", make: func(a *altered) {
			set := a.set
			a.set = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
				return set(ctx, key, bytes.ToValidUTF8(value, []byte("\ufffd")), ttl)
			}
		}},
		{name: "a text that means nothing is a miss", fails: "values-of-any-bytes", make: func(a *altered) {
			get := a.get
			a.get = func(ctx context.Context, key string) ([]byte, bool, error) {
				value, ok, err := get(ctx, key)
				if string(value) == "null" {
					return nil, false, err
				}
				return value, ok, err
			}
		}},
		{name: "values beyond 64 KiB are refused", fails: "values-up-to-512-kib", make: limit(64<<10, func(*altered, context.Context, string, []byte, time.Duration) error {
			return errRefused
		})},
		{name: "values beyond 64 KiB are dropped without a word", fails: "values-up-to-512-kib", make: limit(64<<10, func(a *altered, ctx context.Context, key string, _ []byte, _ time.Duration) error {
			return a.reference.Delete(ctx, key)
		})},
		{name: "the length of a value has 16 bits", fails: "larger-values-are-kept-or-refused values-up-to-512-kib", make: limit(1<<16-1, func(a *altered, ctx context.Context, key string, value []byte, ttl time.Duration) error {
			return a.reference.Set(ctx, key, value[:len(value)&0xffff], ttl)
		})},
		{name: "values beyond 1 MiB are cut", fails: "larger-values-are-kept-or-refused", make: limit(1<<20, func(a *altered, ctx context.Context, key string, value []byte, ttl time.Duration) error {
			return a.reference.Set(ctx, key, value[:1<<20], ttl)
		})},
		{name: "values beyond 1 MiB are refused half-way", fails: "larger-values-are-kept-or-refused", make: limit(1<<20, func(a *altered, ctx context.Context, key string, value []byte, ttl time.Duration) error {
			_ = a.reference.Set(ctx, key, value[:len(value)/2], ttl)
			return errRefused
		})},
		{name: "Set keeps the caller's slice", fails: "set-does-not-retain-the-slice", make: func(a *altered) {
			set := a.set
			a.set = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
				err := set(ctx, key, value, ttl)
				a.look(key, func(e *entry) {
					if e != nil && err == nil {
						e.value = value
					}
				})
				return err
			}
		}},
		{name: "Get returns the stored slice", fails: "get-returns-a-slice-of-its-own", make: func(a *altered) {
			get := a.get
			a.get = func(ctx context.Context, key string) ([]byte, bool, error) {
				value, ok, err := get(ctx, key)
				a.look(key, func(e *entry) {
					if ok && e != nil {
						value = slices.Clip(e.value)
					}
				})
				return value, ok, err
			}
		}},
		{name: "Get returns a part of a larger buffer", fails: "get-returns-no-room-of-others", make: func(a *altered) {
			get, set := a.get, a.set
			a.set = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
				// A page: room to copy the value out to, then the value.
				page := append(make([]byte, len(value)), value...)
				return set(ctx, key, page, ttl)
			}
			a.get = func(ctx context.Context, key string) (value []byte, ok bool, err error) {
				if _, ok, err = get(ctx, key); !ok {
					return nil, false, err
				}
				a.look(key, func(e *entry) {
					if e == nil {
						ok = false
						return
					}
					half := len(e.value) / 2
					if !bytes.Equal(e.value[:half], e.value[half:]) {
						copy(e.value[:half], e.value[half:])
					}
					value = e.value[:half]
				})
				return value, ok, nil
			}
		}},
		{name: "Delete gives the buffer back to a pool", fails: "later-calls-do-not-change-what-get-returned", make: func(a *altered) {
			var mu sync.Mutex
			given := make(map[string][][]byte)
			get, remove := a.get, a.delete
			a.get = func(ctx context.Context, key string) ([]byte, bool, error) {
				value, ok, err := get(ctx, key)
				mu.Lock()
				if ok {
					given[key] = append(given[key], value)
				}
				mu.Unlock()
				return value, ok, err
			}
			a.delete = func(ctx context.Context, key string) error {
				mu.Lock()
				for _, value := range given[key] {
					clear(value)
				}
				delete(given, key)
				mu.Unlock()
				return remove(ctx, key)
			}
		}},
	}
}

// undone is ctx, or one that is not done.
func undone(ctx context.Context) context.Context {
	if ctx.Err() != nil {
		return context.WithoutCancel(ctx)
	}
	return ctx
}

// renamed replaces the errors of contexts that are done.
func renamed(a *altered, f func(ctx context.Context, err error) error) {
	get, set, remove, wipe, add := a.get, a.set, a.delete, a.clear, a.add
	rename := func(ctx context.Context, err error) error {
		if err != nil && ctx.Err() != nil {
			return f(ctx, err)
		}
		return err
	}
	a.get = func(ctx context.Context, key string) ([]byte, bool, error) {
		value, ok, err := get(ctx, key)
		return value, ok, rename(ctx, err)
	}
	a.set = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
		return rename(ctx, set(ctx, key, value, ttl))
	}
	a.delete = func(ctx context.Context, key string) error { return rename(ctx, remove(ctx, key)) }
	a.clear = func(ctx context.Context) error { return rename(ctx, wipe(ctx)) }
	a.add = func(ctx context.Context, key string, ttl time.Duration) (bool, error) {
		added, err := add(ctx, key, ttl)
		return added, rename(ctx, err)
	}
}

// hung replaces the errors of a hanging backend by that of a client.
func (a *altered) hung(err error) error {
	if err != nil && a.isHanging() {
		return errTimeout
	}
	return err
}

// swallowed forgets the errors of a backend that is down.
func swallowed(err error) error {
	if errors.Is(err, errDown) {
		return nil
	}
	return err
}

func faultDefects() []cacheDefect {
	return []cacheDefect{
		{name: "Get does not look at its context", fails: "get-with-a-done-context", make: func(a *altered) {
			get := a.get
			a.get = func(ctx context.Context, key string) ([]byte, bool, error) {
				if !a.isHanging() {
					ctx = undone(ctx)
				}
				return get(ctx, key)
			}
		}},
		{name: "Set does not look at its context", fails: "set-with-a-done-context", make: func(a *altered) {
			set := a.set
			a.set = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
				return set(undone(ctx), key, value, ttl)
			}
		}},
		{name: "Set with a ttl of zero does not look at its context", fails: "set-with-a-done-context", make: func(a *altered) {
			set := a.set
			a.set = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
				if ttl <= 0 {
					ctx = undone(ctx)
				}
				return set(ctx, key, value, ttl)
			}
		}},
		{name: "Delete does not look at its context", fails: "delete-with-a-done-context", make: func(a *altered) {
			remove := a.delete
			a.delete = func(ctx context.Context, key string) error { return remove(undone(ctx), key) }
		}},
		{name: "every end of a context is a cancellation", fails: "past-deadlines-are-told-from-cancellation clear-with-a-done-context", make: func(a *altered) {
			renamed(a, func(_ context.Context, err error) error {
				if a.isHanging() {
					return err
				}
				return context.Canceled
			})
		}},
		{name: "every end of the context of a Get is a cancellation", fails: "past-deadlines-are-told-from-cancellation", make: func(a *altered) {
			get := a.get
			a.get = func(ctx context.Context, key string) ([]byte, bool, error) {
				if ctx.Err() != nil {
					return nil, false, context.Canceled
				}
				return get(ctx, key)
			}
		}},
		{name: "the cause replaces the error of the context", fails: "causes-do-not-hide-the-context-error", make: func(a *altered) {
			renamed(a, func(ctx context.Context, _ error) error { return context.Cause(ctx) })
		}},
		{name: "the client's time-out does not match", fails: "clear-of-a-hanging-backend delete-from-a-hanging-backend get-from-a-hanging-backend set-to-a-hanging-backend", make: func(a *altered) {
			renamed(a, func(_ context.Context, err error) error { return a.hung(err) })
		}},
		{name: "the client's time-out of a Get does not match", fails: "get-from-a-hanging-backend", make: func(a *altered) {
			get := a.get
			a.get = func(ctx context.Context, key string) ([]byte, bool, error) {
				value, ok, err := get(ctx, key)
				return value, ok, a.hung(err)
			}
		}},
		{name: "Get is a miss when there is no time left", fails: "calls-in-flight-are-bounded get-from-a-hanging-backend", make: func(a *altered) {
			get := a.get
			a.get = func(ctx context.Context, key string) ([]byte, bool, error) {
				value, ok, err := get(ctx, key)
				if a.hung(err) == errTimeout {
					return nil, false, nil
				}
				return value, ok, err
			}
		}},
		{name: "Set waits as long as the backend hangs", fails: "set-to-a-hanging-backend", make: func(a *altered) {
			set := a.set
			a.set = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
				if ctx.Err() == nil {
					a.wait()
				}
				return set(ctx, key, value, ttl)
			}
		}},
		{name: "Delete waits as long as the backend hangs", fails: "delete-from-a-hanging-backend", make: func(a *altered) {
			remove := a.delete
			a.delete = func(ctx context.Context, key string) error {
				if ctx.Err() == nil {
					a.wait()
				}
				return remove(ctx, key)
			}
		}},
		{name: "each call is a goroutine that outlives its context", fails: "calls-in-flight-are-bounded", make: func(a *altered) {
			get := a.get
			a.get = func(ctx context.Context, key string) ([]byte, bool, error) {
				type answer struct {
					value []byte
					ok    bool
					err   error
				}
				answers := make(chan answer, 1)
				go func() {
					var got answer
					got.value, got.ok, got.err = get(context.WithoutCancel(ctx), key)
					answers <- got
				}()
				select {
				case got := <-answers:
					if ctx.Err() != nil {
						return nil, false, ctx.Err()
					}
					return got.value, got.ok, got.err
				case <-ctx.Done():
					return nil, false, ctx.Err()
				}
			}
		}},
		{name: "Get takes a backend that is down for a miss", fails: "get-from-a-backend-that-is-down", make: func(a *altered) {
			get := a.get
			a.get = func(ctx context.Context, key string) ([]byte, bool, error) {
				value, ok, err := get(ctx, key)
				return value, ok, swallowed(err)
			}
		}},
		{name: "Set does not tell that the backend is down", fails: "set-to-a-backend-that-is-down", make: func(a *altered) {
			set := a.set
			a.set = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
				return swallowed(set(ctx, key, value, ttl))
			}
		}},
		{name: "Set with a ttl of zero does not tell that the backend is down", fails: "set-to-a-backend-that-is-down", make: func(a *altered) {
			set := a.set
			a.set = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
				if err := set(ctx, key, value, ttl); ttl > 0 {
					return err
				} else {
					return swallowed(err)
				}
			}
		}},
		{name: "Delete does not tell that the backend is down", fails: "delete-from-a-backend-that-is-down", make: func(a *altered) {
			remove := a.delete
			a.delete = func(ctx context.Context, key string) error { return swallowed(remove(ctx, key)) }
		}},
		{name: "the error of Set shows the command", fails: "errors-do-not-show-the-value", make: func(a *altered) {
			set := a.set
			a.set = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
				if err := set(ctx, key, value, ttl); err != nil {
					return fmt.Errorf("SET %q %q: %w", key, value, err)
				}
				return nil
			}
		}},
		{name: "the error of a large value shows it in hexadecimal", fails: "errors-do-not-show-the-value", make: func(a *altered) {
			set := a.set
			a.set = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
				if len(value) > 1<<20 {
					return fmt.Errorf("too large: %x", value)
				}
				return set(ctx, key, value, ttl)
			}
		}},
	}
}

func clearDefects() []cacheDefect {
	clears := func(gone func(a *altered) func(path string) bool) func(a *altered) {
		return func(a *altered) {
			a.clear = func(ctx context.Context) error {
				if err := a.begin(ctx); err != nil {
					return err
				}
				a.deleteIf(gone(a))
				return nil
			}
		}
	}
	return []cacheDefect{
		{name: "Clear does nothing", fails: "clear-removes-all-entries", make: clears(func(*altered) func(string) bool {
			return func(string) bool { return false }
		})},
		{name: "Clear removes the first page", fails: "clear-removes-more-than-a-page", make: clears(func(a *altered) func(string) bool {
			page := 1000
			return func(path string) bool {
				if !strings.HasPrefix(path, a.path("")) {
					return false
				}
				page--
				return page >= 0
			}
		})},
		{name: "Clear does not find hashed keys", fails: "clear-removes-hashed-keys", make: clears(func(a *altered) func(string) bool {
			return func(path string) bool { return strings.HasPrefix(path, a.path("")) && len(path) < 250 }
		})},
		{name: "Clear of nothing is an error", fails: "clear-of-an-empty-cache-is-nil", make: func(a *altered) {
			wipe := a.clear
			a.clear = func(ctx context.Context) error {
				empty := true
				a.deleteIf(func(path string) bool {
					empty = empty && !strings.HasPrefix(path, a.path(""))
					return false
				})
				if err := wipe(ctx); err != nil || !empty {
					return err
				}
				return errNotFound
			}
		}},
		{name: "Clear is the end of the cache", fails: "set-works-after-clear", make: func(a *altered) {
			var cleared tombstones
			wipe, set := a.clear, a.set
			a.clear = func(ctx context.Context) error {
				cleared.add("")
				return wipe(ctx)
			}
			a.set = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
				if cleared.has("") {
					return errRefused
				}
				return set(ctx, key, value, ttl)
			}
		}},
		{name: "Clear flushes the server", fails: "clear-spares-other-caches", make: clears(func(*altered) func(string) bool {
			return func(string) bool { return true }
		})},
		{name: "Clear flushes the server unless the prefix needs escaping", fails: "clear-spares-other-caches", make: clears(func(a *altered) func(string) bool {
			return func(path string) bool {
				return !strings.ContainsAny(a.namespace, "*?[") || strings.HasPrefix(path, a.path(""))
			}
		})},
		{name: "Clear takes the prefix as a pattern", fails: "clear-takes-its-prefix-literally", make: clears(func(a *altered) func(string) bool {
			return func(p string) bool {
				namespace, _, _ := strings.Cut(p, "/")
				match, _ := path.Match(a.namespace, namespace)
				return match || strings.HasPrefix(p, a.path(""))
			}
		})},
		{name: "Clear removes replay records too", fails: "clear-spares-replay-records", make: func(a *altered) {
			wipe := a.clear
			a.clear = func(ctx context.Context) error {
				if err := wipe(ctx); err != nil {
					return err
				}
				a.mu.Lock()
				defer a.mu.Unlock()
				for p := range a.records {
					if strings.HasPrefix(p, a.path("")) {
						delete(a.records, p)
					}
				}
				return nil
			}
		}},
		{name: "Clear does not look at its context", fails: "clear-with-a-done-context", make: func(a *altered) {
			wipe := a.clear
			a.clear = func(ctx context.Context) error { return wipe(undone(ctx)) }
		}},
		{name: "the client's time-out of Clear does not match", fails: "clear-of-a-hanging-backend", make: func(a *altered) {
			wipe := a.clear
			a.clear = func(ctx context.Context) error { return a.hung(wipe(ctx)) }
		}},
		{name: "Clear does not tell that the backend is down", fails: "clear-of-a-backend-that-is-down", make: func(a *altered) {
			wipe := a.clear
			a.clear = func(ctx context.Context) error { return swallowed(wipe(ctx)) }
		}},
	}
}
