package redis_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/portcullis-go/portcullis/cacheadapter/redis"
	"github.com/portcullis-go/portcullis/cacheadapter/redis/internal/redistest"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// The tests of this file run a fleet of real processes with a real Redis. Each
// process is this test binary, started again; it verifies the tokens that come
// in on its standard input. PORTCULLIS_FLEET is how many there are: 4 unless set,
// 20 for the long form, which also takes its time.

const (
	fleetVariable = "PORTCULLIS_FLEET_PROCESS"
	fleetAudience = "https://api.example"
	// fleetTTL is how long documents are fresh, so that refreshes fall into the
	// test. A refresh ahead begins after 1.6 s.
	fleetTTL     = 2 * time.Second
	fleetTimeout = 3 * time.Second // of a fetch, which is the time of a lease, too
)

// fleetSetup is what a process is told.
type fleetSetup struct {
	Domain, CA, Redis, Prefix string
}

// fleetProcess verifies tokens, a line each, and answers with a line: the status
// and the reason.
func fleetProcess() error {
	var setup fleetSetup
	if err := json.Unmarshal([]byte(os.Getenv(fleetVariable)), &setup); err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(setup.CA))
	client := goredis.NewClient(&goredis.Options{Addr: setup.Redis})
	defer client.Close()
	store, err := redis.New(client, redis.Config{Prefix: setup.Prefix})
	if err != nil {
		return err
	}
	v, err := verifier.New(verifier.Config{
		Domain: setup.Domain, Audience: fleetAudience, Cache: store, Lease: store, CacheTTL: fleetTTL,
		Refresh: verifier.RefreshConfig{FetchTimeout: fleetTimeout},
		Doer:    verifier.NewHTTPClient(verifier.HTTPClientConfig{RootCAs: roots}),
	})
	if err != nil {
		return err
	}
	defer v.Close()
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		_, err := v.VerifyAccessToken(context.Background(), lines.Text())
		var e *verifier.Error
		switch {
		case err == nil:
			fmt.Println("200")
		case errors.As(err, &e):
			fmt.Println(e.Status, e.Reason)
		default:
			fmt.Println("500", err)
		}
	}
	return lines.Err()
}

// fleet is the processes and the issuer that they trust.
type fleet struct {
	*testing.T
	issuer  *verifiertest.Issuer
	members []*member
}

type member struct {
	mu      sync.Mutex
	process *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
}

func startFleet(t *testing.T, issuer *verifiertest.Issuer, redis *redistest.Server, n int) *fleet {
	t.Helper()
	setup := fleetSetup{Domain: issuer.Domain(), CA: certificateOf(t, issuer), Redis: redis.Addr, Prefix: strings.ReplaceAll(t.Name(), "/", "-")}
	text, err := json.Marshal(setup)
	if err != nil {
		t.Fatal(err)
	}
	f := &fleet{T: t, issuer: issuer}
	for range n {
		m := &member{process: exec.Command(os.Args[0], "-test.run=^$")}
		m.process.Env = append(os.Environ(), fleetVariable+"="+string(text))
		m.process.Stderr = os.Stderr
		if m.in, err = m.process.StdinPipe(); err != nil {
			t.Fatal(err)
		}
		out, err := m.process.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		m.out = bufio.NewReader(out)
		if err := m.process.Start(); err != nil {
			t.Fatal(err)
		}
		f.members = append(f.members, m)
		t.Cleanup(func() {
			_ = m.in.Close()
			_ = m.process.Process.Kill()
			_ = m.process.Wait()
		})
	}
	return f
}

// certificateOf returns the certificate of the fake issuer, which is its own
// authority.
func certificateOf(t *testing.T, issuer *verifiertest.Issuer) string {
	t.Helper()
	u, err := url.Parse(issuer.URL())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := tls.Dial("tcp", u.Host, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	certificate := conn.ConnectionState().PeerCertificates[0]
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw}))
}

// verify returns the answer of a process to a token.
func (m *member) verify(token string) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, err := fmt.Fprintln(m.in, token); err != nil {
		return "", err
	}
	line, err := m.out.ReadString('\n')
	return strings.TrimSpace(line), err
}

// token is one that is valid for the whole test.
func (f *fleet) token() string {
	return f.issuer.Sign(fleetAudience, map[string]any{"exp": time.Now().Add(time.Hour).Unix()})
}

// all verifies a token in all processes at once and returns the longest time. No
// valid token may be lost.
func (f *fleet) all(token string) time.Duration {
	f.Helper()
	began := time.Now()
	var wg sync.WaitGroup
	for i, m := range f.members {
		wg.Go(func() {
			if answer, err := m.verify(token); err != nil || answer != "200" {
				f.Errorf("process %d: %q, %v; want the token accepted", i, answer, err)
			}
		})
	}
	wg.Wait()
	return time.Since(began)
}

