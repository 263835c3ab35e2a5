package verifier

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/portcullis-go/portcullis/internal/jws"
	"github.com/portcullis-go/portcullis/internal/keyset"
	"github.com/portcullis-go/portcullis/internal/replay"
)

// DPoPMode says which schemes are accepted.
type DPoPMode int

const (
	DPoPAllowed  DPoPMode = iota // Bearer and DPoP
	DPoPRequired                 // DPoP only
	DPoPDisabled                 // Bearer only
)

const defaultProofAlgorithm = "ES256"

// DPoPConfig says how DPoP proofs (RFC 9449) are treated.
type DPoPConfig struct {
	// Mode is DPoPAllowed by default. A token that is bound to a key is refused
	// as Bearer in every mode.
	Mode DPoPMode
	// Algorithms are the allowed signature algorithms of proofs. Default ES256.
	Algorithms []string
	// MaxAge is how old a proof may be. Default 300 s, at most 1 hour.
	MaxAge time.Duration
	// FutureSkew is how far in the future iat may be. Default 30 s; negative
	// means none; at most 5 minutes.
	FutureSkew time.Duration
	// MaxProofSize in bytes, at most 64 KiB. Default 8 KiB; 16 KiB when
	// Algorithms has one that the standard library lacks: a proof holds a public
	// key and a signature, which are longer there.
	MaxProofSize int
	// ReplayStore remembers the proofs that were used. Default: a store of this
	// process for a million proofs, of which ReplayQuota may be of one key. A
	// fleet needs a shared store.
	ReplayStore ReplayStore
	// ReplayQuota bounds the proofs of one key in the default store. Default
	// 10,000, which is a little more than 30 a second.
	ReplayQuota int
	// ReplayStoreTimeout bounds one call of ReplayStore, within the context of
	// the request: a store that hangs must not hold requests for as long as
	// their clients wait. Default 2 s, at most 1 minute.
	ReplayStoreTimeout time.Duration
	// AllowReplays switches the check for replays off. RFC 9449, Section 11.1
	// has what that means.
	AllowReplays bool
	// AllowReplayStoreFailure accepts proofs while the store fails; by default
	// they are answered with 503.
	AllowReplayStoreFailure bool
	// Nonces makes clients use nonces (RFC 9449, Section 9). Default none.
	// [NewNonceSource] makes a stateless one.
	Nonces NonceSource
}

const (
	defaultProofAge     = 300 * time.Second
	maxProofAge         = time.Hour
	defaultFutureSkew   = 30 * time.Second
	maxFutureSkew       = 5 * time.Minute
	defaultMaxProofSize = 8 << 10
	minMaxProofSize     = 256 // less holds no proof
	maxMaxProofSize     = 64 << 10

	defaultReplayQuota        = 10_000
	defaultReplayStoreTimeout = 2 * time.Second
	maxReplayStoreTimeout     = time.Minute
)

// newProofs checks a DPoPConfig.
func newProofs(m *mistakes, d *DPoPConfig, known *keyset.Algorithms, clock Clock, watch watcher) *proofs {
	if d.Mode < DPoPAllowed || d.Mode > DPoPDisabled {
		m.add("DPoP.Mode", "is not one of the modes of this package")
	}
	names := d.Algorithms
	if len(names) == 0 {
		names = []string{defaultProofAlgorithm}
	}
	algorithms := m.algorithms("DPoP.Algorithms", names, known)
	p := &proofs{
		known:      known,
		algorithms: algorithms,
		maxSize:    m.size("DPoP.MaxProofSize", d.MaxProofSize, algorithms.proofSize(), minMaxProofSize, maxMaxProofSize),
		maxAge:     m.duration("DPoP.MaxAge", d.MaxAge, bounds{byDefault: defaultProofAge, min: time.Second, max: maxProofAge}),
		futureSkew: m.duration("DPoP.FutureSkew", d.FutureSkew, bounds{byDefault: defaultFutureSkew, min: leastUnit, max: maxFutureSkew, optional: true}),
		failOpen:   d.AllowReplayStoreFailure,
		nonces:     d.Nonces,
		headers:    jws.NewHeaders(maxProofKeys),
		clock:      clock,
		watcher:    watch,
	}
	if d.Nonces != nil && isNil(d.Nonces) {
		m.add("DPoP.Nonces", "is a nil pointer")
	}
	p.store, p.storeTimeout = m.replayStore(d, clock)
	return p
}

