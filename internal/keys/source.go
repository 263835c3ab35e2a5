package keys

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/portcullis-go/portcullis/internal/discovery"
	"github.com/portcullis-go/portcullis/internal/fetch"
	"github.com/portcullis-go/portcullis/internal/issuer"
	"github.com/portcullis-go/portcullis/internal/keyset"
	"github.com/portcullis-go/portcullis/internal/lifecycle"
)

// SourceConfig describes a Source. At most one of Metadata, JWKS, File, Static
// and Fetch is set; with none of them the metadata is discovered under Name.
type SourceConfig struct {
	// Name of the issuer, in normal form.
	Name string
	// Spellings are the texts by which a document may call the issuer, byte for
	// byte. Nil means every text whose normal form is Name.
	Spellings []string

	Metadata string // URL of the metadata
	JWKS     string // URL of the key set; no metadata is fetched for keys
	File     string // path of a key set; read again when it changes
	Static   []byte // a key set that never changes
	Fetch    FetchFunc
	// Tag tells one Fetch from another in a shared cache; "" keeps what it returns
	// out of that.
	Tag string
	// Instance tells one Fetch or Doer from another in this process, where Name and
	// the rest of the description do not. It must be comparable.
	Instance any
	// Private keeps documents out of a shared cache: those of a Doer of which other
	// processes do not know whose it is.
	Private bool

	// Use is the "use" that keys must have, in place of "sig" or none; "" is that.
	Use string
	// Algorithms whose keys are read, beside those of the standard library; nil
	// means none.
	Algorithms *keyset.Algorithms

	// MetadataOnly leaves the key set alone: Entry.Metadata is all that is asked
	// for.
	MetadataOnly bool

	// Hosts on which metadata may place the key set, beside its own host.
	Hosts []string
	// HTTPHosts are hosts from which documents may be fetched over http, beside
	// loopback, if the URL or Name itself says http.
	HTTPHosts []string
	// Doer sends the requests. It must follow no redirects; see fetch.Client.
	Doer fetch.Doer
}

// FetchFunc gets the key set of an issuer from somewhere else. etag is that of
// the set held, or "". The answer's origin is ignored.
type FetchFunc func(ctx context.Context, etag string) (lifecycle.Answer, error)

// Field names a field of SourceConfig in a ConfigError.
type Field string

// The fields of SourceConfig that can be wrong.
const (
	FieldName     Field = "Name"
	FieldKind     Field = "Kind" // more than one source
	FieldMetadata Field = "Metadata"
	FieldJWKS     Field = "JWKS"
	FieldHosts    Field = "Hosts"
	FieldHTTP     Field = "HTTPHosts"
	FieldDoer     Field = "Doer"
)

// ConfigError says which field of a SourceConfig is wrong, which entry of it,
// and why.
type ConfigError struct {
	Field Field
	Entry string // the entry of a list, or ""
	Err   error
}

func (e *ConfigError) Error() string { return "keys: " + string(e.Field) + ": " + e.Err.Error() }

// Unwrap returns what is wrong.
func (e *ConfigError) Unwrap() error { return e.Err }

// What can be wrong with a SourceConfig, beside ErrHost.
var (
	ErrURL      = errors.New("not an https URL without credentials and fragment")
	ErrHTTP     = errors.New("http is fetched from loopback and listed hosts only")
	ErrSeveral  = errors.New("more than one source of keys")
	ErrNoEffect = errors.New("has no effect with this source of keys")
	ErrMissing  = errors.New("is missing")
)

// kind says where the documents of a source come from.
type kind uint8

const (
	byDiscovery kind = iota
	byMetadata
	byURL
	byFile
	byStatic
	byFetch
)

var kindNames = [...]string{"discovery", "metadata", "url", "file", "static", "fetch"}

// Source says where the documents of one issuer come from. It is immutable.
type Source struct {
	name       string
	spellings  []string
	use        string
	algorithms *keyset.Algorithms
	kind       kind
	url        string // of the metadata or the key set
	host       string // of the metadata, in normal form
	path       string
	static     []byte
	fetch      FetchFunc
	doer       fetch.Doer
	policy     *hostPolicy
	identity   string
	instance   any
	private    bool
	tag        string // origin of what a Fetch returns, or ""
	docs       []lifecycle.Document
}

// NewSource checks a description. The error is a *ConfigError.
func NewSource(cfg SourceConfig) (*Source, error) {
	policy, err := newHostPolicy(cfg.Hosts, cfg.HTTPHosts)
	if err != nil {
		return nil, err
	}
	s := &Source{name: strings.Clone(cfg.Name), spellings: slices.Clone(cfg.Spellings), use: cfg.Use, algorithms: cfg.Algorithms, doer: cfg.Doer, policy: policy}
	s.instance, s.private = cfg.Instance, cfg.Private
	if err := s.choose(&cfg); err != nil {
		return nil, err
	}
	s.identify(&cfg)
	if err := s.chain(cfg.MetadataOnly); err != nil {
		return nil, err
	}
	return s, nil
}

