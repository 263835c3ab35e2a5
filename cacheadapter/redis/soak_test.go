package redis_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/cacheadapter/redis"
	"github.com/portcullis-go/portcullis/cacheadapter/redis/internal/redistest"
	"github.com/portcullis-go/portcullis/exchange"
	"github.com/portcullis-go/portcullis/introspection"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/revocation"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

const (
	soakURL     = "https://api.example/orders"
	soakIssuers = 5
	soakFleet   = 3
	soakWorkers = 6
	// soakWait is how long a request may take when Redis is frozen: the Verifier's
	// bounds on its stores, with room for a busy machine.
	soakWait = 15 * time.Second
)

// soakRequest is a request that will be sent again.
type soakRequest struct {
	issuer  *verifiertest.Issuer
	request verifier.Request
}

// soak is a fleet of Verifiers that share a real Redis for documents, lease,
// proofs and revocations. Some of them need it for every request, some only for
// documents.
type soak struct {
	*testing.T
	server  *redistest.Server
	issuers []*verifiertest.Issuer
	list    *revocation.List
	client  *verifiertest.DPoPClient
	full    []*verifier.Verifier // with proofs, introspection and revocations in Redis
	plain   []*verifier.Verifier // with documents in Redis

	down bool // set while nothing is sent

	mu      sync.Mutex
	used    []soakRequest // with proofs that were accepted
	revoked []soakRequest

	requests, wrong atomic.Int64
	slowest         [2]atomic.Int64 // of those that do not need Redis, and of those that do
	events          map[string]int
}

func newSoak(t *testing.T) *soak {
	s := &soak{
		T: t, server: redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always"),
		client: verifiertest.NewDPoPClient(t, nil, "ES256"), events: make(map[string]int),
	}
	for range soakIssuers {
		s.issuers = append(s.issuers, verifiertest.NewIssuer(t))
	}
	for n := range soakFleet {
		store, err := redis.New(s.server.Client(nil), redis.Config{Prefix: t.Name()})
		if err != nil {
			t.Fatal(err)
		}
		if s.list, err = revocation.NewList(revocation.ListConfig{Store: store, MaxTokenLife: 2 * time.Hour}); err != nil {
			t.Fatal(err)
		}
		asks, err := introspection.New(introspection.Config{
			Domain: s.issuers[0].Domain(), Endpoint: s.issuers[0].URL() + "/introspect", ClientID: "api", Auth: exchange.ClientSecretBasic("secret"),
			Doer: verifier.DoerFunc(s.introspect), TTL: time.Second, MaxMemory: 1 << 20, MaxNegative: 1000, MaxKnown: 1000,
		})
		if err != nil {
			t.Fatal(err)
		}
		cfg := verifier.Config{
			Audience: fleetAudience, Doer: verifiertest.Client(s.issuers...), Cache: store, Lease: store, CacheTTL: fleetTTL, TokenMemo: 100 * n,
		}
		for _, issuer := range s.issuers {
			cfg.Issuers = append(cfg.Issuers, verifier.Issuer{Name: issuer.Domain()})
		}
		s.plain = append(s.plain, s.verifier(cfg))
		cfg.Issuers[0].Opaque.Introspector = asks
		cfg.DPoP.ReplayStore, cfg.Revocation.Checker = store, s.list
		s.full = append(s.full, s.verifier(cfg))
	}
	return s
}

func (s *soak) verifier(cfg verifier.Config) *verifier.Verifier {
	v, err := verifier.New(cfg)
	if err != nil {
		s.Fatal(err)
	}
	return v
}

// introspect is the endpoint that is asked about opaque tokens.
func (s *soak) introspect(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	answer := `{"active":false}`
	if token := form.Get("token"); strings.HasPrefix(token, "active-") {
		now := time.Now().Unix()
		answer = fmt.Sprintf(`{"active":true,"aud":%q,"sub":"somebody","jti":%q,"iat":%d,"exp":%d}`, fleetAudience, token, now, now+60)
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(answer)), ContentLength: -1, Request: r,
	}, nil
}

