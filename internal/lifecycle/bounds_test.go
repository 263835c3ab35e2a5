package lifecycle

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/internal/cachecontrol"
)

// TestBoundsOfDocuments: to the last moment of their freshness and of the hard limit,
// and from as far in the future as clocks may differ.
func TestBoundsOfDocuments(t *testing.T) {
	s := &Snapshot{life: lifetime{fetched: nanos(0), fresh: nanos(time.Minute), stale: nanos(time.Hour)}}
	v := &View{docs: [maxDocuments]*Snapshot{s, s}}
	for at, want := range map[time.Duration][2]bool{
		-2*time.Minute - 1: {false, false}, -2 * time.Minute: {true, true}, 0: {true, true}, time.Minute: {true, true},
		time.Minute + 1: {false, true}, time.Hour: {false, true}, time.Hour + 1: {false, false},
	} {
		now := nanos(at)
		if got := [2]bool{s.fresh(now), s.servable(now)}; got != want {
			t.Errorf("after %v a document is fresh and servable: %v; want %v", at, got, want)
		}
		if got := [2]bool{v.fresh(now, 2), v.servable(now, 2)}; got != want {
			t.Errorf("after %v a view is fresh and servable: %v; want %v", at, got, want)
		}
	}
	half := &View{docs: [maxDocuments]*Snapshot{s}}
	var none *View
	if now := nanos(0); !half.fresh(now, 1) || half.fresh(now, 2) || !half.servable(now, 1) || half.servable(now, 2) || none.fresh(now, 1) || none.servable(now, 1) {
		t.Error("what is not held is fresh or servable, or what is held is not")
	}
}

// TestBoundsOfEnvelopes: sizes and times, each to the last that is accepted.
func TestBoundsOfEnvelopes(t *testing.T) {
	good := string(sealed(t, "{}"))
	room := maxEnvelope - len(good)
	snap := func(more int) *Snapshot {
		return &Snapshot{Stated: "https://a.example", etag: `"1"`, Origin: "url https://a.example/keys", body: []byte("{}" + strings.Repeat(" ", room+more)), life: lifetime{
			fetched: nanos(-time.Minute), until: nanos(time.Minute), stale: nanos(time.Hour)}}
	}
	largest, err := encodeEnvelope("jwks", "https://a.example/", snap(0))
	if err != nil || len(largest) != maxEnvelope {
		t.Fatalf("%d bytes, %v; want %d", len(largest), err, maxEnvelope)
	}
	if _, err := decodeEnvelope("jwks", "https://a.example/", largest, envelopeNow); err != nil {
		t.Errorf("the largest entry: %v", err)
	}
	if _, err := encodeEnvelope("jwks", "https://a.example/", snap(1)); !errors.Is(err, errEnvelopeLarge) {
		t.Errorf("one byte more: %v; want errEnvelopeLarge", err)
	}
	if _, err := decodeEnvelope("jwks", "https://a.example/", append(largest, ' '), envelopeNow); !errors.Is(err, errEnvelope) {
		t.Errorf("one byte more to read: %v; want errEnvelope", err)
	}
	const latest = `"fetched":1893553565000,"fresh":1893553565000,"stale":1893553565000` // two minutes from envelopeNow
	for times, ok := range map[string]bool{
		latest: true,
		`"fetched":1893553565001,"fresh":1893553565001,"stale":1893553565001`: false,
		`"fetched":0,"fresh":0,"stale":0`:                                     true,
		`"fetched":-1,"fresh":0,"stale":0`:                                    false,
		`"fetched":5,"fresh":5,"stale":6`:                                     true,
		`"fetched":5,"fresh":4,"stale":6`:                                     false,
		`"fetched":5,"fresh":6,"stale":6`:                                     true,
		`"fetched":5,"fresh":6,"stale":5`:                                     false,
		`"fetched":5,"fresh":6,"stale":9223372036854`:                         true,
		`"fetched":5,"fresh":6,"stale":9223372036855`:                         false,
		`"fetched":"5","fresh":6,"stale":7`:                                   false,
		`"fetched":5,"fresh":6,"stale":7,"etag":1`:                            false,
	} {
		value := `{"version":1,"name":"jwks","issuer":"https://a.example/",` + times + "}\n{}"
		snap, err := decodeEnvelope("jwks", "https://a.example/", []byte(value), envelopeNow)
		if (err == nil) != ok || (snap != nil) != ok {
			t.Errorf("%s: %v; want accepted %v", times, err, ok)
		}
		if _, err := decodeEnvelope("jwks", "https://a.example/", []byte(value[:len(value)-3]), envelopeNow); err == nil {
			t.Errorf("%s: accepted without a line for the document", times)
		}
	}
}

