package verifier

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/portcullis-go/portcullis/internal/htu"
	"github.com/portcullis-go/portcullis/internal/jws"
	"github.com/portcullis-go/portcullis/internal/keyset"
	"github.com/portcullis-go/portcullis/internal/nonce"
	"github.com/portcullis-go/portcullis/internal/replay"
	"github.com/portcullis-go/portcullis/internal/strictjson"
	"github.com/portcullis-go/portcullis/verifier/reason"
)

// proofPolicy is DPoPConfig, validated.
type proofPolicy struct {
	maxAge, futureSkew time.Duration
	maxSize            int
	store              ReplayStore   // nil: replays are allowed
	storeTimeout       time.Duration // 0: none, for the default store does not wait
	failOpen           bool
	nonces             NonceSource
	headers            *jws.Headers // of proofs that were accepted
	keys               proofKeys
}

func (v *Verifier) applyDPoP(cfg *Config) error {
	d := &cfg.DPoP
	p := &v.proof
	if d.Mode < DPoPAllowed || d.Mode > DPoPDisabled {
		return invalid("DPoP.Mode", "is unknown")
	}
	var err error
	if v.proofAlgorithms, err = v.allow("DPoP.Algorithms", d.Algorithms, "ES256"); err != nil {
		return err
	}
	if p.maxSize, err = size("DPoP.MaxProofSize", d.MaxProofSize, v.proofAlgorithms.proofSize(), maxMaxProofSize); err != nil {
		return err
	}
	p.maxAge, p.futureSkew = d.MaxAge, d.FutureSkew
	switch {
	case d.MaxAge == 0:
		p.maxAge = defaultProofAge
	case d.MaxAge < time.Second || d.MaxAge > time.Hour:
		return invalid("DPoP.MaxAge", "is not between 1 s and 1 h")
	}
	switch {
	case d.FutureSkew == 0:
		p.futureSkew = defaultFutureSkew
	case d.FutureSkew < 0:
		p.futureSkew = 0
	case d.FutureSkew > maxLeeway:
		return invalid("DPoP.FutureSkew", "is more than 5 minutes")
	}
	p.failOpen, p.nonces, p.headers = d.AllowReplayStoreFailure, d.Nonces, jws.NewHeaders(maxProofKeys)
	return v.applyReplay(d)
}

func (v *Verifier) applyReplay(d *DPoPConfig) error {
	switch {
	case d.ReplayStoreTimeout < 0 || d.ReplayStoreTimeout > time.Minute:
		return invalid("DPoP.ReplayStoreTimeout", "is not between 0 and 1 minute")
	case d.ReplayStoreTimeout != 0 && d.ReplayStore == nil:
		return invalid("DPoP.ReplayStoreTimeout", "needs DPoP.ReplayStore")
	case d.AllowReplays && (d.ReplayStore != nil || d.AllowReplayStoreFailure || d.ReplayQuota != 0):
		return invalid("DPoP.AllowReplays", "contradicts the settings of the replay store")
	case d.ReplayStore != nil && d.ReplayQuota != 0:
		return invalid("DPoP.ReplayQuota", "is of the default store, which DPoP.ReplayStore replaces")
	case d.AllowReplays:
	case d.ReplayStore != nil:
		v.proof.store, v.proof.storeTimeout = d.ReplayStore, cmp.Or(d.ReplayStoreTimeout, defaultReplayStoreTimeout)
	default:
		quota, err := size("DPoP.ReplayQuota", d.ReplayQuota, defaultReplayQuota, replay.DefaultMaxEntries)
		if err != nil {
			return err
		}
		v.proof.store, err = replay.New(replay.Config{MaxPerPrefix: quota, Now: v.clock.Now})
		if err != nil {
			return invalid("DPoP.ReplayQuota", "does not fit the default store")
		}
	}
	return nil
}

// NonceConfig shapes the nonces of [NewNonceSource].
type NonceConfig struct {
	// Secrets, of at least 32 random bytes each, 10 at most: the first one
	// signs, all are accepted. Put a new one in front to rotate, and drop an
	// old one when Lifetime has passed. Instances that serve the same clients
	// need the same ones.
	Secrets [][]byte
	// Lifetime of a nonce, 10 s to 1 h. Default 5 minutes.
	Lifetime time.Duration
	// Clock; default time.Now.
	Clock Clock
}

// NewNonceSource returns a source of nonces that keeps no state: a nonce is
// its time of issue with an HMAC (RFC 9449, Section 9). The error matches
// [ErrConfig].
func NewNonceSource(cfg NonceConfig) (NonceSource, error) {
	now := time.Now
	if cfg.Clock != nil {
		now = cfg.Clock.Now
	}
	source, err := nonce.New(nonce.Config{Secrets: cfg.Secrets, Lifetime: cfg.Lifetime, Now: now})
	if err != nil {
		return nil, invalid("DPoP.Nonces", "needs 1 to 10 secrets of at least 32 bytes and a lifetime between 10 s and 1 h")
	}
	return source, nil
}

