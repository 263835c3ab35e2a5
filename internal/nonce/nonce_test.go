package nonce_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/internal/nonce"
)

var (
	start   = time.Unix(1_750_000_000, 0)
	secretA = bytes.Repeat([]byte("a"), 32)
	secretB = bytes.Repeat([]byte("b"), 32)
	secretC = bytes.Repeat([]byte("c"), 33)
)

func at(offset time.Duration) func() time.Time {
	return func() time.Time { return start.Add(offset) }
}

func newSource(t testing.TB, now func() time.Time, secrets ...[]byte) *nonce.Source {
	t.Helper()
	source, err := nonce.New(nonce.Config{Secrets: secrets, Lifetime: time.Minute, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return source
}

func issue(t testing.TB, source *nonce.Source) string {
	t.Helper()
	issued, err := source.Issue(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return issued
}

func wantCheck(t testing.TB, source *nonce.Source, value string, want bool) {
	t.Helper()
	if ok, err := source.Check(t.Context(), value); ok != want || err != nil {
		t.Errorf("Check(%q) = %v, %v; want %v", value, ok, err, want)
	}
}

// RFC 9449, Section 11.1: nonces have a limited lifetime.
func TestCheckObeysTheLifetime(t *testing.T) {
	issued := issue(t, newSource(t, at(0), secretA))
	tests := []struct {
		name   string
		offset time.Duration
		want   bool
	}{
		{"at once", 0, true},
		{"just before the end", time.Minute - 1, true},
		{"at the end", time.Minute, false},
		{"after the end", time.Minute + 1, false},
		{"long after the end", 1000 * time.Hour, false},
		{"from the future within the skew", -nonce.MaxSkew, true},
		{"from the future beyond the skew", -nonce.MaxSkew - 1, false},
		{"from the far future", -1000 * time.Hour, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			wantCheck(t, newSource(t, at(test.offset), secretA), issued, test.want)
		})
	}
}

func TestDefaultLifetime(t *testing.T) {
	for offset, want := range map[time.Duration]bool{nonce.DefaultLifetime - 1: true, nonce.DefaultLifetime: false} {
		source, err := nonce.New(nonce.Config{Secrets: [][]byte{secretA}, Now: at(offset)})
		if err != nil {
			t.Fatal(err)
		}
		wantCheck(t, source, issue(t, newSource(t, at(0), secretA)), want)
	}
}

func TestTheRealClockIsTheDefault(t *testing.T) {
	source, err := nonce.New(nonce.Config{Secrets: [][]byte{secretA}})
	if err != nil {
		t.Fatal(err)
	}
	wantCheck(t, source, issue(t, source), true)
	wantCheck(t, source, issue(t, newSource(t, at(-100_000*time.Hour), secretA)), false)
}

func TestSecretsRotate(t *testing.T) {
	before := newSource(t, at(0), secretA)
	announced := newSource(t, at(0), secretA, secretB)
	switched := newSource(t, at(0), secretB, secretA)
	after := newSource(t, at(0), secretB)

	wantCheck(t, before, issue(t, announced), true)
	wantCheck(t, announced, issue(t, switched), true)
	wantCheck(t, switched, issue(t, before), true)
	wantCheck(t, switched, issue(t, announced), true)
	wantCheck(t, after, issue(t, switched), true)
	wantCheck(t, after, issue(t, before), false)
	wantCheck(t, before, issue(t, switched), false)
	wantCheck(t, newSource(t, at(0), secretC), issue(t, before), false)
}

// RFC 9449, Section 8.1: nonce = 1*NQCHAR.
func TestIssuedNonces(t *testing.T) {
	source := newSource(t, at(0), secretA)
	issued := issue(t, source)
	for _, c := range []byte(issued) {
		if c != 0x21 && (c < 0x23 || c > 0x5b) && (c < 0x5d || c > 0x7e) {
			t.Errorf("Issue() = %q holds %q, which is no NQCHAR", issued, c)
		}
	}
	raw, err := base64.RawURLEncoding.DecodeString(issued)
	if err != nil || len(raw) != 8+16 {
		t.Errorf("Issue() = %q has %d bytes (%v); want 8 of time and 16 of HMAC", issued, len(raw), err)
	}
	if other := issue(t, newSource(t, at(time.Second), secretA)); other == issued {
		t.Error("nonces of two seconds are equal")
	} else if strings.HasPrefix(other, issued[:16]) || other[16:] == issued[16:] {
		t.Errorf("nonces of two seconds are alike: %q, %q", issued, other)
	}
	if other := issue(t, newSource(t, at(0), secretB)); other == issued {
		t.Error("nonces of two secrets are equal")
	}
}

func TestCheckRefusesWhatWasNotIssued(t *testing.T) {
	source := newSource(t, at(0), secretA)
	issued := issue(t, source)
	for _, value := range []string{
		"",
		"x",
		issued[:len(issued)-1],
		issued + "A",
		issued + "=",
		issued + "\n",
		" " + issued[1:],
		"\n" + issued,
		issued[:16] + "\r\n" + issued[16:],
		issued[:15] + "\n" + issued[16:],
		strings.Repeat("\n", len(issued)),
		strings.ToUpper(issued),
		strings.Repeat("A", len(issued)),
		strings.Repeat("_", len(issued)),
		strings.Repeat("é", len(issued)/2),
		strings.Repeat("A", 1<<20),
	} {
		if ok, err := source.Check(t.Context(), value); ok || err != nil {
			t.Errorf("Check(%.40q) = %v, %v; want false", value, ok, err)
		}
	}
	raw, err := base64.RawURLEncoding.DecodeString(issued)
	if err != nil {
		t.Fatal(err)
	}
	for bit := range len(raw) * 8 {
		changed := bytes.Clone(raw)
		changed[bit/8] ^= 1 << (bit % 8)
		wantCheck(t, source, base64.RawURLEncoding.EncodeToString(changed), false)
	}
}

func TestNewValidates(t *testing.T) {
	eleven := make([][]byte, nonce.MaxSecrets+1)
	for i := range eleven {
		eleven[i] = secretA
	}
	tests := []struct {
		name   string
		config nonce.Config
		want   error
	}{
		{"no secret", nonce.Config{}, nonce.ErrSecrets},
		{"short secret", nonce.Config{Secrets: [][]byte{secretA[:31]}}, nonce.ErrSecrets},
		{"short second secret", nonce.Config{Secrets: [][]byte{secretA, secretB[:31]}}, nonce.ErrSecrets},
		{"empty second secret", nonce.Config{Secrets: [][]byte{secretA, nil}}, nonce.ErrSecrets},
		{"too many secrets", nonce.Config{Secrets: eleven}, nonce.ErrSecrets},
		{"negative lifetime", nonce.Config{Secrets: [][]byte{secretA}, Lifetime: -time.Minute}, nonce.ErrLifetime},
		{"too short a lifetime", nonce.Config{Secrets: [][]byte{secretA}, Lifetime: nonce.MinLifetime - 1}, nonce.ErrLifetime},
		{"too long a lifetime", nonce.Config{Secrets: [][]byte{secretA}, Lifetime: nonce.MaxLifetime + 1}, nonce.ErrLifetime},
		{"shortest lifetime", nonce.Config{Secrets: [][]byte{secretA}, Lifetime: nonce.MinLifetime}, nil},
		{"longest lifetime, most secrets", nonce.Config{Secrets: eleven[1:], Lifetime: nonce.MaxLifetime}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			source, err := nonce.New(test.config)
			if !errors.Is(err, test.want) || (source == nil) != (test.want != nil) {
				t.Errorf("New = %v, %v; want %v", source, err, test.want)
			}
		})
	}
}

func TestSecretsAreCopied(t *testing.T) {
	secret := bytes.Clone(secretA)
	secrets := [][]byte{secret}
	source := newSource(t, at(0), secrets...)
	secret[0] ^= 1
	secrets[0] = secretB
	wantCheck(t, source, issue(t, newSource(t, at(0), secretA)), true)
}

func TestConcurrentUse(t *testing.T) {
	source := newSource(t, at(0), secretA, secretB)
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			for range 50 {
				wantCheck(t, source, issue(t, source), true)
			}
		})
	}
	group.Wait()
}

