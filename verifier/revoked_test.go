package verifier_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/reason"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// blacklist is a RevocationChecker that remembers what it was asked about.
type blacklist struct {
	mu      sync.Mutex
	asked   []verifier.RevocationRequest
	revoked bool
	err     error
	before  func(context.Context)
}

func (b *blacklist) Revoked(ctx context.Context, token verifier.RevocationRequest) (bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked = append(b.asked, token)
	if b.before != nil {
		b.before(ctx)
	}
	return b.revoked, b.err
}

func newRevoked(t *testing.T, b *blacklist, change func(*verifier.Config)) *office {
	return newOffice(t, func(c *verifier.Config) {
		c.Revocation.Checker = b
		c.Decryption.Keys = []verifier.DecryptionKey{{ID: "k1", Private: tokensKey}}
		if change != nil {
			change(c)
		}
	})
}

// Tokens of every form are asked about, remembered ones at every use.
func TestEveryGoodTokenIsAskedAbout(t *testing.T) {
	for _, memo := range []int{0, 10} {
		b := &blacklist{}
		o := newRevoked(t, b, func(c *verifier.Config) { c.TokenMemo = memo })
		for name, token := range map[string]string{
			"JWT": o.issuer.Sign(tokensAPI, nil), "encrypted": o.issuer.SignEncrypted(to("k1"), tokensAPI, nil), "opaque": o.opaque("abc", nil),
		} {
			for range 3 {
				before := len(b.asked)
				b.revoked = false
				o.verify(t, token, "")
				b.revoked = true
				o.verify(t, token, reason.Revoked)
				if len(b.asked) != before+2 {
					t.Errorf("%s, memo of %d: asked %d times for two uses", name, memo, len(b.asked)-before)
				}
			}
		}
	}
}

func TestWhatARevocationCheckerSees(t *testing.T) {
	b := &blacklist{}
	o := newRevoked(t, b, func(c *verifier.Config) { c.Issuers[0].Optional = []string{"iat"} })
	o.verify(t, o.issuer.Sign(tokensAPI, map[string]any{"jti": "j", "sub": "s", "sid": "d", "status": "x"}), "")
	now := o.clock.Now().Truncate(time.Second)
	got := b.asked[0]
	if got.Issuer != officeName || got.ID != "j" || got.Subject != "s" || got.SessionID != "d" || !got.IssuedAt.Equal(now) || !got.ExpiresAt.Equal(now.Add(time.Hour)) || got.Token.Claims()["status"] != "x" {
		t.Errorf("the checker saw %+v", got)
	}
	o.verify(t, o.issuer.Sign(tokensAPI, map[string]any{"iat": nil, "jti": nil}), "")
	if got := b.asked[1]; !got.IssuedAt.IsZero() || got.ID != "" {
		t.Errorf("of a token without iat the checker saw %v", got.IssuedAt)
	}
}

func TestTokensThatFailAreNotAskedAbout(t *testing.T) {
	b := &blacklist{}
	o := newRevoked(t, b, nil)
	good := o.issuer.Sign(tokensAPI, nil)
	for _, token := range []string{
		good[:len(good)-86] + "AAAA", o.issuer.Sign(tokensAPI, map[string]any{"exp": 1}), o.issuer.Sign("https://other.example.com/", nil), "unknown", "a.b.c.d.e",
	} {
		if _, err := o.VerifyAccessToken(t.Context(), token); err == nil || len(b.asked) > 0 {
			t.Errorf("%.20q: %v after %d questions; want none", token, err, len(b.asked))
		}
	}
}

// A revoked token uses up no proof, and no undecided one does.
func TestRevocationIsJudgedBeforeTheReplayRecord(t *testing.T) {
	b := &blacklist{}
	store := verifiertest.NewReplayStore(nil)
	o := newRevoked(t, b, func(c *verifier.Config) { c.DPoP.ReplayStore = store })
	client := verifiertest.NewDPoPClient(t, o.clock, "")
	token := o.issuer.Sign(tokensAPI, map[string]any{"cnf": client.Confirmation()})
	proof := client.Proof("GET", tokensAPI, token)
	request := func() verifier.Reason {
		_, err := o.VerifyRequest(t.Context(), verifier.Request{Method: "GET", URL: tokensAPI, Header: http.Header{"Authorization": {"DPoP " + token}, "Dpop": {proof}}})
		return reasonOf(t, err)
	}
	b.revoked = true
	if got := request(); got != reason.Revoked || store.Calls("Add") != 0 {
		t.Errorf("revoked: %q, %d proofs recorded", got, store.Calls("Add"))
	}
	b.revoked, b.err = false, errors.New("down")
	if got := request(); got != reason.Revocation || store.Calls("Add") != 0 {
		t.Errorf("undecided: %q, %d proofs recorded", got, store.Calls("Add"))
	}
	b.err = nil
	if got := request(); got != "" || store.Calls("Add") != 1 {
		t.Errorf("good: %q, %d proofs recorded", got, store.Calls("Add"))
	}
}

func TestRevocationThatCannotBeDecided(t *testing.T) {
	hang := func(ctx context.Context) { <-ctx.Done() }
	for name, b := range map[string]*blacklist{
		"error": {err: errors.New("down")}, "panic": {before: func(context.Context) { panic("boom") }}, "time-out": {before: hang, err: context.DeadlineExceeded},
	} {
		for _, open := range []bool{false, true} {
			var events []verifier.Event
			o := newRevoked(t, b, func(c *verifier.Config) {
				c.Revocation.AllowFailure, c.Revocation.Timeout = open, 20*time.Millisecond
				c.Observer = verifier.ObserverFunc(func(e verifier.Event) { events = append(events, e) })
			})
			_, err := o.VerifyAccessToken(t.Context(), o.issuer.Sign(tokensAPI, nil))
			switch {
			case open && err != nil:
				t.Errorf("%s, configured open: %v", name, err)
			case !open && (!errors.Is(err, verifier.ErrUnavailable) || reasonOf(t, err) != reason.Revocation):
				t.Errorf("%s: %v; want 503", name, err)
			}
			told := false
			for _, e := range events {
				told = told || e.Kind == verifier.EventRevocationFault && e.Issuer == officeName
			}
			if !told {
				t.Errorf("%s: no event tells of the fault", name)
			}
		}
	}
	// What is known to be revoked is refused, whatever else failed.
	o := newRevoked(t, &blacklist{revoked: true, err: errors.New("half down")}, func(c *verifier.Config) { c.Revocation.AllowFailure = true })
	o.verify(t, o.issuer.Sign(tokensAPI, nil), reason.Revoked)
}

func TestRevocationConfig(t *testing.T) {
	for name, r := range map[string]verifier.RevocationConfig{
		"no checker": {AllowFailure: true}, "nil pointer": {Checker: (*blacklist)(nil)}, "time-out": {Checker: &blacklist{}, Timeout: time.Hour},
	} {
		if _, err := verifier.New(verifier.Config{Domain: officeName, Audience: tokensAPI, Revocation: r}); !errors.Is(err, verifier.ErrConfig) {
			t.Errorf("%s: New = %v; want ErrConfig", name, err)
		}
	}
}
