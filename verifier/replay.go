package verifier

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"time"

	"github.com/portcullis-go/portcullis/internal/foreign"
	"github.com/portcullis-go/portcullis/verifier/reason"
)

// replaySlack is added to how long a proof is remembered: the last instant at
// which it is accepted still counts, and a clock that is set back by less does
// not make it acceptable again.
const replaySlack = 30 * time.Second

// recordProof refuses a proof that was used before (RFC 9449, Section 11.1).
func (p *proofs) record(ctx context.Context, proof *Proof, normal string) error {
	if p.store == nil {
		return nil
	}
	ttl := proof.IssuedAt.Add(p.maxAge).Sub(p.clock.Now()) + replaySlack
	key := replayKey(proof, normal)
	if p.storeTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.storeTimeout)
		defer cancel()
	}
	added, err := foreign.Call(ctx, func() (bool, error) { return p.store.Add(ctx, key, ttl) })
	if err != nil {
		var quota interface{ QuotaExceeded() bool }
		if errors.As(err, &quota) && quota.QuotaExceeded() {
			return refuse(reason.ProofQuota)
		}
		p.tell(Event{Kind: EventReplayFault, Err: err})
		if p.failOpen {
			return nil
		}
		return undecided(reason.ReplayStore, err, 0)
	}
	if !added {
		p.tell(Event{Kind: EventReplay})
		return refuse(reason.ProofReplayed)
	}
	return nil
}

// replayKey names a proof: the part before the dot its key, the part behind it
// its identifier in the context of its method and URL.
func replayKey(proof *Proof, normal string) string {
	var space [stackText]byte
	context := space[:0]
	for _, part := range [...]string{proof.ID, proof.Method, normal} {
		context = binary.BigEndian.AppendUint64(context, uint64(len(part)))
		context = append(context, part...)
	}
	of, what := sum256(proof.JWKThumbprint), sha256.Sum256(context)
	var text [2 * sha256.Size * 2]byte
	key := base64.RawURLEncoding.AppendEncode(text[:0], of[:])
	key = base64.RawURLEncoding.AppendEncode(append(key, '.'), what[:])
	return string(key)
}
