package verifiertest_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

type cacheVector struct {
	ID      string  `json:"id"`
	Now     float64 `json:"now"`
	Quirk   string  `json:"quirk"`
	Request struct {
		Operation string `json:"operation"`
		Ops       []struct {
			Op      string          `json:"op"`
			Key     string          `json:"key"`
			Value   json.RawMessage `json:"value"`
			TTL     *float64        `json:"ttl_seconds"`
			Seconds float64         `json:"seconds"`
		} `json:"ops"`
		MaxEntries int `json:"max_entries"`
	} `json:"request"`
	Expect struct {
		Result json.RawMessage `json:"result"`
	} `json:"expect"`
}

// forEver stands for the original's entries without time limit, which this
// Cache does not have.
const forEver = 100 * 365 * 24 * time.Hour

// TestParityOfCacheSequences replays what was recorded of the original's cache
// in memory. The one difference: a TTL of zero keeps nothing, not even for an
// instant.
func TestParityOfCacheSequences(t *testing.T) {
	files := []string{filepath.Join("..", "testdata", "parity.json")}
	if dir := os.Getenv("PORTCULLIS_VECTORS"); dir != "" {
		err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err == nil && !d.IsDir() && strings.HasSuffix(path, ".json") {
				files = append(files, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	replayed := 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var all []json.RawMessage
		if err := json.Unmarshal(data, &all); err != nil {
			continue // of another kind; package verifier is strict about that
		}
		for _, raw := range all {
			if !bytes.Contains(raw, []byte(`"cache_sequence"`)) {
				continue
			}
			var v cacheVector
			if err := json.Unmarshal(raw, &v); err != nil {
				t.Fatal(err)
			}
			replayed++
			t.Run(v.ID, func(t *testing.T) { replay(t, &v) })
		}
	}
	if replayed < 11 {
		t.Errorf("%d sequences replayed; want at least those of testdata", replayed)
	}
}

func replay(t *testing.T, v *cacheVector) {
	clock := verifiertest.NewClock(time.Unix(int64(v.Now), 0))
	cache := verifiertest.NewCache(clock, v.Request.MaxEntries)
	results := make([]any, len(v.Request.Ops))
	for i, op := range v.Request.Ops {
		var err error
		switch op.Op {
		case "set":
			ttl := forEver
			if op.TTL != nil {
				ttl = time.Duration(*op.TTL * float64(time.Second))
			}
			err = cache.Set(t.Context(), op.Key, op.Value, ttl)
		case "get":
			var value []byte
			var ok bool
			if value, ok, err = cache.Get(t.Context(), op.Key); ok {
				results[i] = json.RawMessage(value)
			}
		case "delete":
			err = cache.Delete(t.Context(), op.Key)
		case "clear":
			err = cache.Clear(t.Context())
		case "advance":
			clock.Advance(time.Duration(op.Seconds * float64(time.Second)))
		default:
			t.Fatalf("unknown operation %q", op.Op)
		}
		if err != nil {
			t.Fatalf("%s: %v", op.Op, err)
		}
	}
	got, err := json.Marshal(results)
	if err != nil {
		t.Fatal(err)
	}
	if want := compactJSON(t, v.Expect.Result); !bytes.Equal(compactJSON(t, got), want) && !strings.Contains(v.Quirk, "TTL 0") {
		t.Errorf("%s; want %s", got, want)
	}
}

func compactJSON(t *testing.T, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := json.Compact(&out, data); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