// ProofRequest is what a DPoP proof is checked against.
type ProofRequest struct {
	// Proof is the value of the DPoP header.
	Proof string
	// AccessToken that came with it.
	AccessToken string
	// Method of the request, in its exact case.
	Method string
	// URL of the request as the client sees it, absolute. Query and fragment do
	// not count.
	URL string
	// JWKThumbprint that the access token is bound to; "" leaves the check of
	// the binding to the caller.
	JWKThumbprint string
}

// VerifyDPoPProof checks a proof (RFC 9449, Section 4.3) by itself, replay and
// nonce included. The error is an [*Error].
func (v *Verifier) VerifyDPoPProof(ctx context.Context, req ProofRequest) (*Proof, error) {
	parsed, err := v.parseProof(req.Proof)
	if err != nil {
		return nil, v.challenge.attach(asError(err), SchemeDPoP)
	}
	if req.Method == "" || req.URL == "" {
		return nil, v.challenge.attach(refuse(reason.Argument), SchemeDPoP)
	}
	proof, err := v.checkProof(ctx, &parsed, &req)
	if err != nil {
		return nil, v.challenge.attach(asError(err), SchemeDPoP)
	}
	return proof, nil
}

// parseProof reads a proof without checking it.
func (v *Verifier) parseProof(compact string) (jws.Token, error) {
	if len(compact) > v.proof.maxSize {
		return jws.Token{}, refuseSize(reason.ProofTooLarge, v.proof.maxSize)
	}
	if strings.Contains(compact, ",") {
		return jws.Token{}, refuse(reason.ProofMultiple) // several field lines, joined
	}
	parsed, err := jws.Parse(compact, v.proof.headers, make([]strictjson.Member, 0, 8))
	if err != nil {
		return jws.Token{}, refuse(reason.ProofMalformed)
	}
	return parsed, nil
}

// checkProof does the checks of RFC 9449, Section 4.3, then the binding, the
// nonce, and last of all the replay record, so that nothing but an otherwise
// perfect proof is ever recorded.
func (v *Verifier) checkProof(ctx context.Context, parsed *jws.Token, req *ProofRequest) (*Proof, error) {
	key, err := v.checkProofSignature(parsed)
	if err != nil {
		return nil, err
	}
	proof := &Proof{JWKThumbprint: key.thumbprint}
	normal, err := v.checkProofClaims(parsed, proof, req)
	if err != nil {
		return nil, err
	}
	if req.JWKThumbprint != "" && !equalText(req.JWKThumbprint, key.thumbprint) {
		return nil, refuse(reason.BindingMismatch)
	}
	if err := v.checkNonce(ctx, proof); err != nil {
		return nil, err
	}
	if err := v.recordProof(ctx, proof, normal); err != nil {
		return nil, err
	}
	v.proof.headers.Remember(parsed.Header)
	v.proof.keys.remember(parsed.Header.Segment, key)
	return proof, nil
}

func (v *Verifier) checkProofSignature(parsed *jws.Token) (*proofKey, error) {
	key := v.proof.keys.get(parsed.Header.Segment)
	if key == nil {
		var err error
		if key, err = v.proofKey(parsed.Header); err != nil {
			return nil, err
		}
	}
	if !key.key.Verify(key.algorithm, parsed.SigningInput, parsed.Signature) {
		return nil, refuse(reason.ProofSignature)
	}
	return key, nil
}

// proofKey reads the key that a proof names for itself (RFC 9449, Section 4.2).
func (v *Verifier) proofKey(h *jws.Header) (*proofKey, error) {
	kind := h.Type
	if i := len("application/"); len(kind) > i && strings.EqualFold(kind[:i], "application/") {
		kind = kind[i:] // RFC 7515, Section 4.1.9
	}
	if !strings.EqualFold(kind, "dpop+jwt") {
		return nil, refuse(reason.ProofType)
	}
	algorithm := v.proofAlgorithms.find(h.Algorithm)
	if algorithm == nil {
		return nil, refuse(reason.ProofAlgorithm)
	}
	members, ok := h.JWK.Members(nil)
	if !ok {
		return nil, refuse(reason.ProofKey)
	}
	key, err := keyset.ParseKey(members, v.known)
	if err != nil || !key.Fits(algorithm) || !keyset.ForSignatures(members) || !key.Ready(algorithm) {
		return nil, refuse(reason.ProofKey)
	}
	return &proofKey{key: key, algorithm: algorithm, thumbprint: key.Thumbprint()}, nil
}

