package fetch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"strconv"
	"syscall"
)

// Kind says why a fetch failed. It is a stable word for events and health.
type Kind string

// The kinds of failures.
const (
	Network            Kind = "network"             // no answer, for a reason that has no kind of its own
	Timeout            Kind = "timeout"             // no answer in time
	NoSuchHost         Kind = "no_such_host"        // the name does not resolve
	ConnectionRefused  Kind = "connection_refused"  // nothing listens there
	BlockedAddress     Kind = "blocked_address"     // the name resolves to an address that must not be asked
	UnknownAuthority   Kind = "unknown_authority"   // the certificate is of an authority that is not trusted
	CertificateName    Kind = "certificate_name"    // the certificate is for another name
	CertificateInvalid Kind = "certificate_invalid" // the certificate has expired, or is not fit otherwise
	TLS                Kind = "tls"                 // no common ground for TLS, or no TLS at all
	Redirect           Kind = "redirect"            // a redirect that is not followed, or an answer from another URL
	Status             Kind = "status"              // not 200 (or 203)
	TooLarge           Kind = "too_large"           // more than MaxBody bytes
	BadURL             Kind = "bad_url"             // not an https URL, or not an http one that is allowed
	NotHTTP            Kind = "bad_doer"            // the Doer returned neither response nor error
	File               Kind = "file"                // a file that the Doer needs cannot be read or used
)

// Kinds are all kinds of failures.
var Kinds = [...]Kind{
	Network, Timeout, NoSuchHost, ConnectionRefused, BlockedAddress, UnknownAuthority, CertificateName, CertificateInvalid,
	TLS, Redirect, Status, TooLarge, BadURL, NotHTTP, File,
}

// Permanent reports whether trying again is unlikely to help: somebody has to
// change a name, a certificate or a setting.
func (k Kind) Permanent() bool {
	switch k {
	case BlockedAddress, UnknownAuthority, CertificateName, CertificateInvalid, Redirect, TooLarge, BadURL, NotHTTP, File:
		return true
	default:
		return false
	}
}

// Rule says which rule a redirect broke.
type Rule string

// The rules of redirects.
const (
	RuleOrigin         Rule = "another_origin"  // to another scheme, host or port
	RuleCredentials    Rule = "credentials"     // to a URL with user information
	RuleLocation       Rule = "no_location"     // without one Location that is a URL
	RuleStatus         Rule = "status"          // none of 301, 302, 307 and 308
	RuleSecondRedirect Rule = "second_redirect" // after another redirect
	RuleFollowed       Rule = "followed"        // followed by the Doer, which must not
)

// Error is a failed fetch. It holds no part of the answer but, in our own
// spelling, the name of a host.
type Error struct {
	Kind Kind
	// Status of the answer, for the kinds Status and Redirect, or 0.
	Status int
	// Host that was asked or, for Redirect, that the answer led to: a name or
	// address in lower case, with its port unless that is the scheme's own. "" if
	// it is none that can be shown.
	Host string
	// Rule is what a redirect broke, for Redirect.
	Rule Rule

	ended error // ctx.Err() when the request's context was done
	cause error // as the Doer reported it
}

// Error says what happened in words of our own.
func (e *Error) Error() string {
	text := "fetch: " + string(e.Kind)
	if e.Status != 0 {
		text += " " + strconv.Itoa(e.Status)
	}
	if e.Rule != "" {
		text += " (" + string(e.Rule) + ")"
	}
	if e.Host != "" {
		text += ": " + e.Host
	}
	return text
}

// Unwrap returns the error of the request's context, if that was done, and the
// error that the Doer reported. The latter may hold whatever the Doer puts into
// its errors.
func (e *Error) Unwrap() []error {
	var all []error
	for _, err := range [...]error{e.ended, e.cause} {
		if err != nil {
			all = append(all, err)
		}
	}
	return all
}

// ErrBlockedAddress is for dialers that refuse an address; Get and Post give it
// the kind BlockedAddress.
var ErrBlockedAddress = errors.New("fetch: the address is not of the public internet")

func failure(ctx context.Context, host string, err error) error {
	e := &Error{Kind: classify(err), Host: host, ended: ctx.Err(), cause: err}
	if errors.Is(e.ended, context.DeadlineExceeded) {
		e.Kind = Timeout
	}
	if e.ended == nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
		// The end of a context of the Doer's own is none of the caller's.
		e.cause = opaque{err}
	}
	return e
}

// opaque is an error that matches no other.
type opaque struct{ err error }

func (o opaque) Error() string { return o.err.Error() }

func classify(err error) Kind {
	var (
		dns       *net.DNSError
		timeout   net.Error
		authority x509.UnknownAuthorityError
		hostname  x509.HostnameError
		invalid   x509.CertificateInvalidError
		chain     *tls.CertificateVerificationError
		record    tls.RecordHeaderError
		alert     tls.AlertError
		file      *fs.PathError
	)
	switch {
	case errors.Is(err, ErrBlockedAddress):
		return BlockedAddress
	case errors.As(err, &authority):
		return UnknownAuthority
	case errors.As(err, &hostname):
		return CertificateName
	case errors.As(err, &invalid), errors.As(err, &chain):
		return CertificateInvalid
	case errors.As(err, &record), errors.As(err, &alert), errors.Is(err, http.ErrSchemeMismatch):
		return TLS
	case errors.As(err, &dns) && dns.IsNotFound:
		return NoSuchHost
	case errors.Is(err, syscall.ECONNREFUSED):
		return ConnectionRefused
	case errors.As(err, &file):
		return File
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return Timeout
	default:
		return Network
	}
}