// TestLifetimes: the age is spent already, and the floor holds.
func TestLifetimes(t *testing.T) {
	p := DefaultPolicy()
	p.Jitter, p.RefreshAhead = 0, 0
	for d, want := range map[cachecontrol.Directives]time.Duration{
		{}:                                            10 * time.Minute,
		{HasMaxAge: true, MaxAge: 120}:                2 * time.Minute,
		{HasMaxAge: true, MaxAge: 120, Age: 30}:       90 * time.Second,
		{HasMaxAge: true, MaxAge: 120, Age: 130}:      0,
		{HasMaxAge: true, MaxAge: 6000}:               10 * time.Minute,
		{HasMaxAge: true, MaxAge: 120, NoStore: true}: 0,
		{NoCache: true}:                               0,
	} {
		for floor, fresh := range map[time.Duration]time.Duration{0: want, time.Minute: max(want, time.Minute)} {
			p.Floor = floor
			l := p.lifetime(envelopeNow, d)
			if l.fetched != nanos(0) || l.until != nanos(fresh) || l.fresh != nanos(fresh) || l.stale != nanos(fresh+time.Hour) || l.refresh != l.fresh {
				t.Errorf("%+v with a floor of %v: fresh for %v, stale after %v; want %v and an hour more", d, floor, time.Duration(l.fresh-l.fetched), time.Duration(l.stale-l.fetched), fresh)
			}
		}
	}
}

// TestChance takes some off the freshness, never adds to it, and does so differently
// each time.
func TestChance(t *testing.T) {
	p := DefaultPolicy()
	least, most := time.Hour, time.Duration(0)
	for range 200 {
		l := p.lifetime(envelopeNow, cachecontrol.Directives{})
		fresh := time.Duration(l.fresh - l.fetched)
		least, most = min(least, fresh), max(most, fresh)
		if ahead := time.Duration(l.fresh - l.refresh); ahead != fresh/5 {
			t.Fatalf("refreshed %v ahead of %v; want a fifth", ahead, fresh)
		}
	}
	if least < 9*time.Minute || least > 9*time.Minute+30*time.Second || most > 10*time.Minute || most < 9*time.Minute+30*time.Second {
		t.Errorf("fresh for %v to %v; want 9 to 10 minutes", least, most)
	}
	least, most = time.Hour, 0
	for range 200 {
		pause := p.backoff(3)
		least, most = min(least, pause), max(most, pause)
	}
	if least < 2*time.Second || least > 3*time.Second || most > 4*time.Second || most < 3*time.Second {
		t.Errorf("pauses of %v to %v; want 2 to 4 seconds", least, most)
	}
}

// TestBackoffThatOverflows is as long as it can be.
func TestBackoffThatOverflows(t *testing.T) {
	p := Policy{BackoffMin: 1 << 44, BackoffMax: 1 << 50}
	for failures := 7; failures < 100; failures++ {
		if got := p.backoff(failures); got < 1<<49 || got > 1<<50 {
			t.Errorf("after %d failures %v; want half of %v at least", failures, got, p.BackoffMax)
		}
	}
	p.BackoffMin = 3 << 42
	if got := p.backoff(21); got < 1<<49 || got > 1<<50 {
		t.Errorf("a pause below zero became %v", got)
	}
}
