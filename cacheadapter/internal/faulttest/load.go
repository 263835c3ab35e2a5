package faulttest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

const (
	api    = "https://api.example.com"
	target = api + "/orders"
	// patience is how long a request may take: what a server gives it.
	patience = time.Second
)

// phase is a part of the life of a load.
type phase int32

const (
	before phase = iota
	during
	after
	phases
)

// kind is a kind of request.
type kind int

const (
	bearer kind = iota // a token, with warm keys
	proven             // a token with a new proof
	replay             // one with a proof that was sent before
	kinds
)

// tally counts the outcomes of requests of a kind in a phase.
type tally struct {
	accepted, unavailable, refused int
	within                         int // began and accepted in the phase
	took                           []time.Duration
}

// Load is continuous verification by one Verifier with a store as shared cache
// and as replay store. Requests are sent at fixed rates, however long the ones
// before them take, unless so many wait that the machine is too slow.
type Load struct {
	t        *testing.T
	issuer   *verifiertest.Issuer
	client   *verifiertest.DPoPClient
	config   verifier.Config
	verifier *verifier.Verifier
	bearer   http.Header
	token    string // bound to the client's key

	phase    atomic.Int32
	cancel   context.CancelFunc
	group    sync.WaitGroup
	coldTook time.Duration

	mu      sync.Mutex
	tallies [phases][kinds]tally
	proofs  []*proof
	unknown []string
}

type proof struct {
	header   http.Header
	accepted atomic.Int32 // how often
}

// Store is what an adapter is.
type Store interface {
	verifier.Cache
	verifier.ReplayStore
}

// startLoad starts a load in the phase before a fault. Its documents are fresh
// for a few seconds only, so that the shared cache is used all the time.
func startLoad(t *testing.T, store Store) *Load {
	t.Helper()
	l := &Load{t: t, issuer: verifiertest.NewIssuer(t), client: verifiertest.NewDPoPClient(t, nil, "")}
	l.config = l.issuer.Config(api)
	l.config.Cache, l.config.DPoP.ReplayStore = store, store
	l.config.Refresh.FetchTimeout = 30 * time.Second // for slow machines
	l.config.CacheTTL, l.config.Refresh.Floor, l.config.Refresh.Ahead = 3*time.Second, -1, 0.5
	l.verifier = l.newVerifier()
	l.bearer = http.Header{"Authorization": {"Bearer " + l.issuer.Sign(api, nil)}}
	l.token = l.issuer.Sign(api, map[string]any{"cnf": l.client.Confirmation()})
	if _, err := l.verify(t.Context(), l.verifier, l.bearer); err != nil {
		t.Fatal(err) // the keys are warm from here on
	}

	ctx, cancel := context.WithCancel(t.Context())
	l.cancel = cancel
	l.every(ctx, 20*time.Millisecond, func() { l.send(bearer, l.bearer, nil) })
	l.every(ctx, 25*time.Millisecond, func() {
		p := &proof{header: http.Header{"Authorization": {"DPoP " + l.token}, "Dpop": {l.client.Proof("GET", target, l.token)}}}
		l.send(proven, p.header, p)
		l.mu.Lock()
		l.proofs = append(l.proofs, p)
		l.mu.Unlock()
	})
	l.every(ctx, 50*time.Millisecond, func() {
		if p := l.anyProof(); p != nil {
			l.send(replay, p.header, p)
		}
	})
	t.Cleanup(l.stop)
	return l
}

func (l *Load) newVerifier() *verifier.Verifier {
	l.t.Helper()
	v, err := verifier.New(l.config)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { _ = v.Close() })
	return v
}

// every runs f at a rate until ctx is done, at most 64 at once.
func (l *Load) every(ctx context.Context, interval time.Duration, f func()) {
	l.group.Go(func() {
		slots := make(chan struct{}, 64)
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			select {
			case slots <- struct{}{}:
				l.group.Go(func() {
					defer func() { <-slots }()
					f()
				})
			default:
			}
		}
	})
}

// stop waits until the last request has its answer.
func (l *Load) stop() {
	l.cancel()
	l.group.Wait()
}

func (l *Load) anyProof() *proof {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.proofs) == 0 {
		return nil
	}
	return l.proofs[rand.IntN(len(l.proofs))]
}

func (l *Load) verify(ctx context.Context, v *verifier.Verifier, header http.Header) (*verifier.Token, error) {
	return v.VerifyRequest(ctx, verifier.Request{Method: "GET", URL: target, Header: header})
}

