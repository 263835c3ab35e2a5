package revocation_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/revocation"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// storedKey is the name of a denial, which all releases of a fleet share.
func storedKey(claim, issuer, value string) string {
	h := sha256.New()
	for _, text := range []string{claim, issuer, value} {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(text))))
		h.Write([]byte(text))
	}
	return "portcullis:revoked:1:" + base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// noting is a store that notes what it is asked for.
type noting struct {
	verifier.RevocationStore
	asked [][]string
}

func (n *noting) Revoked(ctx context.Context, keys []string) ([]time.Time, error) {
	n.asked = append(n.asked, slices.Clone(keys))
	return n.RevocationStore.Revoked(ctx, keys)
}

// TestKeysOfDenials: those of the names that a token has, and of no others.
func TestKeysOfDenials(t *testing.T) {
	jti, sid, sub := storedKey("jti", issuerName, "token-1"), storedKey("sid", issuerName, "session-1"), storedKey("sub", issuerName, "user-1")
	for name, c := range map[string]struct {
		change func(*verifier.RevocationRequest)
		want   [][]string
	}{
		"all":        {nil, [][]string{{jti, sid, sub}}},
		"jti alone":  {func(r *verifier.RevocationRequest) { r.SessionID, r.Subject = "", "" }, [][]string{{jti}}},
		"sid alone":  {func(r *verifier.RevocationRequest) { r.ID, r.Subject = "", "" }, [][]string{{sid}}},
		"sub alone":  {func(r *verifier.RevocationRequest) { r.ID, r.SessionID = "", "" }, [][]string{{sub}}},
		"none":       {func(r *verifier.RevocationRequest) { r.ID, r.SessionID, r.Subject = "", "", "" }, nil},
		"by a URN":   {func(r *verifier.RevocationRequest) { r.Issuer, r.SessionID, r.Subject = "urn:x", "", "" }, [][]string{{storedKey("jti", "urn:x", "token-1")}}},
		"other case": {func(r *verifier.RevocationRequest) { r.Issuer = "ID.example.com" }, [][]string{{jti, sid, sub}}},
	} {
		store := &noting{RevocationStore: verifiertest.NewRevocationStore(nil)}
		if revoked, err := newList(t, store, verifiertest.NewClock(start)).Revoked(t.Context(), request(c.change)); revoked || err != nil {
			t.Errorf("%s: %v, %v", name, revoked, err)
		}
		if !slices.EqualFunc(store.asked, c.want, slices.Equal) {
			t.Errorf("%s: asked for %q; want %q", name, store.asked, c.want)
		}
	}
}

// TestDenialsOfOneName deny a token that has no other, and whenever it was issued, but
// for that of a subject.
func TestDenialsOfOneName(t *testing.T) {
	later := start.Add(30 * time.Second)
	for name, c := range map[string]struct {
		revoke func(*revocation.List) error
		change func(*verifier.RevocationRequest)
		want   bool
	}{
		"jti": {func(l *revocation.List) error { return l.RevokeToken(context.Background(), issuerName, "token-1") },
			func(r *verifier.RevocationRequest) { r.SessionID, r.Subject = "", "" }, true},
		"sid": {func(l *revocation.List) error { return l.RevokeSession(context.Background(), issuerName, "session-1") },
			func(r *verifier.RevocationRequest) { r.ID, r.Subject = "", "" }, true},
		"sid, beside a sub": {func(l *revocation.List) error { return l.RevokeSession(context.Background(), issuerName, "session-1") },
			nil, true},
		"sub": {func(l *revocation.List) error {
			return l.RevokeSubject(context.Background(), issuerName, "user-1", start)
		},
			func(r *verifier.RevocationRequest) { r.ID, r.SessionID = "", "" }, false},
		"sub, at the time": {func(l *revocation.List) error {
			return l.RevokeSubject(context.Background(), issuerName, "user-1", later)
		},
			func(r *verifier.RevocationRequest) { r.ID, r.SessionID = "", "" }, true},
	} {
		clock := verifiertest.NewClock(start)
		l := newList(t, verifiertest.NewRevocationStore(clock), clock)
		if err := c.revoke(l); err != nil {
			t.Fatal(err)
		}
		got, err := l.Revoked(t.Context(), request(func(r *verifier.RevocationRequest) {
			r.IssuedAt = later
			if c.change != nil {
				c.change(r)
			}
		}))
		if err != nil || got != c.want {
			t.Errorf("%s, issued later: %v, %v; want %v", name, got, err, c.want)
		}
	}
}

// TestNamesThatRunTogether: where the name of an issuer ends, what is revoked begins.
func TestNamesThatRunTogether(t *testing.T) {
	zeros := strings.Repeat("\x00", 8)
	for _, c := range [][4]string{{"urn:ab", "c", "urn:a", "bc"}, {"urn:a", "b" + zeros + "c", "urn:a" + zeros + "b", "c"}, {"urn:a", "x", "urn:b", "x"}} {
		clock := verifiertest.NewClock(start)
		l := newList(t, verifiertest.NewRevocationStore(clock), clock)
		if err := l.RevokeToken(t.Context(), c[0], c[1]); err != nil {
			t.Fatal(err)
		}
		for n, want := range []bool{true, false} {
			ask := request(func(r *verifier.RevocationRequest) { r.Issuer, r.ID = c[2*n], c[2*n+1] })
			if got, err := l.Revoked(t.Context(), ask); got != want || err != nil {
				t.Errorf("%q of %q: %v, %v; want %v", ask.ID, ask.Issuer, got, err, want)
			}
		}
	}
}

// TestNothingIsRevokedBesideAnError, which is for the Verifier to judge.
func TestNothingIsRevokedBesideAnError(t *testing.T) {
	clock := verifiertest.NewClock(start.Add(30 * time.Minute))
	l := newList(t, verifiertest.NewRevocationStore(clock), clock)
	long := request(func(r *verifier.RevocationRequest) { r.ExpiresAt = start.Add(time.Hour + time.Second) }) // 31 minutes from now
	if got, err := l.Revoked(t.Context(), long); got || !errors.Is(err, revocation.ErrTokenLife) {
		t.Errorf("a token that lives too long by its iat: %v, %v; want ErrTokenLife", got, err)
	}
	for _, store := range []verifier.RevocationStore{shortStore{}, longStore{}} {
		if got, err := newList(t, store, clock).Revoked(t.Context(), request(nil)); got || err == nil {
			t.Errorf("a store that does not answer for each key: %v, %v; want an error", got, err)
		}
	}
}

type longStore struct{ verifier.RevocationStore }

func (longStore) Revoked(_ context.Context, keys []string) ([]time.Time, error) {
	return make([]time.Time, len(keys)+1), nil
}

// TestBoundsOfMaxTokenLife: one second to 366 days.
func TestBoundsOfMaxTokenLife(t *testing.T) {
	const longest = 366 * 24 * time.Hour
	for life, ok := range map[time.Duration]bool{time.Second - 1: false, time.Second: true, longest: true, longest + 1: false} {
		_, err := revocation.NewList(revocation.ListConfig{Store: verifiertest.NewRevocationStore(nil), MaxTokenLife: life})
		if (err == nil) != ok || err != nil && !errors.Is(err, revocation.ErrConfig) {
			t.Errorf("MaxTokenLife %v: %v; want accepted %v", life, err, ok)
		}
	}
}
