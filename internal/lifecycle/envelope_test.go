package lifecycle

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
)

var envelopeNow = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

func nanos(d time.Duration) int64 { return envelopeNow.Add(d).UnixNano() }

func sealed(t testing.TB, body string) []byte {
	t.Helper()
	snap := &Snapshot{Stated: "https://a.example", etag: `"1"`, Origin: "url https://a.example/keys", body: []byte(body), life: lifetime{
		fetched: nanos(-time.Minute), until: nanos(time.Minute), stale: nanos(time.Hour)}}
	value, err := encodeEnvelope("jwks", "https://a.example/", snap)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func TestEnvelope(t *testing.T) {
	good := sealed(t, "{\"keys\":[]}\n\x00")
	snap, err := decodeEnvelope("jwks", "https://a.example/", good, envelopeNow)
	if err != nil || string(snap.body) != "{\"keys\":[]}\n\x00" || snap.Stated != "https://a.example" || snap.etag != `"1"` || snap.Origin != "url https://a.example/keys" || snap.life.until != nanos(time.Minute) {
		t.Fatalf("%+v, %v", snap, err)
	}
	change := func(old, new string) []byte { return []byte(strings.Replace(string(good), old, new, 1)) }
	for name, value := range map[string][]byte{
		"nothing":       nil,
		"no line":       []byte(`{"version":1}`),
		"no JSON":       []byte("x\ny"),
		"truncated":     good[:20],
		"old version":   change(`"version":1`, `"version":0`),
		"newer version": change(`"version":1`, `"version":2`),
		"other kind":    change(`"name":"jwks"`, `"name":"discovery"`),
		"other issuer":  change(`"issuer":"https://a.example/"`, `"issuer":"https://b.example/"`),
		"times":         change(`"fresh":`, `"fresh":1,"x":`),
		"future":        change(`"fetched":`, `"fetched":9999999999999,"x":`),
		"too large":     append(bytes.Clone(good), make([]byte, maxEnvelope)...),
	} {
		if _, err := decodeEnvelope("jwks", "https://a.example/", value, envelopeNow); !errors.Is(err, errEnvelope) {
			t.Errorf("%s: %v; want errEnvelope", name, err)
		}
	}
	if _, err := encodeEnvelope("jwks", "i", &Snapshot{body: make([]byte, maxEnvelope)}); !errors.Is(err, errEnvelopeLarge) {
		t.Errorf("too large to share: %v", err)
	}
}

// TestClamp: whoever writes the cache cannot make a document last longer than
// this process would have let it.
func TestClamp(t *testing.T) {
	p := DefaultPolicy()
	l := p.clamp(lifetime{fetched: nanos(0), until: nanos(1000 * time.Hour), stale: nanos(9000 * time.Hour)})
	if l.until-l.fetched != int64(p.TTL) || l.stale-l.fetched != int64(p.TTL+p.StaleIfError) {
		t.Errorf("fresh for %v, stale for %v", time.Duration(l.until-l.fetched), time.Duration(l.stale-l.fetched))
	}
}

// FuzzEnvelope: nothing panics, and what is accepted is of the issuer and kind
// asked for, with times in order and not from the future.
func FuzzEnvelope(f *testing.F) {
	f.Add(sealed(f, `{"keys":[]}`))
	f.Add([]byte("{}\n"))
	f.Fuzz(func(t *testing.T, value []byte) {
		snap, err := decodeEnvelope("jwks", "https://a.example/", value, envelopeNow)
		if err != nil {
			return
		}
		policy := DefaultPolicy()
		l := policy.clamp(snap.life)
		if l.until < l.fetched || l.fetched > envelopeNow.UnixNano()+clockSkew || l.stale-l.fetched > int64(policy.TTL+policy.StaleIfError) {
			t.Errorf("times %+v", l)
		}
	})
}

func TestBackoffGrowsToItsCap(t *testing.T) {
	p := DefaultPolicy()
	for failures := 1; failures < 100; failures++ {
		most := min(p.BackoffMin<<min(failures-1, 10), p.BackoffMax)
		if got := p.backoff(failures); got < most/2 || got > most {
			t.Errorf("after %d failures %v; want %v to %v", failures, got, most/2, most)
		}
	}
}
