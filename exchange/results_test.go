package exchange

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/internal/seal"
)

// drawer is a cache of one entry.
type drawer struct {
	key   string
	value []byte
	ttl   time.Duration
	sets  int
	err   error
}

func (d *drawer) Get(_ context.Context, key string) ([]byte, bool, error) {
	return d.value, d.value != nil && key == d.key, d.err
}

func (d *drawer) Set(_ context.Context, key string, value []byte, ttl time.Duration) error {
	d.key, d.value, d.ttl = key, value, ttl
	d.sets++
	return d.err
}

func (d *drawer) Delete(context.Context, string) error { return nil }

var resultsNow = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

// newResults keeps results for ten minutes, and half a minute less than they are good.
func newResults() (*results, *drawer, *[]error) {
	d, faults := &drawer{}, &[]error{}
	return &results{cache: d, skew: 30 * time.Second, ttl: 10 * time.Minute, fault: func(err error) { *faults = append(*faults, err) }}, d, faults
}

func tokensUntil(end time.Time) *Tokens {
	return &Tokens{Token: Token{AccessToken: "opaque", TokenType: "Bearer", ExpiresAt: end}}
}

// TestHowLongResultsAreKept: for the ttl, for as long as all tokens are good, or not
// at all.
func TestHowLongResultsAreKept(t *testing.T) {
	jwt := func(after time.Duration) string {
		return "e30." + base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"exp":%d}`, resultsNow.Add(after).Unix())) + ".c2ln"
	}
	for name, c := range map[string]struct {
		ends     time.Time
		subjects []string
		want     time.Duration
	}{
		"for the ttl":                    {resultsNow.Add(time.Hour), nil, 10 * time.Minute},
		"until the token ends":           {resultsNow.Add(5 * time.Minute), nil, 4*time.Minute + 30*time.Second},
		"for a second":                   {resultsNow.Add(31 * time.Second), nil, time.Second},
		"not at all":                     {resultsNow.Add(30 * time.Second), nil, 0},
		"not when it has ended":          {resultsNow.Add(-time.Hour), nil, 0},
		"not when it is not known":       {time.Time{}, nil, 0},
		"until the subject ends":         {resultsNow.Add(time.Hour), []string{jwt(2 * time.Minute), jwt(time.Minute)}, 30 * time.Second},
		"not when the subject has ended": {resultsNow.Add(time.Hour), []string{jwt(0)}, 0},
		"whatever a subject is":          {resultsNow.Add(time.Hour), []string{"opaque"}, 10 * time.Minute},
	} {
		r, d, faults := newResults()
		r.put(t.Context(), "k", c.subjects, tokensUntil(c.ends), resultsNow)
		if kept := d.sets > 0; kept != (c.want > 0) || d.ttl != c.want || len(*faults) != 0 {
			t.Errorf("%s: kept %v, for %v, faults %v; want %v", name, kept, d.ttl, *faults, c.want)
		}
		if c.want == 0 {
			continue
		}
		for after, served := range map[time.Duration]bool{0: true, c.want - 1: true, c.want: false, -time.Minute: true, -time.Minute - 1: false} {
			if got := r.get(t.Context(), "k", resultsNow.Add(after)); (got != nil) != served || got != nil && got.ExpiresIn != max(0, c.ends.Sub(resultsNow.Add(after))) {
				t.Errorf("%s: served after %v: %v; want %v", name, after, got != nil, served)
			}
		}
	}
}

// TestLargestResult is kept, and none that is larger.
func TestLargestResult(t *testing.T) {
	r, d, _ := newResults()
	tokens := tokensUntil(resultsNow.Add(time.Hour))
	r.put(t.Context(), "k", nil, tokens, resultsNow)
	room := maxEntry - len(d.value)
	for more, want := range map[int]int{0: 1, 1: 0} {
		r, d, _ = newResults()
		tokens.AccessToken = "opaque" + strings.Repeat("x", room+more)
		if r.put(t.Context(), "k", nil, tokens, resultsNow); d.sets != want {
			t.Errorf("%d bytes: kept %d times; want %d", maxEntry+more, d.sets, want)
		}
	}
}

// TestEntriesThatAreNotOurs are no results, and told.
func TestEntriesThatAreNotOurs(t *testing.T) {
	sealer, err := seal.New("test", []byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(r *results, d *drawer){
		"of another request": func(_ *results, d *drawer) { d.key = "other" },
		"no JSON":            func(_ *results, d *drawer) { d.value = []byte("x") },
		"no token":           func(_ *results, d *drawer) { d.value = []byte(strings.Replace(string(d.value), "opaque", "", 1)) },
		"not sealed":         func(r *results, _ *drawer) { r.sealer = sealer },
		"sealed, changed":    func(r *results, d *drawer) { r.sealer = sealer; d.value = sealer.Seal(d.value, "other") },
		"an error":           func(_ *results, d *drawer) { d.err = errors.New("down") },
	} {
		r, d, faults := newResults()
		r.put(t.Context(), "k", nil, tokensUntil(resultsNow.Add(time.Hour)), resultsNow)
		key := "k"
		if change(r, d); d.key != "k" {
			key = d.key
		}
		if got := r.get(t.Context(), key, resultsNow); got != nil || len(*faults) != 1 {
			t.Errorf("%s: %v, faults %v; want nothing, and one", name, got, *faults)
		}
	}
	r, d, faults := newResults()
	r.sealer = sealer
	r.put(t.Context(), "k", nil, tokensUntil(resultsNow.Add(time.Hour)), resultsNow)
	if json.Valid(d.value) {
		t.Errorf("kept as %q; want it sealed", d.value)
	}
	if got := r.get(t.Context(), "k", resultsNow); got == nil || got.AccessToken != "opaque" || len(*faults) != 0 {
		t.Errorf("%v, faults %v; want the result", got, *faults)
	}
	if got := r.get(t.Context(), "absent", resultsNow); got != nil || len(*faults) != 0 {
		t.Errorf("what is not there: %v, faults %v; want neither", got, *faults)
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if got := r.get(done, "k", resultsNow); got != nil || len(*faults) != 0 {
		t.Errorf("a caller who left: %v, faults %v; want neither", got, *faults)
	}
	d.err = errors.New("down")
	if r.put(done, "k", nil, tokensUntil(resultsNow.Add(time.Hour)), resultsNow); len(*faults) != 1 || d.sets != 2 {
		t.Errorf("%d writes, faults %v; want the write to fail, though the caller has left", d.sets, *faults)
	}
}

// TestTokenProblems: what callers pass on in place of a token.
func TestTokenProblems(t *testing.T) {
	for token, want := range map[string]string{
		"": "is blank", " ": "is blank", "\x1f\u00a0": "is blank", " t": "has white space around it", "t\x1c": "has white space around it", "t\x1f": "has white space around it",
		"Bearer t": "has a scheme before it", "dpop\x1ft": "has a scheme before it", "Authorization: Bearer t": "has a scheme before it", "{a b}": "", "t": "", "a.b-c_d~e+f/g=": "", "\x1bt": "", "t\x1b": "", "x\x1by z": "",
	} {
		if got := tokenProblem(token); got != want {
			t.Errorf("tokenProblem(%q) = %q; want %q", token, got, want)
		}
	}
}
