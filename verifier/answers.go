package verifier

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// answers is what the challenges of a Verifier have in common, and the clock of
// those that come late.
type answers struct {
	clock            Clock
	mode             DPoPMode
	realm            string
	algorithms       string // of proofs, separated by spaces
	resourceMetadata string // RFC 9728, Section 5.1
	scope            string // of 401 challenges
	auth0            bool
}

const defaultRealm = "api"

// newAnswers checks what the configuration says about answers to clients.
func newAnswers(m *mistakes, cfg *Config, clock Clock, proofAlgorithms algorithmList) *answers {
	m.quotable("Realm", cfg.Realm)
	m.quotable("ChallengeScope", cfg.ChallengeScope)
	if raw := cfg.ResourceMetadataURL; raw != "" {
		u, err := url.Parse(raw)
		if err != nil || u.Scheme != "https" && !(u.Scheme == "http" && loopback(u.Hostname())) || u.Host == "" || u.User != nil || u.Fragment != "" ||
			strings.ContainsAny(raw, "\"\\ ") {
			m.of("ResourceMetadataURL", raw, "is not an absolute https URL without credentials and fragment (http is for loopback hosts only); ResourceMetadata.URL makes it")
		}
	}
	return &answers{
		clock: clock, mode: cfg.DPoP.Mode, realm: cmp.Or(cfg.Realm, defaultRealm), algorithms: proofAlgorithms.String(),
		resourceMetadata: cfg.ResourceMetadataURL, scope: cfg.ChallengeScope, auth0: cfg.Auth0Statuses,
	}
}

// quotable refuses what a quoted-string of a challenge cannot hold (RFC 6750,
// Section 3).
func (m *mistakes) quotable(field, text string) {
	if strings.ContainsFunc(text, func(r rune) bool { return r < 0x20 || r > 0x7e || r == '"' || r == '\\' }) {
		m.of(field, text, "has characters that a challenge cannot carry; use printable ASCII without quotes and backslashes")
	}
}

// loopback reports whether a host is this machine.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// now returns the time by the Verifier's clock.
func (a *answers) now() time.Time { return a.clock.Now() }

// attach gives an error the scheme that the client used, so that it can
// challenge, and the status that the configuration wants.
func (a *answers) attach(e *Error, used Scheme) *Error {
	e.answers, e.scheme = a, used
	if a.auth0 {
		if status := e.Reason.Info().Auth0Status; status != 0 {
			e.Status = status
			if e.Code == CodeNone {
				e.Code, e.bare = CodeInvalidRequest, true
			}
		}
	}
	return e
}

// fallback answers for an error that no Verifier has seen: the scheme that it
// belongs to alone.
func fallback(e *Error) (*answers, Scheme) {
	if e.only == SchemeDPoP || e.Code == CodeInvalidDPoPProof || e.Code == CodeUseDPoPNonce {
		return &answers{mode: DPoPRequired, algorithms: defaultProofAlgorithm}, SchemeDPoP
	}
	return &answers{mode: DPoPDisabled, realm: defaultRealm}, SchemeBearer
}

// allows reports whether the mode allows a scheme.
func (a *answers) allows(scheme Scheme) bool {
	return scheme == SchemeBearer && a.mode != DPoPRequired || scheme == SchemeDPoP && a.mode != DPoPDisabled
}

// challenges builds one challenge per scheme that the mode allows. The scheme
// that the request used comes first, for readers of the first line alone; Bearer
// does without one.
func (a *answers) challenges(e *Error, used Scheme) []string {
	order := []Scheme{SchemeBearer, SchemeDPoP}
	if used == SchemeDPoP {
		order = []Scheme{SchemeDPoP, SchemeBearer}
	}
	var list []string
	for _, scheme := range order {
		if a.allows(scheme) && (e.only == "" || e.only == scheme) {
			list = append(list, a.challenge(scheme, e, used))
		}
	}
	return list
}

