package verifiertest

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/reason"
)

// RequestVerifier is a [verifier.RequestVerifier] with a script: tests of
// handlers send "Authorization: Bearer alice" and say what that means. Nothing
// is verified, so it is for tests alone. It is safe for concurrent use.
//
// Its refusals are challenged for one scheme alone. What else is in challenges
// depends on the configuration of a Verifier: test those with an [Issuer].
type RequestVerifier struct {
	mu      sync.Mutex
	outcome map[string]outcome // by credentials
	fail    failure
	calls   int
}

type outcome struct {
	token *verifier.Token
	err   error
}

// NewRequestVerifier returns a RequestVerifier that refuses everything.
func NewRequestVerifier() *RequestVerifier {
	return &RequestVerifier{outcome: make(map[string]outcome)}
}

// Accept answers these credentials, such as "alice", with a token, in either
// scheme. [NewToken] makes tokens.
func (v *RequestVerifier) Accept(credentials string, token *verifier.Token) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.outcome[credentials] = outcome{token: token}
}

// Refuse answers these credentials with the error of a reason.
func (v *RequestVerifier) Refuse(credentials string, reason verifier.Reason) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.outcome[credentials] = outcome{err: Refusal(reason)}
}

// FailNext makes the next n requests end with err, such as
// Refusal(reason.Keys); a negative n all of them.
func (v *RequestVerifier) FailNext(n int, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.fail = failure{err, n}
}

// Calls returns how many requests came in.
func (v *RequestVerifier) Calls() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.calls
}

// VerifyHTTPRequest implements verifier.RequestVerifier. It reads the
// Authorization header alone.
func (v *RequestVerifier) VerifyHTTPRequest(r *http.Request, _ ...verifier.VerifyOption) (*verifier.Token, error) {
	return v.verify(r.Header.Get("Authorization"))
}

// VerifyRequest is VerifyHTTPRequest for other transports, such as gRPC. Names of
// fields are compared without case.
func (v *RequestVerifier) VerifyRequest(_ context.Context, req verifier.Request, _ ...verifier.VerifyOption) (*verifier.Token, error) {
	for name, values := range req.Header {
		if strings.EqualFold(name, "Authorization") && len(values) > 0 {
			return v.verify(values[0])
		}
	}
	return v.verify("")
}

func (v *RequestVerifier) verify(authorization string) (*verifier.Token, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.calls++
	if err := v.fail.next(); err != nil {
		return nil, err
	}
	_, credentials, _ := strings.Cut(authorization, " ")
	if credentials == "" {
		return nil, Refusal(reason.NoCredentials)
	}
	known, ok := v.outcome[credentials]
	switch {
	case !ok:
		return nil, Refusal(reason.TokenMalformed)
	case known.err != nil:
		return nil, known.err
	}
	token := *known.token // the handler's own, as from a Verifier
	token.Audience = slices.Clone(token.Audience)
	return &token, nil
}

// Refusal returns the error that a Verifier gives for a reason. Its challenges
// are those of an error that no Verifier has seen.
func Refusal(r verifier.Reason) *verifier.Error {
	info := r.Info()
	if info.Description == "" {
		info.Description = "not a reason of the catalogue"
	}
	return &verifier.Error{Code: verifier.Code(info.Code), Reason: r, Status: info.Status, Description: info.Description}
}