// checkProofClaims fills the proof and returns the normal form of the URL.
func (v *Verifier) checkProofClaims(parsed *jws.Token, proof *Proof, req *ProofRequest) (normal string, err error) {
	text := func(name string) (value string) {
		value, ok := strictjson.Find(parsed.Members, name).Text()
		if !ok || value == "" {
			err = refuseClaim(reason.ProofClaim, name)
		}
		return value
	}
	proof.ID, proof.Method, proof.URL = text("jti"), text("htm"), text("htu")
	ath := text("ath")
	var ok bool
	if proof.IssuedAt, ok = strictjson.Find(parsed.Members, "iat").Time(); !ok {
		err = refuseClaim(reason.ProofClaim, "iat")
	}
	if n := strictjson.Find(parsed.Members, "nonce"); n.Kind() != strictjson.Invalid {
		// Where nonces are in use, what is no text matches none of them, and the
		// answer provides one (RFC 9449, Section 9).
		if proof.Nonce, ok = n.Text(); !ok && v.proof.nonces == nil {
			err = refuseClaim(reason.ProofClaim, "nonce")
		}
	}
	if err != nil {
		return "", err
	}
	if proof.Method != req.Method { // RFC 9110, Section 9.1: case-sensitive
		return "", refuse(reason.ProofMethod)
	}
	if normal, err = htu.Normalize(req.URL); err != nil {
		return "", refuse(requestURLFault(req.URL))
	}
	if claimed, err := htu.Normalize(proof.URL); err != nil || claimed != normal {
		return "", refuse(reason.ProofURL)
	}
	if now := v.clock.Now(); now.Sub(proof.IssuedAt) > v.proof.maxAge || proof.IssuedAt.Sub(now) > v.proof.futureSkew {
		return "", refuse(reason.ProofIssuedAt)
	}
	if !equalText(ath, tokenHash(req.AccessToken)) {
		return "", refuse(reason.ProofTokenHash)
	}
	return normal, nil
}

// tokenHash is the ath of a token (RFC 9449, Section 4.2).
func tokenHash(token string) string {
	sum := sum256(token)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// requestURLFault tells a caller that gives no absolute http URL from a client
// that asked for a path no valid URL has.
func requestURLFault(raw string) Reason {
	scheme, rest, found := strings.Cut(raw, "://")
	if found && rest != "" && (strings.EqualFold(scheme, "https") || strings.EqualFold(scheme, "http")) {
		return reason.ProofURL
	}
	return reason.Argument
}

// checkNonce demands a nonce once nonces are in use, and provides the next one
// (RFC 9449, Section 9).
func (v *Verifier) checkNonce(ctx context.Context, proof *Proof) error {
	if v.proof.nonces == nil {
		return nil
	}
	why := reason.NonceRequired
	if proof.Nonce != "" {
		ok, err := guard(func() (bool, error) { return v.proof.nonces.Check(ctx, proof.Nonce) })
		if err != nil {
			return undecided(reason.NonceSource, err, 0)
		}
		why = reason.NonceNotAccepted
		if ok {
			why = ""
		}
	}
	next, err := guard(func() (string, error) { return v.proof.nonces.Issue(ctx) })
	if err == nil && !legalNonce(next) {
		err = errNonce
	}
	if err != nil {
		return undecided(reason.NonceSource, err, 0)
	}
	if why != "" {
		e := refuse(why)
		e.DPoPNonce = next
		return e
	}
	proof.NextNonce = next
	return nil
}

var (
	errNonce = errors.New("verifier: the nonce source issued a nonce with illegal characters")
	errPanic = errors.New("verifier: panic in a nonce source or replay store")
)

// legalNonce: 1*NQCHAR (RFC 9449, Section 8.1).
func legalNonce(nonce string) bool {
	for i := range len(nonce) {
		if c := nonce[i]; c < 0x21 || c > 0x7e || c == '"' || c == '\\' {
			return false
		}
	}
	return nonce != ""
}

// guard turns a panic of other people's code into an error.
func guard[T any](f func() (T, error)) (value T, err error) {
	defer func() {
		if recover() != nil {
			err = errPanic
		}
	}()
	return f()
}

// replaySlack is added to how long a proof is remembered: the last instant at
// which it is accepted still counts.
const replaySlack = time.Second

// recordProof refuses a proof that was used before (RFC 9449, Section 11.1).
func (v *Verifier) recordProof(ctx context.Context, proof *Proof, normal string) error {
	if v.proof.store == nil {
		return nil
	}
	ttl := proof.IssuedAt.Add(v.proof.maxAge).Sub(v.clock.Now()) + v.leeway + replaySlack
	key := replayKey(proof, normal)
	if v.proof.storeTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, v.proof.storeTimeout)
		defer cancel()
	}
	added, err := guard(func() (bool, error) { return v.proof.store.Add(ctx, key, ttl) })
	if err != nil {
		var quota interface{ QuotaExceeded() bool }
		if errors.As(err, &quota) && quota.QuotaExceeded() {
			return refuse(reason.ProofQuota)
		}
		v.observe(Event{Kind: EventReplayFault, Err: err})
		if v.proof.failOpen {
			return nil
		}
		return undecided(reason.ReplayStore, err, 0)
	}
	if !added {
		v.observe(Event{Kind: EventReplay})
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

// proofKey is the parsed key of a proof's header.
type proofKey struct {
	key        *keyset.Key
	algorithm  *keyset.Algorithm
	thumbprint string
}

// maxProofKeys is how many keys of clients are remembered.
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
	if k.count.Add(1) > maxProofKeys {
		k.m.Clear()
		k.count.Store(0)
	}
}
