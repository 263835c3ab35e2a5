package verifier

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"sync"

	"github.com/portcullis-go/portcullis/internal/jwe"
	"github.com/portcullis-go/portcullis/internal/jws"
	"github.com/portcullis-go/portcullis/internal/strictjson"
	"github.com/portcullis-go/portcullis/verifier/reason"
)

// VerifyRequest verifies the access token of a request, and the DPoP proof or
// the certificate that it is bound to. The error is an [*Error].
func (v *Verifier) VerifyRequest(ctx context.Context, req Request, opts ...VerifyOption) (*Token, error) {
	o := options{in: incoming{method: req.Method, url: req.URL, host: cmp.Or(req.Host, req.Header.Get("Host")), header: req.Header, certificate: req.ClientCertificate}}
	return v.verifyIncoming(ctx, &o, opts)
}

// VerifyHTTPRequest is VerifyRequest for a request that a server of net/http
// received. The request is not changed.
//
// A DPoP proof and some resolvers need the URL that the client used, and a token
// that is bound to a certificate needs that of the client. Where proxies change
// them, the configuration says who is believed:
//
//   - Config.ExternalURL replaces scheme, host and path prefix. Nothing of the
//     request can change it, and dot segments never lead out of the prefix.
//   - Config.TrustedProxies, and peers on Unix sockets with Config.TrustUnixPeers,
//     are believed the URL, in Forwarded (RFC 7239) or X-Forwarded-* header fields,
//     unless ExternalURL is set. Config.TrustAnyPeer must be set where the list
//     holds all addresses (0.0.0.0/0 or ::/0): nothing but the proxy may be able to
//     reach this API then.
//   - Config.ProxyFields says which fields count: Forwarded, or some of
//     X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host and X-Forwarded-Port.
//     Others are ignored. A request of a trusted proxy that has one of them must
//     have all.
//   - By default X-Forwarded-For and X-Forwarded-Proto count where they are there,
//     or else for and proto of Forwarded. Fields that name a host or port are
//     ignored, and the request's own Host counts, so that a client cannot choose
//     the host through a proxy that passes on what it does not know.
//   - With Config.ExternalHosts a request whose URL is needed and has another host
//     is refused, with and without proxies. Without ProxyFields the fields that
//     name a host or port count as well then.
//   - Config.ClientCertificate is asked only for requests of trusted proxies, of
//     which there must be some. For other peers the certificate of the TLS
//     connection counts, as it does by default: a certificate is public, and a
//     header field that anyone can write proves nothing.
//
// docs/dpop-behind-proxies.md has the settings for each proxy.
func (v *Verifier) VerifyHTTPRequest(r *http.Request, opts ...VerifyOption) (*Token, error) {
	o := options{in: incoming{method: r.Method, host: r.Host, header: r.Header, http: r, edge: v.edge}}
	return v.verifyIncoming(r.Context(), &o, opts)
}

func (v *Verifier) verifyIncoming(ctx context.Context, o *options, opts []VerifyOption) (*Token, error) {
	began := v.begin()
	for _, opt := range opts {
		opt(o)
	}
	t, scheme, err := v.authorize(ctx, o)
	if err != nil {
		err = v.answers.attach(asError(err), scheme)
	}
	v.finish(began, scheme, err)
	if err != nil {
		return nil, err
	}
	return t, nil
}

// authorize chooses between Bearer and DPoP and returns the scheme that a
// challenge is to answer to.
func (v *Verifier) authorize(ctx context.Context, o *options) (*Token, Scheme, error) {
	c, err := readCredentials(o.in.header, v.answers.mode)
	if err != nil {
		return nil, c.scheme, err
	}
	var t *Token
	if c.scheme == SchemeDPoP {
		t, err = v.authorizeDPoP(ctx, &c, o)
	} else {
		t, err = v.authorizeBearer(ctx, &c, o)
	}
	if err != nil {
		return nil, c.scheme, err
	}
	t.Scheme = c.scheme
	return t, c.scheme, nil
}