// chain sets which documents there are.
func (s *Source) chain(metadataOnly bool) error {
	switch {
	case metadataOnly && !s.discovers():
		return &ConfigError{Field: FieldKind, Err: ErrNoMetadata}
	case metadataOnly:
		s.identity += " metadata"
		s.docs = []lifecycle.Document{(*metadataDocument)(s)}
	case s.discovers():
		s.docs = []lifecycle.Document{(*metadataDocument)(s), (*keySetDocument)(s)}
	default:
		s.docs = []lifecycle.Document{(*keySetDocument)(s)}
	}
	return nil
}

// choose takes the one source that is given.
func (s *Source) choose(cfg *SourceConfig) error {
	given := 0
	for k, set := range map[kind]bool{
		byMetadata: cfg.Metadata != "", byURL: cfg.JWKS != "", byFile: cfg.File != "", byStatic: cfg.Static != nil, byFetch: cfg.Fetch != nil,
	} {
		if set {
			s.kind = k
			given++
		}
	}
	if given > 1 {
		return &ConfigError{Field: FieldKind, Err: ErrSeveral}
	}
	if len(cfg.Hosts) > 0 && s.kind >= byURL {
		return &ConfigError{Field: FieldHosts, Err: ErrNoEffect}
	}
	switch s.kind {
	case byFile:
		s.path = cfg.File
	case byStatic:
		s.static = slices.Clone(cfg.Static)
	case byFetch:
		s.fetch = cfg.Fetch
	case byURL:
		return s.at(FieldJWKS, cfg.JWKS)
	case byMetadata:
		return s.at(FieldMetadata, cfg.Metadata)
	default:
		return s.discover()
	}
	return nil
}

// discover places the metadata under the name (OpenID Connect Discovery 1.0,
// Section 4.1).
func (s *Source) discover() error {
	return s.at(FieldName, discovery.Places(s.name)[0])
}

// at takes over the URL of the first document.
func (s *Source) at(field Field, raw string) error {
	if s.doer == nil {
		return &ConfigError{Field: FieldDoer, Err: ErrMissing}
	}
	u, err := s.policy.checkURL(raw, s.policy.http)
	if err != nil {
		return &ConfigError{Field: field, Entry: raw, Err: err}
	}
	s.url, s.host = raw, hostOf(u)
	return nil
}

// identify writes down what tells this source from others: what an entry of the
// store stands for.
func (s *Source) identify(cfg *SourceConfig) {
	at := s.url
	switch s.kind {
	case byDiscovery:
		at = "" // it follows from the name
	case byFile:
		at = s.path
	case byStatic:
		sum := sha256.Sum256(s.static)
		at = hex.EncodeToString(sum[:])
	case byFetch:
		at = cfg.Tag
		if cfg.Tag != "" {
			s.tag = kindNames[byFetch] + " " + cfg.Tag
		}
	}
	s.identity = kindNames[s.kind]
	if at != "" || s.policy != noHosts || s.use != "" {
		s.identity += " " + at + " " + strings.Join(s.policy.keys, ",") + " " + s.use
	}
	if !s.isPlain() {
		spellings := slices.Sorted(slices.Values(s.spellings))
		s.identity += fmt.Sprintf(" %q", spellings) // what the documents may state
	}
}

// isPlain reports whether the spellings follow from the name: those of a domain,
// or the one of any other name.
func (s *Source) isPlain() bool {
	other := strings.TrimSuffix(s.name, "/")
	switch len(s.spellings) {
	case 0:
		return true
	case 1:
		return s.spellings[0] == s.name && (s.name == other || strings.Count(other, "/") != 2)
	case 2:
		return s.spellings[0] == s.name && s.spellings[1] == other
	default:
		return false
	}
}

// discovers reports whether the keys are found through metadata.
func (s *Source) discovers() bool { return s.kind <= byMetadata }

// Name returns the issuer, in normal form.
func (s *Source) Name() string { return s.name }

// IsConfusedWith reports whether a shared cache cannot tell what this source
// fetched from what the other one did.
func (s *Source) IsConfusedWith(other *Source) bool {
	return s.name == other.name && s.tag != "" && s.tag == other.tag && s.instance != other.instance
}

// Identity returns what tells this source from others of the same issuer.
func (s *Source) Identity() string { return s.identity }

// states reports whether a document may call the issuer so.
func (s *Source) states(text string) bool {
	if s.spellings != nil {
		return slices.Contains(s.spellings, text)
	}
	normal, err := issuer.Normalize(text)
	return err == nil && normal == s.name
}

// FetchKeys gets the key set once, without a store. The entity tag that it takes
// and returns says which URL it is of: tags of one resource mean nothing to
// another.
func (s *Source) FetchKeys(ctx context.Context, etag string) (lifecycle.Answer, error) {
	var before any
	if s.discovers() {
		d := (*metadataDocument)(s)
		answer, err := d.Fetch(ctx, nil, lifecycle.Reference{})
		if err != nil {
			return lifecycle.Answer{}, err
		}
		if before, err = d.Parse(answer.Body, ""); err != nil {
			return lifecycle.Answer{}, err
		}
	}
	origin, tag, _ := strings.Cut(etag, "\n")
	answer, err := (*keySetDocument)(s).Fetch(ctx, before, lifecycle.Reference{Origin: origin, ETag: tag})
	if answer.ETag != "" {
		answer.ETag = answer.Origin + "\n" + answer.ETag
	}
	return answer, err
}
