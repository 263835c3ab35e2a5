package revocation_test

import (
	"errors"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/reason"
)

// TestForgedListAfterAGoodOne: the keys are held, and a list by an unknown one makes
// them be fetched again. That they were fetched makes it no better.
func TestForgedListAfterAGoodOne(t *testing.T) {
	for name, header := range map[string]map[string]any{"an unknown kid": {"kid": "unknown"}, "no kid": {"kid": nil}, "its kid": nil} {
		p, other := newPublisher(t), newPublisher(t)
		p.set(200, p.list(1, []byte{1}, nil, nil))
		v := p.verifier(t, nil)
		token := p.at(0)
		why := func() verifier.Reason {
			_, err := v.VerifyAccessToken(t.Context(), token)
			var e *verifier.Error
			if errors.As(err, &e) {
				return e.Reason
			}
			return ""
		}
		if got := why(); got != reason.Revoked {
			t.Errorf("%s: %q; want %q", name, got, reason.Revoked)
		}
		p.set(200, other.list(1, []byte{0}, header, nil))
		p.clock.Advance(6 * time.Minute) // the list is fetched again, the keys are not
		for range 2 {
			if got := why(); got != reason.Revocation {
				t.Errorf("%s, forged: %q; want %q", name, got, reason.Revocation)
			}
		}
	}
}
