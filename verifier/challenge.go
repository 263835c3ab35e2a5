package verifier

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Scheme is an authorization scheme.
type Scheme string

// The schemes; the zero value stands for none.
const (
	SchemeBearer Scheme = "Bearer" // RFC 6750
	SchemeDPoP   Scheme = "DPoP"   // RFC 9449
)

// challengePolicy is what the challenges of a Verifier have in common.
type challengePolicy struct {
	mode             DPoPMode
	realm            string
	algorithms       string // of proofs, separated by spaces
	resourceMetadata string // RFC 9728, Section 5.1
	scope            string // of 401 challenges
	auth0            bool
}

// attach gives an error the scheme that the client used, so that it can
// challenge, and the status that the configuration wants.
func (p *challengePolicy) attach(e *Error, used Scheme) *Error {
	e.policy, e.scheme = p, used
	if p.auth0 {
		if status := e.Reason.Info().Auth0Status; status != 0 {
			e.Status = status
			if e.Code == CodeNone {
				e.Code = CodeInvalidRequest
			}
		}
	}
	return e
}

// challenges builds one challenge per scheme that the mode allows.
func (p *challengePolicy) challenges(e *Error) []string {
	// The code for the wire: none without credentials, whatever the status.
	code := Code(e.Reason.Info().Code)
	var list []string
	if p.mode != DPoPRequired {
		list = append(list, p.challenge(SchemeBearer, code, e))
	}
	if p.mode != DPoPDisabled {
		list = append(list, p.challenge(SchemeDPoP, code, e))
	}
	return list
}

func (p *challengePolicy) challenge(scheme Scheme, code Code, e *Error) string {
	var params params
	if code != CodeNone && e.scheme == scheme {
		params.add("error", string(code))
		params.add("error_description", e.Description)
		params.add("acr_values", e.ACRValues)
		if e.MaxAge > 0 {
			params.add("max_age", strconv.FormatInt(int64(e.MaxAge/time.Second), 10))
		}
	} else if scheme == SchemeBearer {
		// RFC 6750, Section 3: at least one parameter.
		params.add("realm", p.realm)
	}
	switch {
	case e.Scope != "" && e.scheme == scheme:
		params.add("scope", e.Scope)
	case e.Status == http.StatusUnauthorized:
		params.add("scope", p.scope)
	}
	if scheme == SchemeDPoP {
		params.add("algs", p.algorithms)
	}
	params.add("resource_metadata", p.resourceMetadata)
	return string(scheme) + " " + strings.Join(params, ", ")
}

// params are auth-params (RFC 9110, Section 11.2), always as quoted-strings.
type params []string

// add appends a parameter unless its value is empty. What is not legal inside
// error, error_description and scope (RFC 6750, Section 3) is left out: no
// value can end its string or its line.
func (p *params) add(name, value string) {
	value = strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e || r == '"' || r == '\\' {
			return -1
		}
		return r
	}, value)
	if value != "" {
		*p = append(*p, name+`="`+value+`"`)
	}
}