// proofSize is the bound on proofs by default. Keys and signatures of
// algorithms that the standard library lacks tend to be long.
func (l algorithmList) proofSize() int {
	if slices.ContainsFunc(l, (*keyset.Algorithm).OnlyOutside) {
		return 2 * defaultMaxProofSize
	}
	return defaultMaxProofSize
}

// replayStore returns nil where replays are allowed. The default store does not
// wait, and needs no time-out.
func (m *mistakes) replayStore(d *DPoPConfig, clock Clock) (ReplayStore, time.Duration) {
	timeout := m.duration("DPoP.ReplayStoreTimeout", d.ReplayStoreTimeout, bounds{min: leastUnit, max: maxReplayStoreTimeout})
	switch {
	case d.ReplayStoreTimeout != 0 && d.ReplayStore == nil:
		m.add("DPoP.ReplayStoreTimeout", "needs DPoP.ReplayStore; the default store does not wait")
	case d.AllowReplays && (d.ReplayStore != nil || d.AllowReplayStoreFailure || d.ReplayQuota != 0):
		m.add("DPoP.AllowReplays", "contradicts the settings of the replay store; leave either out")
	case d.ReplayStore != nil && d.ReplayQuota != 0:
		m.add("DPoP.ReplayQuota", "is of the default store, which DPoP.ReplayStore replaces; set the quota of that store")
	case d.ReplayStore != nil && isNil(d.ReplayStore):
		m.add("DPoP.ReplayStore", "is a nil pointer")
	case d.AllowReplays:
	case d.ReplayStore != nil:
		return d.ReplayStore, cmp.Or(timeout, defaultReplayStoreTimeout)
	default:
		quota := m.size("DPoP.ReplayQuota", d.ReplayQuota, defaultReplayQuota, 1, replay.DefaultMaxEntries)
		store, err := replay.New(replay.Config{MaxPerPrefix: quota, Now: clock.Now})
		if err != nil {
			m.add("DPoP.ReplayQuota", "does not fit the default store")
		}
		return store, 0
	}
	return nil, 0
}

// proofs checks DPoP proofs: a DPoPConfig, compiled.
type proofs struct {
	known              *keyset.Algorithms
	algorithms         algorithmList
	maxAge, futureSkew time.Duration
	maxSize            int
	store              ReplayStore   // nil: replays are allowed
	storeTimeout       time.Duration // 0: none, for the default store does not wait
	failOpen           bool
	nonces             NonceSource
	headers            *jws.Headers // of proofs that were accepted
	keys               proofKeys
	clock              Clock
	watcher
}

// proofKey is the parsed key of a proof's header.
type proofKey struct {
	key        *keyset.Key
	algorithm  *keyset.Algorithm
	thumbprint string
}

// maxProofKeys is how many keys of clients are remembered; see jws.Weight.
const maxProofKeys = 4096

// proofKeys remembers the keys of proofs that were accepted, by the text of
// their headers. The zero value is ready.
type proofKeys struct {
	count atomic.Int64
	m     sync.Map // string -> *proofKey
}

func (k *proofKeys) get(segment string) *proofKey {
	if key, ok := k.m.Load(segment); ok {
		return key.(*proofKey)
	}
	return nil
}

func (k *proofKeys) remember(segment string, key *proofKey) {
	if k.get(segment) != nil {
		return
	}
	if _, loaded := k.m.LoadOrStore(segment, key); loaded {
		return
	}
	if k.count.Add(jws.Weight(segment)) > maxProofKeys {
		k.m.Clear()
		k.count.Store(0)
	}
}