func (a *answers) challenge(scheme Scheme, e *Error, used Scheme) string {
	var params params
	// No error without credentials, whatever the status (RFC 6750, Section 3.1).
	if e.Code != CodeNone && !e.bare && used == scheme {
		params.add("error", string(e.Code))
		params.add("error_description", e.Description)
		params.add("acr_values", e.ACRValues)
		if e.MaxAge > 0 {
			params.add("max_age", strconv.FormatInt(int64(e.MaxAge/time.Second), 10))
		}
	} else if scheme == SchemeBearer {
		// RFC 6750, Section 3: at least one parameter.
		params.add("realm", a.realm)
	}
	switch {
	case e.Scope != "" && used == scheme:
		params.add("scope", e.Scope)
	case e.Status == http.StatusUnauthorized:
		params.add("scope", a.scope)
	}
	if scheme == SchemeDPoP {
		params.add("algs", a.algorithms)
	}
	params.add("resource_metadata", a.resourceMetadata)
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

// Challenges returns the values of the WWW-Authenticate header, one per field
// line, as RFC 6750, Section 3 and RFC 9449, Sections 7.1 and 7.2 have them: the
// scheme that the request used comes first, and has the error; there is none
// without credentials. An error that has seen no request, of VerifyAccessToken or
// of the program's own, answers for the scheme that its Code belongs to. Every 401
// has a challenge (RFC 9110, Section 15.5.2). "Could not decide" and mistakes of
// the program have none: the result is nil.
func (e *Error) Challenges() []string {
	switch status := e.status(); {
	case status >= http.StatusInternalServerError:
		return nil
	case e.answers != nil:
		return e.answers.challenges(e, e.scheme)
	case status == http.StatusUnauthorized, e.Code == CodeInsufficientScope:
		a, used := fallback(e)
		return a.challenges(e, used)
	default:
		return nil
	}
}

// status is the status of the answer; an error of the program's own may have one
// that is none.
func (e *Error) status() int {
	if e.Status < http.StatusBadRequest || e.Status > 599 {
		return http.StatusInternalServerError
	}
	return e.Status
}

// WriteHeaders sets what the answer needs besides its status: WWW-Authenticate,
// DPoP-Nonce, Retry-After, and Cache-Control: no-store.
func (e *Error) WriteHeaders(h http.Header) {
	for _, c := range e.Challenges() {
		h.Add("WWW-Authenticate", c)
	}
	if e.DPoPNonce != "" {
		h.Set("DPoP-Nonce", e.DPoPNonce)
	}
	if e.Status == http.StatusServiceUnavailable {
		h.Set("Retry-After", strconv.FormatInt(retrySeconds(e.RetryAfter), 10))
	}
	h.Set("Cache-Control", "no-store")
}

// retrySeconds rounds up; a client that comes back at once helps nobody.
func retrySeconds(d time.Duration) int64 {
	return max(1, int64((d+time.Second-1)/time.Second))
}

// WriteError answers a request with what an error of a verification calls for:
// status, challenges, and a JSON body with error and error_description. Any
// other error is answered with 500, and nothing of it is shown.
func WriteError(w http.ResponseWriter, err error) {
	var e *Error
	if !errors.As(err, &e) || e == nil {
		e = &Error{Status: http.StatusInternalServerError, Description: "the request could not be checked"}
	}
	e.WriteHeaders(w.Header())
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(e.status())
	body := map[string]string{"error_description": e.Description}
	switch {
	case e.Code != CodeNone:
		body["error"] = string(e.Code)
	case e.Status == http.StatusServiceUnavailable:
		body["error"] = "temporarily_unavailable"
	case e.status() >= http.StatusInternalServerError:
		body["error"] = "server_error"
	default:
		delete(body, "error_description") // RFC 6750, Section 3.1: no error information
		body["message"] = e.Description
	}
	_ = json.NewEncoder(w).Encode(body) // the client may be gone
}