func (v *Verifier) authorizeBearer(ctx context.Context, c *credentials, o *options) (*Token, error) {
	t, err := v.verifyToken(ctx, c.token, o)
	switch {
	case err != nil:
		return nil, err
	case t.Confirmation.JWKThumbprint != "":
		return nil, refuse(reason.BoundTokenAsBearer) // RFC 9449, Section 7.2
	case len(c.proofs) > 0 && v.answers.mode != DPoPDisabled:
		return nil, refuse(reason.ProofUnexpected)
	default:
		return t, checkCertificate(t, &o.in)
	}
}

func (v *Verifier) authorizeDPoP(ctx context.Context, c *credentials, o *options) (*Token, error) {
	switch {
	case len(c.proofs) == 0 || len(c.proofs) == 1 && c.proofs[0] == "":
		return nil, refuse(reason.ProofMissing)
	case len(c.proofs) > 1:
		return nil, refuse(reason.ProofMultiple) // RFC 9449, Section 4.3, item 1
	}
	proof, err := v.proofs.parse(c.proofs[0])
	if err != nil {
		return nil, err
	}
	url, err := o.in.requestURL()
	if err != nil {
		return nil, err
	}
	if url == "" || o.in.method == "" {
		return nil, refuse(reason.Argument)
	}
	t, err := v.verifyToken(ctx, c.token, o)
	if err != nil {
		return nil, err
	}
	if t.Confirmation.JWKThumbprint == "" {
		return nil, refuse(reason.BindingMissing)
	}
	if err := checkCertificate(t, &o.in); err != nil {
		return nil, err // before the proof is used up
	}
	t.Proof, err = v.proofs.check(ctx, &proof, &ProofRequest{
		AccessToken: c.token, Method: o.in.method, URL: url, JWKThumbprint: t.Confirmation.JWKThumbprint,
	})
	if err != nil {
		return nil, err
	}
	return t, nil
}

// VerifyAccessToken verifies a token that came some other way than in the
// Authorization header of a request.
//
// It cannot check what a token is bound to: if Token.Confirmation is not zero,
// the caller must check the key or certificate of the sender, or refuse (RFC
// 9449, Section 7.2). [Verifier.VerifyRequest] does all of that.
//
// The error is an [*Error].
func (v *Verifier) VerifyAccessToken(ctx context.Context, token string, opts ...VerifyOption) (*Token, error) {
	began := v.begin()
	var o options
	if len(opts) > 0 { // o stays on the stack
		o.required, o.audiences, o.in.url, o.in.header, o.in.host = collect(opts)
	}
	t, err := v.verifyToken(ctx, token, &o)
	v.finish(began, "", err)
	if err != nil {
		e := asError(err)
		e.answers, e.scheme = v.answers, preferredScheme(v.answers.mode)
		return nil, e
	}
	return t, nil
}

func collect(opts []VerifyOption) (required, audiences []string, url string, header http.Header, host string) {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	return o.required, o.audiences, o.in.url, o.in.header, o.in.host
}

// VerifyDPoPProof checks a proof (RFC 9449, Section 4.3) by itself, replay and
// nonce included. The error is an [*Error].
func (v *Verifier) VerifyDPoPProof(ctx context.Context, req ProofRequest) (*Proof, error) {
	parsed, err := v.proofs.parse(req.Proof)
	if err != nil {
		return nil, v.answers.attach(asError(err), SchemeDPoP)
	}
	if req.Method == "" || req.URL == "" {
		return nil, v.answers.attach(refuse(reason.Argument), SchemeDPoP)
	}
	proof, err := v.proofs.check(ctx, &parsed, &req)
	if err != nil {
		return nil, v.answers.attach(asError(err), SchemeDPoP)
	}
	return proof, nil
}

// verifyToken does steps 2 to 6 for a token; the outcome is a token or an
// *Error.
func (v *Verifier) verifyToken(ctx context.Context, compact string, o *options) (*Token, error) {
	if len(compact) > v.maxToken {
		return nil, refuseSize(reason.TokenTooLarge, v.maxToken)
	}
	t, err := v.verifyAny(ctx, compact, o)
	if err != nil {
		return nil, err
	}
	if err := v.revocations.check(ctx, t); err != nil {
		return nil, err
	}
	return t, nil
}