// send sends a request to one Verifier, which has one right answer.
func (s *soak) send(what string, v *verifier.Verifier, request verifier.Request, want int) bool {
	began := time.Now()
	_, err := v.VerifyRequest(s.Context(), request)
	took := time.Since(began)
	slowest := &s.slowest[0]
	if slices.Contains(s.full, v) {
		slowest = &s.slowest[1]
	}
	for n := slowest.Load(); int64(took) > n && !slowest.CompareAndSwap(n, int64(took)); n = slowest.Load() {
	}
	status, reason := 200, verifier.Reason("")
	if e := (*verifier.Error)(nil); errors.As(err, &e) {
		status, reason = e.Status, e.Reason
	}
	s.requests.Add(1)
	switch {
	case status != want:
		s.wrong.Add(1)
		s.Errorf("%s, Redis down: %v: answered with %d %s after %v; want %d", what, s.down, status, reason, took, want)
	case took > soakWait:
		s.wrong.Add(1)
		s.Errorf("%s, Redis down: %v: took %v", what, s.down, took)
	}
	return status == want
}

// needsRedis is the answer of a Verifier that asks Redis, which would otherwise
// be another one.
func (s *soak) needsRedis(otherwise int) int {
	if s.down {
		return 503
	}
	return otherwise
}

func (s *soak) bearer(token string) verifier.Request {
	return verifier.Request{Method: "GET", URL: soakURL, Header: map[string][]string{"Authorization": {"Bearer " + token}}}
}

func (s *soak) bound(issuer *verifiertest.Issuer) verifier.Request {
	token := issuer.Sign(fleetAudience, map[string]any{"cnf": s.client.Confirmation()})
	return verifier.Request{Method: "GET", URL: soakURL, Header: map[string][]string{
		"Authorization": {"DPoP " + token}, "Dpop": {s.client.Proof("GET", soakURL, token)},
	}}
}

// one sends one request of a random kind.
func (s *soak) one() {
	issuer := s.issuers[rand.IntN(len(s.issuers))]
	full, plain := s.full[rand.IntN(len(s.full))], s.plain[rand.IntN(len(s.plain))]
	switch rand.IntN(10) {
	case 0, 1:
		s.send("good", plain, s.bearer(issuer.Sign(fleetAudience, nil)), 200)
	case 2:
		s.send("good, asked for revocation", full, s.bearer(issuer.Sign(fleetAudience, nil)), s.needsRedis(200))
	case 3:
		s.send("other audience", full, s.bearer(issuer.Sign("https://other.example", nil)), 401)
	case 4:
		s.send("expired", plain, s.bearer(issuer.Sign(fleetAudience, map[string]any{"exp": time.Now().Unix() - 1})), 401)
	case 5:
		token := issuer.Sign(fleetAudience, nil)
		s.send("bad signature", full, s.bearer(token[:len(token)-8]+"AAAAAAAA"), 401)
	case 6:
		request := s.bound(issuer)
		if s.send("proof", full, request, s.needsRedis(200)) && !s.down {
			s.keep(&s.used, soakRequest{issuer, request})
		}
	case 7:
		if r, ok := s.kept(&s.used); ok {
			s.send("proof that was used", full, r.request, s.needsRedis(401))
		}
	case 8:
		if r, ok := s.kept(&s.revoked); ok {
			s.send("revoked", full, r.request, s.needsRedis(401))
		}
	default:
		token := fmt.Sprint("active-", rand.IntN(2000))
		s.send("opaque", full, s.bearer(token), s.needsRedis(200))
		s.send("made-up", full, s.bearer(fmt.Sprint("made-up-", rand.Uint64())), 401)
	}
}

// soakKept is how many requests of a kind are kept to be sent again.
const soakKept = 500

func (s *soak) keep(list *[]soakRequest, r soakRequest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(*list) < soakKept {
		*list = append(*list, r)
		return
	}
	(*list)[rand.IntN(soakKept)] = r
}

func (s *soak) kept(list *[]soakRequest) (r soakRequest, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(*list) == 0 {
		return r, false
	}
	return (*list)[rand.IntN(len(*list))], true
}

// rotate gives an issuer other keys. What was signed with those before is unknown
// from then on, and may be too much to look for, so it is not sent again.
func (s *soak) rotate(issuer *verifiertest.Issuer) {
	issuer.RotateKeys()
	for _, list := range []*[]soakRequest{&s.used, &s.revoked} {
		*list = slices.DeleteFunc(*list, func(r soakRequest) bool { return r.issuer == issuer })
	}
}

