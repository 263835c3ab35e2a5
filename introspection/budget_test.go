//go:build !race

package introspection_test

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/exchange"
	"github.com/portcullis-go/portcullis/introspection"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/reason"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

const (
	floodTokens  = 10_000
	floodCallers = 64
	goodCallers  = 2
	// answerTime is how long the endpoint thinks: long beside what a request costs, so
	// that a slow machine changes little.
	answerTime = 40 * time.Millisecond
	// noise is what the scheduler may add to a time that is otherwise next to nothing.
	noise = 5 * time.Millisecond
)

// TestBudgetOfFlood: 10,000 made-up tokens, sent by 64 callers, cost at most one
// question each. Beside them a good token that is remembered is always answered,
// and one that is not is answered within twice the quiet time where there is room
// for it in MaxInFlight. Where there is none, the excess is 503 at once, and nothing
// is called bad that was not asked about.
func TestBudgetOfFlood(t *testing.T) {
	t.Parallel() // the floods mostly wait
	for _, test := range []struct {
		name     string
		inFlight int
		room     bool
	}{
		{"room for all", (floodCallers + 2*goodCallers) * 4 / 3, true}, // a quarter is kept for known tokens
		{"room for a quarter", floodCallers / 4, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, test.inFlight, time.Minute)
			quiet, flooded, flood := d.compare(t)
			if got, most := median(flooded.fresh), 2*median(quiet.fresh)+noise; got > most {
				t.Errorf("a good token that is asked about takes %v; want %v at most", got, most)
			}
			if test.room && (flood.busy > 0 || flooded.busy > 0) {
				t.Errorf("%d made-up tokens and %d good ones were answered with 503; want none, there is room", flood.busy, flooded.busy)
			}
			if !test.room && (flood.busy == 0 || median(flood.excess) > answerTime/2) {
				t.Errorf("%d made-up tokens were too much, and answered in %v; want some, at once", flood.busy, median(flood.excess))
			}
		})
	}
}

// TestBudgetOfFloodForKnownTokens: where the flood takes all that is there for
// tokens that nobody has seen, a known token whose answer has run out is always
// answered, and within twice the quiet time.
func TestBudgetOfFloodForKnownTokens(t *testing.T) {
	t.Parallel()
	d := newDesk(t, floodCallers/4, -1)
	if _, _, flood := d.compare(t); flood.busy == 0 {
		t.Error("no made-up token was too much: the flood left room for all")
	}
}

// compare verifies good tokens, first with nothing beside them and then beside a
// flood, and checks what holds however much room there is.
func (d *desk) compare(t *testing.T) (quiet, flooded *goodAnswers, flood *madeUp) {
	t.Helper()
	quiet = d.good(t, func(n int) bool { return n < 40 })
	flooded, flood = d.flood(t)
	t.Logf("quiet:   %v", quiet)
	t.Logf("flooded: %v", flooded)
	t.Logf("flood:   %v", flood)
	if most := d.mostQuestions(); most > 1 {
		t.Errorf("a made-up token was asked about %d times; want once at most", most)
	}
	if flood.wrong > 0 || flood.refused > d.questions() {
		t.Errorf("of the made-up tokens %d were answered with something else than 401 and 503, and %d with 401 of which %d were asked about", flood.wrong, flood.refused, d.questions())
	}
	if lost := flooded.lost + quiet.lost; lost > 0 {
		t.Errorf("%d good tokens that are remembered or known were lost", lost)
	}
	if wrong := flooded.wrong + quiet.wrong; wrong > 0 {
		t.Errorf("%d good tokens were answered with something else than a yes and 503", wrong)
	}
	if got, most := median(flooded.remembered), 2*median(quiet.remembered)+noise; got > most {
		t.Errorf("a remembered or known token takes %v; want %v at most", got, most)
	}
	return quiet, flooded, flood
}

// desk is an issuer on TLS whose introspection endpoint takes its time, and a
// Verifier that asks it.
type desk struct {
	verifier *verifier.Verifier
	issuer   *verifiertest.Issuer
	known    []string // good tokens that are remembered, or were
	serial   atomic.Int64

	mu     sync.Mutex
	issued map[string]map[string]any
	asked  map[string]int // about tokens that were made up
}

