package verifiertest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/internal/recorded"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// cacheOp is a step of a recorded cache sequence.
type cacheOp struct {
	Op      string          `json:"op"`
	Key     string          `json:"key"`
	Value   json.RawMessage `json:"value"`
	TTL     json.Number     `json:"ttl_seconds"`
	Seconds json.Number     `json:"seconds"`
}

// forEver stands for the original's entries without time limit, which this
// Cache does not have.
const forEver = 100 * 365 * 24 * time.Hour

// cacheSubject performs cache sequences on a Cache.
type cacheSubject struct{ now time.Time }

func (cacheSubject) Close() {}

func (s cacheSubject) Do(ctx context.Context, req *recorded.Request) recorded.Outcome {
	var ops []cacheOp
	entries := 0
	if err := req.Read("ops", &ops); err != nil {
		return recorded.Failed(err)
	}
	if err := req.Read("max_entries", &entries); err != nil {
		return recorded.Failed(err)
	}
	clock := verifiertest.NewClock(s.now)
	cache := verifiertest.NewCache(clock, entries)
	results := make([]any, len(ops))
	for i, op := range ops {
		var err error
		if results[i], err = op.do(ctx, clock, cache); err != nil {
			return recorded.Failed(err)
		}
	}
	return recorded.Outcome{Value: results}
}

func (op *cacheOp) do(ctx context.Context, clock *verifiertest.Clock, cache *verifiertest.Cache) (result any, err error) {
	switch op.Op {
	case "set":
		ttl := forEver
		if op.TTL != "" {
			ttl = recorded.Seconds(op.TTL)
		}
		return nil, cache.Set(ctx, op.Key, op.Value, ttl)
	case "get":
		value, ok, err := cache.Get(ctx, op.Key)
		if !ok || err != nil {
			return nil, err
		}
		return recorded.Members{"value": value}.Value("value"), nil
	case "delete":
		return nil, cache.Delete(ctx, op.Key)
	case "clear":
		return nil, cache.Clear(ctx)
	case "advance":
		clock.Advance(recorded.Seconds(op.Seconds))
		return nil, nil
	default:
		return nil, fmt.Errorf("unknown operation %q", op.Op)
	}
}

var cacheRules = []recorded.Rule{{
	Name: "TTL 0", Quirk: "TTL 0", Wanted: []string{"accepted"},
	Because: "a TTL of zero keeps nothing, not even for an instant",
}, {
	Name: "the end of a TTL", Wanted: []string{"accepted"},
	When:    func(v *recorded.Vector) bool { return strings.Contains(v.Note, "exactly at the TTL") },
	Because: "an entry is gone when its TTL has passed, as with the adapters; the original keeps it for that instant",
}}

// TestParityOfCacheSequences replays what was recorded of the original's cache
// in memory.
func TestParityOfCacheSequences(t *testing.T) {
	all, err := recorded.ReadFile(filepath.Join("..", "testdata", "parity.json"))
	if err != nil {
		t.Fatal(err)
	}
	own := all
	if folder := os.Getenv("PORTCULLIS_VECTORS"); folder != "" {
		further, err := recorded.ReadFolder(folder)
		if err != nil {
			t.Fatal(err)
		}
		all = slices.Concat(all, further)
	}
	differences, err := recorded.NewDifferences([]recorded.Entry{
		{ID: "cache.lru.ttl-zero-same-instant", Rule: "TTL 0", Outcome: "accepted [null,null]"},
		{ID: "cache.lru.ttl", Rule: "the end of a TTL", Outcome: `accepted [null,"v",null,null,null,null,null]`},
	}, cacheRules, own)
	if err != nil {
		t.Fatal(err)
	}
	replayed := 0
	for _, v := range all {
		if !v.Performs("cache_sequence") {
			continue
		}
		replayed++
		t.Run(v.ID, func(t *testing.T) {
			o := recorded.Play(t.Context(), &v, func(w *recorded.World, _ *recorded.Vector) (recorded.Subject, error) {
				return cacheSubject{w.Now()}, nil
			})
			if problem, _ := differences.Judge(&v, recorded.Compare(&v, &o)); problem != "" {
				t.Error(problem)
			}
		})
	}
	if replayed < 11 {
		t.Errorf("%d sequences replayed; want at least those of testdata", replayed)
	}
}