func FuzzCheck(f *testing.F) {
	source := newSource(f, at(0), secretA)
	issued := issue(f, source)
	f.Add(issued)
	f.Add(issued[:10] + "\n" + issued[10:])
	f.Fuzz(func(t *testing.T, value string) {
		// Only the nonce of this very second is known to the corpus.
		wantCheck(t, source, value, value == issued)
	})
}

func BenchmarkCheck(b *testing.B) {
	source := newSource(b, at(0), secretA, secretB)
	issued := issue(b, source)
	b.ReportAllocs()
	for b.Loop() {
		wantCheck(b, source, issued, true)
	}
}

// TestNoncesAreNoPlainHMACOfATime, which something else that has the secret might
// make for others.
func TestNoncesAreNoPlainHMACOfATime(t *testing.T) {
	secret := bytes.Repeat([]byte{7}, nonce.MinSecretLength)
	now := time.Unix(1_750_000_000, 0)
	s, err := nonce.New(nonce.Config{Secrets: [][]byte{secret}, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	issued := binary.BigEndian.AppendUint64(nil, uint64(now.Unix()))
	mac := hmac.New(sha256.New, secret)
	mac.Write(issued)
	foreign := base64.RawURLEncoding.EncodeToString(mac.Sum(issued)[:24])
	if ok, _ := s.Check(t.Context(), foreign); ok {
		t.Error("a nonce of somebody else is good")
	}
}