func newDesk(t *testing.T, inFlight int, ttl time.Duration) *desk {
	t.Helper()
	clock := verifiertest.NewClock(start) // nothing that is remembered ends
	d := &desk{issued: make(map[string]map[string]any), asked: make(map[string]int)}
	d.issuer = verifiertest.NewIssuer(t, verifiertest.WithClock(clock), verifiertest.WithAlgorithm("ES256"))
	d.issuer.AnswerIntrospections(d.answer)
	client := mustClient(t, introspection.Config{
		Domain: d.issuer.Domain(), ClientID: "orders", Auth: exchange.ClientSecretBasic("s3cret-s3cret"), Clock: clock, MaxInFlight: inFlight, TTL: ttl,
		Doer: verifier.NewHTTPClient(verifier.HTTPClientConfig{RootCAs: verifiertest.RootCAs(t, d.issuer), MaxConnections: inFlight}),
	})
	cfg := d.issuer.Config(api)
	cfg.Domain, cfg.Issuers = "", []verifier.Issuer{{Name: d.issuer.Domain(), Opaque: verifier.OpaqueTokens{Introspector: client}}}
	v, err := verifier.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.Close() })
	d.verifier = v
	for range 10 {
		token := d.issue()
		if _, err := v.VerifyAccessToken(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		d.known = append(d.known, token)
	}
	return d
}

func (d *desk) issue() string {
	token := fmt.Sprint("good-", d.serial.Add(1))
	claims := d.issuer.Claims(api, nil)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.issued[token] = claims
	return token
}

func (d *desk) answer(form url.Values) (status int, body any) {
	time.Sleep(answerTime)
	token := form.Get("token")
	d.mu.Lock()
	defer d.mu.Unlock()
	claims, ok := d.issued[token]
	if !ok {
		d.asked[token]++
		return 200, map[string]any{"active": false}
	}
	answer := map[string]any{"active": true}
	maps.Copy(answer, claims)
	return 200, answer
}

// questions is how many there were about tokens that were made up.
func (d *desk) questions() (sum int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, n := range d.asked {
		sum += n
	}
	return sum
}

func (d *desk) mostQuestions() (most int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, n := range d.asked {
		most = max(most, n)
	}
	return most
}

// goodAnswers is what became of good tokens: how long those took that were accepted,
// and how many were not.
type goodAnswers struct {
	remembered, fresh []time.Duration
	lost, busy, wrong int // remembered or known and not accepted; fresh and answered with 503; anything else
}

func (g *goodAnswers) String() string {
	return fmt.Sprintf("%d remembered or known tokens in %v (median), %d lost; %d fresh ones in %v (median), %d answered with 503",
		len(g.remembered), median(g.remembered), g.lost, len(g.fresh), median(g.fresh), g.busy)
}

// good verifies good tokens, a remembered or known one and a fresh one in turn, for as long
// as more of the count of turns says so.
func (d *desk) good(t *testing.T, more func(turns int) bool) *goodAnswers {
	var g goodAnswers
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range goodCallers {
		wg.Go(func() {
			for turn := 0; more(turn); turn++ {
				began := time.Now()
				_, lost := d.verifier.VerifyAccessToken(t.Context(), d.known[turn%len(d.known)])
				remembered := time.Since(began)
				token := d.issue()
				began = time.Now()
				_, err := d.verifier.VerifyAccessToken(t.Context(), token)
				fresh := time.Since(began)
				mu.Lock()
				switch {
				case lost != nil:
					g.lost++
				default:
					g.remembered = append(g.remembered, remembered)
				}
				switch {
				case err == nil:
					g.fresh = append(g.fresh, fresh)
				case errors.Is(err, verifier.ErrUnavailable):
					g.busy++
				default:
					g.wrong++
				}
				mu.Unlock()
				if err != nil {
					time.Sleep(answerTime) // who is told to come again does
				}
			}
		})
	}
	wg.Wait()
	return &g
}

// madeUp is what became of tokens that were made up.
type madeUp struct {
	refused, busy, wrong int
	excess               []time.Duration // of those answered with 503
}

func (m *madeUp) String() string {
	return fmt.Sprintf("%d made-up tokens refused, %d answered with 503 in %v (median), %d in another way", m.refused, m.busy, median(m.excess), m.wrong)
}

// flood sends each made-up token once, while good ones are verified beside.
func (d *desk) flood(t *testing.T) (*goodAnswers, *madeUp) {
	var m madeUp
	var mu sync.Mutex
	var next atomic.Int64
	var wg sync.WaitGroup
	for range floodCallers {
		wg.Go(func() {
			for n := next.Add(1); n <= floodTokens; n = next.Add(1) {
				began := time.Now()
				_, err := d.verifier.VerifyAccessToken(t.Context(), fmt.Sprint("made-up-", n))
				took := time.Since(began)
				var e *verifier.Error
				busy := errors.Is(err, verifier.ErrUnavailable)
				mu.Lock()
				switch {
				case busy:
					m.busy++
					m.excess = append(m.excess, took)
				case errors.As(err, &e) && e.Reason == reason.TokenInactive:
					m.refused++
				default:
					m.wrong++
				}
				mu.Unlock()
				if busy {
					time.Sleep(answerTime)
				}
			}
		})
	}
	g := d.good(t, func(int) bool { return next.Load() < floodTokens })
	wg.Wait()
	return g, &m
}

func median(times []time.Duration) time.Duration {
	if len(times) == 0 {
		return 0
	}
	return slices.Sorted(slices.Values(times))[len(times)/2]
}