// load verifies for some time and returns how often.
func (f *fleet) load(token string, d time.Duration) (n int) {
	f.Helper()
	for began := time.Now(); time.Since(began) < d && !f.Failed(); n++ {
		f.all(token)
		time.Sleep(50 * time.Millisecond)
	}
	return n
}

func (f *fleet) requests() verifiertest.Counts { return f.issuer.Requests() }

// since returns how many documents of each kind were fetched after before.
func (f *fleet) since(before verifiertest.Counts) (discovery, jwks int) {
	now := f.requests()
	return now.Discovery - before.Discovery, now.JWKS - before.JWKS
}

// fleetSize returns how many processes there are, and how long a load lasts.
func fleetSize(t *testing.T) (n int, load time.Duration) {
	text := os.Getenv("PORTCULLIS_FLEET")
	if text == "" {
		return 4, 3 * time.Second
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 2 || n > 100 {
		t.Fatalf("PORTCULLIS_FLEET is %q; want 2 to 100", text)
	}
	return n, 20 * time.Second
}

// TestFleet: processes that start together, a rotation, Redis killed and frozen.
func TestFleet(t *testing.T) {
	for text, header := range map[string]string{"silent": "", "no-cache": "no-cache", "no-store": "no-store", "max-age=0": "max-age=0"} {
		t.Run(text, func(t *testing.T) {
			n, load := fleetSize(t)
			server := redistest.Start(t)
			issuer := verifiertest.NewIssuer(t)
			issuer.SetHeader("Cache-Control", header)
			f := startFleet(t, issuer, server, n)

			took := f.all(f.token())
			if discovery, jwks := f.since(verifiertest.Counts{}); discovery != 1 || jwks != 1 {
				t.Errorf("a cold start of %d processes: %d + %d fetches; want 1 + 1", n, discovery, jwks)
			}
			t.Logf("cold start of %d processes: %v", n, took.Round(time.Millisecond))
			if took > fleetTimeout {
				t.Errorf("a cold start took %v; want no process to wait for a lease that brings nothing", took)
			}

			before, began := f.requests(), time.Now()
			verified := f.load(f.token(), load)
			periods := int(time.Since(began)/(fleetTTL*72/100)) + 2 // refresh ahead and jitter
			discovery, jwks := f.since(before)
			t.Logf("%d verifications of %d processes in %v: %d + %d fetches", verified*n, n, load, discovery, jwks)
			if discovery > periods || jwks > periods {
				t.Errorf("steady load: %d + %d fetches in %d freshness periods; want one each", discovery, jwks, periods)
			}
			if text != "silent" {
				return
			}

			before = f.requests()
			issuer.RotateKeys()
			rotated := f.token()
			f.all(rotated)
			if _, jwks := f.since(before); jwks < 1 || jwks > 3 {
				t.Errorf("a rotation: %d fetches of keys; want one, beside that of a refresh", jwks)
			}

			server.Kill()
			before = f.requests()
			f.load(rotated, load)
			if discovery, jwks := f.since(before); discovery == 0 || discovery > n*periods || jwks > n*periods {
				t.Errorf("without Redis: %d + %d fetches by %d processes in %d periods", discovery, jwks, n, periods)
			}
			server.Restart()
			f.load(rotated, load/2)
			server.Freeze()
			f.load(rotated, load)
			server.Thaw()
			issuer.RotateKeys()
			f.all(f.token())
		})
	}
}

// TestFleetLosesTheHolder: the process that holds the lease is killed while it
// fetches. The others have their keys after the time of a lease, at most.
func TestFleetLosesTheHolder(t *testing.T) {
	n, _ := fleetSize(t)
	server := redistest.Start(t)
	issuer := verifiertest.NewIssuer(t)
	f := startFleet(t, issuer, server, n)
	token := f.token()
	issuer.Hang()
	holder := f.members[0]
	f.members = f.members[1:]
	go func() { _, _ = holder.verify(token) }()
	if err := redistest.Poll(10*time.Second, func() error {
		if f.requests().Discovery == 0 {
			return errors.New("nothing was fetched yet")
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	done := make(chan time.Duration)
	go func() { done <- f.all(token) }()
	time.Sleep(200 * time.Millisecond)
	if err := holder.process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	issuer.Recover()
	took := <-done
	t.Logf("the others waited %v for a dead holder", took.Round(time.Millisecond))
	if took > 2*fleetTimeout {
		t.Errorf("took %v; want the time of a lease, %v, and a fetch", took, fleetTimeout)
	}
	if got := f.requests(); got.Discovery > 1+n || got.JWKS > n {
		t.Errorf("requests %+v; want one of each process at most", got)
	}
}
