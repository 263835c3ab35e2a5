package keys

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"strconv"

	"github.com/portcullis-go/portcullis/internal/discovery"
	"github.com/portcullis-go/portcullis/internal/fetch"
	"github.com/portcullis-go/portcullis/internal/foreign"
	"github.com/portcullis-go/portcullis/internal/keyset"
	"github.com/portcullis-go/portcullis/internal/lifecycle"
)

// Class says in one stable word why a document could not be got. The kinds of
// package fetch are classes, too.
type Class string

// The classes beside the kinds of fetch.Error.
const (
	Malformed   Class = "malformed"       // not a document of its kind
	WrongIssuer Class = "issuer"          // the document is of another issuer
	KeysHost    Class = "jwks_uri"        // the keys are on a host that is not allowed
	TooManyKeys Class = "too_many_keys"   // more than keyset.MaxKeys
	NoUsableKey Class = "no_usable_key"   // a key set in which no key can be used
	KeyFile           = Class(fetch.File) // the file of the keys, or one that a Doer needs, cannot be read
	Closed      Class = "closed"          // the store was closed
	Panicked    Class = "panic"           // code of the calling program panicked
	Other       Class = "other"           // an error of a FetchFunc
)

// words are what a Class means, for a sentence about a document.
var words = map[Class]string{
	Class(fetch.Network):            "no answer",
	Class(fetch.Timeout):            "no answer in time",
	Class(fetch.NoSuchHost):         "the name does not resolve",
	Class(fetch.ConnectionRefused):  "the connection was refused",
	Class(fetch.BlockedAddress):     "the name resolves to an address that is blocked",
	Class(fetch.UnknownAuthority):   "the certificate is of an unknown authority",
	Class(fetch.CertificateName):    "the certificate is for another name",
	Class(fetch.CertificateInvalid): "the certificate has expired or is unfit",
	Class(fetch.TLS):                "no TLS connection could be made",
	Class(fetch.Redirect):           "a redirect that is not followed",
	Class(fetch.Status):             "the answer has another status than 200",
	Class(fetch.TooLarge):           "the document is larger than 1 MiB",
	Class(fetch.BadURL):             "not a URL that is fetched",
	Class(fetch.NotHTTP):            "the Doer returned neither answer nor error",
	Malformed:                       "the document cannot be read",
	WrongIssuer:                     "the document states another issuer",
	KeysHost:                        "the key set is on a host that is not allowed",
	TooManyKeys:                     "the set has more than 500 keys",
	NoUsableKey:                     "the set has no usable key",
	KeyFile:                         "a file cannot be read or used",
	Closed:                          "closed",
	Panicked:                        "a function of the calling program panicked",
	Other:                           "the key fetcher failed",
}

// Failure is a failed attempt to get a document. Its text is in our own words;
// what others reported is reached by Unwrap alone.
type Failure struct {
	// Issuer, in normal form.
	Issuer string
	// Document is "discovery" or "jwks".
	Document string
	Class    Class
	// Host that was asked, or for KeysHost the one that is not allowed; "" when
	// there is none.
	Host string
	// Status of the answer, or 0.
	Status int
	// File that could not be read, for KeyFile, or "". It is not in the text.
	File string

	err error
}

// Error says what happened in one sentence.
func (f *Failure) Error() string {
	text := "keys: " + f.Document + " of " + f.Issuer + ": " + words[f.Class]
	if f.Status != 0 {
		text += ", status " + strconv.Itoa(f.Status)
	}
	if f.Host != "" {
		text += " (host " + f.Host + ")"
	}
	return text
}

// Unwrap returns the error as it was reported.
func (f *Failure) Unwrap() error { return f.err }

// Permanent reports whether somebody has to change a name, a certificate, a
// setting or a document. Otherwise the failure may be an outage.
func (f *Failure) Permanent() bool {
	switch f.Class {
	case WrongIssuer, KeysHost, TooManyKeys, KeyFile, Panicked:
		return true
	case Class(fetch.Status):
		return f.Status >= 400 && f.Status < 500 &&
			f.Status != http.StatusRequestTimeout && f.Status != http.StatusTooEarly && f.Status != http.StatusTooManyRequests
	default:
		return fetch.Kind(f.Class).Permanent()
	}
}

// ClassOf returns the class of an error of this package, or "" for nil.
func ClassOf(err error) Class {
	var failure *Failure
	var f *fetch.Error
	var misplaced *KeysHostError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &failure):
		return failure.Class
	case errors.As(err, &f):
		return Class(f.Kind)
	case errors.As(err, &misplaced):
		return KeysHost
	case errors.Is(err, discovery.ErrDocument), errors.Is(err, keyset.ErrDocument):
		return Malformed
	case errors.Is(err, discovery.ErrIssuer), errors.Is(err, ErrForeign):
		return WrongIssuer
	case errors.Is(err, keyset.ErrTooMany):
		return TooManyKeys
	case errors.Is(err, keyset.ErrNoUsable):
		return NoUsableKey
	case errors.Is(err, ErrFile):
		return KeyFile
	case errors.Is(err, lifecycle.ErrClosed):
		return Closed
	case errors.Is(err, foreign.ErrPanic):
		return Panicked
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return Class(fetch.Timeout)
	default:
		return Other
	}
}

// failed describes a failure of a document that is, or would be, at this URL.
func (s *Source) failed(document, at string, err error) error {
	failure := &Failure{Issuer: s.name, Document: document, Class: ClassOf(err), err: err}
	if u, parseErr := url.Parse(at); parseErr == nil {
		failure.Host = hostOf(u)
	}
	var f *fetch.Error
	var misplaced *KeysHostError
	var file *fs.PathError
	if failure.Class == KeyFile && errors.As(err, &file) {
		failure.File = file.Path
	}
	switch {
	case errors.As(err, &f):
		failure.Status = f.Status
		if f.Host != "" {
			failure.Host = f.Host
		}
	case errors.As(err, &misplaced):
		failure.Host = misplaced.Host
	}
	return failure
}

func (d *metadataDocument) Failed(_ any, err error) error {
	return (*Source)(d).failed(d.Kind(), d.url, err)
}

func (d *keySetDocument) Failed(before any, err error) error {
	at := d.url
	if m, ok := before.(*metadata); ok {
		at = m.JWKSURI
	}
	return (*Source)(d).failed(d.Kind(), at, err)
}