// revoke revokes some tokens, one of each kind.
func (s *soak) revoke() {
	for n, revoke := range []func(issuer, id string) error{
		func(issuer, id string) error { return s.list.RevokeToken(s.Context(), issuer, id) },
		func(issuer, id string) error { return s.list.RevokeSession(s.Context(), issuer, id) },
		func(issuer, id string) error { return s.list.RevokeSubject(s.Context(), issuer, id, time.Now()) },
	} {
		issuer := s.issuers[rand.IntN(len(s.issuers))]
		id := fmt.Sprint("revoked-", n, "-", rand.Uint64())
		token := issuer.Sign(fleetAudience, map[string]any{[]string{"jti", "sid", "sub"}[n]: id})
		s.send("not yet revoked", s.full[0], s.bearer(token), 200)
		if err := revoke(issuer.Domain(), id); err != nil {
			s.Errorf("revoke: %v", err)
			continue
		}
		s.keep(&s.revoked, soakRequest{issuer, s.bearer(token)})
	}
}

// traffic lets workers send for a time, at a pace that leaves the machine room.
func (s *soak) traffic(d time.Duration) {
	end := time.Now().Add(d)
	var group sync.WaitGroup
	for range soakWorkers {
		group.Go(func() {
			for time.Now().Before(end) {
				s.one()
				time.Sleep(2 * time.Millisecond)
			}
		})
	}
	group.Wait()
}

// recover waits until every Verifier has Redis again.
func (s *soak) recover() {
	began := time.Now()
	for _, v := range s.full {
		err := redistest.Poll(soakWait, func() error {
			_, err := v.VerifyRequest(s.Context(), s.bound(s.issuers[0]))
			return err
		})
		if err != nil {
			s.Fatalf("Redis is up, and a Verifier has not noticed for %v: %v", time.Since(began), err)
		}
	}
	s.down = false
}

// round is one turn of what happens, with traffic before and after.
func (s *soak) round(n int, phase time.Duration) {
	fault := []string{"frozen", "killed", "rotation"}[n%3]
	s.events[fault]++
	switch fault {
	case "frozen":
		s.server.Freeze()
		s.down = true
		s.traffic(phase)
		s.server.Thaw()
		s.recover()
	case "killed":
		s.server.Kill()
		s.down = true
		s.traffic(phase)
		s.server.Restart()
		s.recover()
	default:
		s.rotate(s.issuers[rand.IntN(len(s.issuers))])
	}
	s.revoke()
	s.traffic(phase)
}

func soakHeap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestSoak sends good and bad requests to a fleet while its Redis is killed and
// frozen, and keys rotate. Every request has one right answer, whatever state
// Redis is in. PORTCULLIS_SOAK says for how long; it is one round of each by default.
func TestSoak(t *testing.T) {
	length, phase := time.Duration(0), 300*time.Millisecond
	if text := os.Getenv("PORTCULLIS_SOAK"); text != "" {
		var err error
		if length, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
		phase = 5 * time.Second
	}
	s := newSoak(t)
	s.traffic(phase)
	goroutines := runtime.NumGoroutine()
	began, early := time.Now(), uint64(0)
	for n := 0; n < 3 || time.Since(began) < length; n++ {
		s.round(n, phase)
		if early == 0 && time.Since(began) >= length/4 {
			early = soakHeap()
		}
	}
	late := soakHeap()
	t.Logf("%d requests, each with one right answer, the slowest without Redis in %v and with it in %v; %v; heap %d KiB early, %d KiB late; %d goroutines early, %d late: %d wrong answers",
		s.requests.Load(), time.Duration(s.slowest[0].Load()).Round(time.Millisecond), time.Duration(s.slowest[1].Load()).Round(time.Millisecond), s.events, early>>10, late>>10, goroutines, runtime.NumGoroutine(), s.wrong.Load())
	if late > 2*early+(16<<20) {
		t.Errorf("the heap grew from %d to %d bytes", early, late)
	}
	if err := redistest.Poll(30*time.Second, func() error {
		if n := runtime.NumGoroutine(); n > goroutines+20 {
			return fmt.Errorf("%d goroutines, %d at the start", n, goroutines)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}