// send sends a request and notes what came of it in the phase in which it
// began, or during the fault if that met it on its way.
func (l *Load) send(kind kind, header http.Header, p *proof) {
	ctx, cancel := context.WithTimeout(l.t.Context(), patience)
	defer cancel()
	at, start := phase(l.phase.Load()), time.Now()
	_, err := l.verify(ctx, l.verifier, header)
	took := time.Since(start)
	if err == nil && p != nil {
		p.accepted.Add(1)
	}

	l.mu.Lock()
	defer l.mu.Unlock()
	ended := phase(l.phase.Load())
	if err == nil && at == ended {
		l.tallies[at][kind].within++
	}
	if at == before && ended != before {
		at = during
	}
	tally := &l.tallies[at][kind]
	tally.took = append(tally.took, took)
	switch {
	case err == nil:
		tally.accepted++
	case errors.Is(err, verifier.ErrUnavailable):
		tally.unavailable++
	default:
		tally.refused++
		if kind != replay || !errors.Is(err, verifier.ErrReplayed) {
			l.unknown = append(l.unknown, err.Error())
		}
	}
}

// Next begins a phase.
func (l *Load) Next() { l.phase.Add(1) }

// Run lets d pass.
func (l *Load) Run(d time.Duration) { <-time.After(d) }

// Cold verifies with a Verifier that knows no keys yet, and waits for each
// document as long as Config allows.
func (l *Load) Cold() {
	l.t.Helper()
	v, start := l.newVerifier(), time.Now()
	if _, err := l.verify(l.t.Context(), v, l.bearer); err != nil {
		l.t.Errorf("a Verifier that starts during the fault refuses a token: %v", err)
	}
	l.coldTook = time.Since(start)
}

// recover waits until proofs are accepted again, and returns how long that
// took.
func (l *Load) recover() time.Duration {
	l.t.Helper()
	start := time.Now()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for now := start; now.Sub(start) < 30*time.Second; now = <-ticker.C {
		l.mu.Lock()
		accepted := l.tallies[after][proven].accepted
		l.mu.Unlock()
		if accepted > 0 {
			return time.Since(start)
		}
	}
	l.t.Fatal("no proof was accepted within 30 s after the fault")
	return 0
}

// audit ends the load and sends every proof that was accepted once more. It
// returns how many were accepted again, now or before, of how many.
func (l *Load) audit() (again, of int) {
	l.stop()
	for _, p := range l.proofs {
		if p.accepted.Load() == 0 {
			continue
		}
		of++
		_, err := l.verify(l.t.Context(), l.verifier, p.header)
		for tries := 1; tries < 10 && errors.Is(err, verifier.ErrUnavailable); tries++ { // on a busy machine
			_, err = l.verify(l.t.Context(), l.verifier, p.header)
		}
		if err == nil {
			p.accepted.Add(1)
		} else if !errors.Is(err, verifier.ErrReplayed) {
			l.t.Errorf("a replay after the fault: %v; want %v", err, verifier.ErrReplayed)
		}
		if p.accepted.Load() > 1 {
			again++
		}
	}
	return again, of
}

// row describes the load as a line of a table, after the checks that hold under
// every fault.
func (l *Load) row(name string, recovery time.Duration, again, of int) string {
	l.t.Helper()
	for _, text := range l.unknown {
		l.t.Errorf("a good request was answered with %s", text)
	}
	var sent, failed int
	for p := range phases {
		t := l.tallies[p][bearer]
		sent += len(t.took)
		failed += t.unavailable + t.refused
	}
	if failed > 0 {
		l.t.Errorf("%d of %d Bearer verifications failed; want none", failed, sent)
	}
	cells := []string{name, fmt.Sprint(sent), fmt.Sprint(failed), l.times(bearer), fmt.Sprint(l.coldTook.Milliseconds())}
	var accepted []string
	for p := range phases {
		t := l.tallies[p][proven]
		accepted = append(accepted, fmt.Sprintf("%d + %d", t.accepted, t.unavailable))
	}
	cells = append(cells, strings.Join(accepted, " / "), l.times(proven), fmt.Sprint(recovery.Milliseconds()), fmt.Sprintf("%d of %d", again, of))
	return "| " + strings.Join(cells, " | ") + " |"
}

const rowHeader = "| fault | Bearer sent | failed | p50 / p99 ms: before; during; after | cold ms | DPoP accepted + 503: before / during / after | p50 / p99 ms: before; during; after | recovery ms | replays accepted |\n|---|---|---|---|---|---|---|---|---|"

// times are the percentiles of all phases.
func (l *Load) times(kind kind) string {
	var cells []string
	for p := range phases {
		took := slices.Sorted(slices.Values(l.tallies[p][kind].took))
		if len(took) == 0 {
			cells = append(cells, "-")
			continue
		}
		ms := func(share float64) float64 {
			return float64(took[int(share*float64(len(took)-1))].Microseconds()) / 1000
		}
		cells = append(cells, fmt.Sprintf("%.1f / %.1f", ms(0.5), ms(0.99)))
	}
	return strings.Join(cells, "; ")
}
