package verifier

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// State says how well a document can be served.
type State string

// The states of a document.
const (
	StateFresh   State = "fresh"   // current
	StateStale   State = "stale"   // past its freshness, within the hard limit
	StateMissing State = "missing" // none, or past the hard limit: requests get 503
)

// Health is the state of one document of an issuer.
type Health struct {
	// Issuer, normalised.
	Issuer string
	// Document is "discovery" or "jwks".
	Document string
	State    State
	// Failures is how many attempts have failed since the last success, and
	// Problem why the last one did; "" when it did not. Of the connection:
	// network, timeout, no_such_host, connection_refused, blocked_address,
	// unknown_authority, certificate_name, certificate_invalid, tls, bad_url,
	// bad_doer. Of the answer: redirect, status, too_large, malformed, issuer,
	// jwks_uri, too_many_keys, no_usable_key. And file, panic, closed, other.
	Failures int
	Problem  string
	// Detail, Host, Status and Permanent are those of the last failure; see
	// [Event]. With Permanent the issuer will not come back by itself.
	Detail    string
	Host      string
	Status    int
	Permanent bool
	// FetchedAt is when the document held was fetched. NextRefresh is when the
	// next request will cause a refresh; no earlier one will.
	FetchedAt   time.Time
	NextRefresh time.Time
}

// Health returns the state of the documents held, sorted by issuer and
// document. It does no I/O.
func (v *Verifier) Health() []Health {
	list := v.keys.Health()
	all := make([]Health, len(list))
	for i, h := range list {
		state := StateMissing
		switch {
		case h.Fresh:
			state = StateFresh
		case h.Servable:
			state = StateStale
		}
		t := troubleOf(h.LastErr)
		all[i] = Health{
			Issuer: h.Issuer, Document: h.Document, State: state, Failures: h.Failures, Problem: problem(h.LastErr),
			Detail: t.detail, Host: t.host, Status: t.status, Permanent: t.permanent,
			FetchedAt: h.FetchedAt, NextRefresh: h.NextRefresh,
		}
	}
	slices.SortFunc(all, func(a, b Health) int {
		return cmp.Or(strings.Compare(a.Issuer, b.Issuer), strings.Compare(a.Document, b.Document))
	})
	return all
}