// verifyAny verifies a token of any form.
func (v *Verifier) verifyAny(ctx context.Context, compact string, o *options) (*Token, error) {
	switch {
	case isOpaque(compact), v.gate.mayIntrospect() && jwe.IsOfItsMaker(compact):
		return v.verifyOpaque(ctx, compact, o)
	case v.memo != nil:
		return v.verifyRemembered(ctx, compact, o)
	default:
		t, _, err := v.verifyFresh(ctx, compact, found{}, o)
		return t, err
	}
}

// found is what the memo has found for a request already; the zero value is
// nothing.
type found struct {
	policy *policy
	keys   heldKeys
}

// verifyFresh verifies a JWT from its text alone: one that is encrypted is opened
// first, and judged by what is inside.
func (v *Verifier) verifyFresh(ctx context.Context, sent string, f found, o *options) (*Token, provenance, error) {
	compact, sealed := sent, (*sealedBy)(nil)
	if jwe.IsEncrypted(sent) {
		inner, keyID, err := v.opener.open(ctx, sent)
		if err != nil {
			return nil, provenance{}, err
		}
		compact, sealed = inner, &sealedBy{keyID}
	}
	t, signed, err := v.verifySigned(ctx, compact, sealed, f, o)
	if err != nil || !signed.policy.opaque.JWTs {
		return t, signed, err
	}
	if err := v.askAboutJWT(ctx, signed.policy, sent, t); err != nil {
		return nil, signed, err
	}
	return t, signed, nil
}

// maxScratch is how long a list of members may have become to be used again:
// one odd token must not make all others pay for clearing it.
const maxScratch = 128

// scratch holds the members of payloads while they are looked at.
var scratch = sync.Pool{New: func() any {
	s := make([]strictjson.Member, 0, 32)
	return &s
}}

// verifySigned verifies a signed token, in the order of the package
// documentation. The policy that the gate finds judges all the rest.
func (v *Verifier) verifySigned(ctx context.Context, compact string, sealed *sealedBy, f found, o *options) (t *Token, signed provenance, err error) {
	members := scratch.Get().(*[]strictjson.Member)
	defer func() {
		if cap(*members) <= maxScratch {
			clear(*members) // they hold on to the token
			*members = (*members)[:0]
			scratch.Put(members)
		}
	}()
	parsed, err := jws.Parse(compact, v.headers, *members)
	if err != nil {
		*members = (*members)[:cap(*members)] // nobody says how many there were
		if sealed != nil {
			return nil, signed, refuse(reason.TokenDecryption) // no other answer than to a wrong key
		}
		return nil, signed, malformed(err)
	}
	*members = parsed.Members
	if t, err = readRegistered(&parsed); err != nil {
		return nil, signed, err
	}
	p := f.policy
	if p == nil {
		if p, err = v.gate.admit(ctx, t.Issuer, t.Subject, &o.in); err != nil {
			return nil, signed, err
		}
	}
	if err := p.checkEncryption(sealed); err != nil {
		return nil, signed, err
	}
	// What the header and the payload alone decide is decided before keys are
	// fetched: a dead token is cheap.
	algorithm, err := p.checkHeader(parsed.Header)
	if err != nil {
		return nil, signed, err
	}
	if err := p.places.read(t, parsed.Members); err != nil {
		return nil, signed, err
	}
	now := v.clock.Now()
	if err := p.checkClaims(t, parsed.Members, now, o); err != nil {
		return nil, signed, err
	}
	held := f.keys
	if held.entry == nil {
		if held, err = v.keysOf(ctx, p, now); err != nil {
			return nil, signed, err
		}
	}
	if signed, err = v.checkSignature(ctx, p, &held, algorithm, &parsed, t.Issuer); err != nil {
		return nil, signed, err
	}
	if t.Confirmation, err = readConfirmation(strictjson.Find(parsed.Members, "cnf")); err != nil {
		return nil, signed, err
	}
	t.IssuerName, t.answers, t.payload, t.leeway = p.name, v.answers, parsed.Payload, p.leeway
	return t, signed, nil
}

func malformed(err error) *Error {
	if errors.Is(err, jws.ErrCritical) {
		return refuse(reason.TokenCritical)
	}
	return refuse(reason.TokenMalformed)
}
