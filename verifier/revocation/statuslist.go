package revocation

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/portcullis-go/portcullis/internal/fetch"
	"github.com/portcullis-go/portcullis/internal/issuer"
	"github.com/portcullis-go/portcullis/internal/keys"
	"github.com/portcullis-go/portcullis/internal/keyset"
	"github.com/portcullis-go/portcullis/internal/lifecycle"
	"github.com/portcullis-go/portcullis/internal/strictjson"
	"github.com/portcullis-go/portcullis/verifier"
)

// StatusListsConfig describes [StatusLists]. Issuers are required; the other zero
// values are the defaults.
type StatusListsConfig struct {
	// Issuers whose tokens have a status claim.
	Issuers []StatusIssuer
	// TTL is how long a list is used before it is fetched again, or less where the
	// list or the HTTP answer says so: a token that is revoked lives on for so long,
	// and for MaxStale. Default 5 minutes; 1 second to 24 hours.
	TTL time.Duration
	// MaxStale is how long a list is used beyond that while it cannot be fetched. It
	// is never used beyond the exp that it states. Default 0: tokens are answered with
	// 503 then. At most 24 hours.
	MaxStale time.Duration
	// MaxSize bounds a list in bytes after decompression; 1 MiB holds 8 million
	// statuses of one bit. Default 4 MiB, at most 64 MiB. What is fetched is 1 MiB at
	// most.
	MaxSize int
	// MaxMemory bounds all lists in bytes. Default 64 MiB, at least MaxSize. Lists that
	// are used least go first.
	MaxMemory int
	// HTTPHosts are hosts, beside loopback, that may be asked over http, where the
	// issuer's own name is an http URL.
	HTTPHosts []string
	// Doer sends the requests. Default: verifier.NewHTTPClient.
	Doer verifier.Doer
	// Clock is the time. Default: time.Now.
	Clock verifier.Clock
}

// StatusIssuer is an issuer that publishes Token Status Lists.
type StatusIssuer struct {
	// Name of the issuer, as verifier.Issuer.Name.
	Name string
	// Hosts on which its lists may be, beside the host of Name: names or addresses,
	// with a port unless that is 443.
	Hosts []string
	// JWKSURL is where the keys are that sign its lists. Default: what its metadata
	// says, which is found under Name.
	JWKSURL string
	// KeyHosts are hosts on which the metadata may place the keys, beside its own.
	KeyHosts []string
	// Algorithms are the allowed signature algorithms of lists. Default RS256 and
	// ES256.
	Algorithms []string
}

// StatusLists says which tokens are revoked by the Token Status Lists of their
// issuers (draft-ietf-oauth-status-list): the status claim of a verified token
// names a list and a place in it. Every status but VALID is revoked, a suspended one
// too.
//
// A list is fetched from the hosts that the configuration names, and is good if it
// is a JWT of type statuslist+jwt that a key of the issuer has signed and that names
// its own URL as its subject. It is an error, which the Verifier answers with 503,
// if a list cannot be got or read, if it has no such place, if the claim is
// malformed, and if a token of an issuer that is not configured has one. A token
// without status claim is not revoked; verifier.Issuer.RequiredClaims can demand
// the claim.
//
// It is a verifier.RevocationChecker, and safe for concurrent use.
type StatusLists struct {
	issuers map[string]*statusIssuer
	lists   *lifecycle.Store
	keys    *keys.Store
	clock   verifier.Clock
}

// statusIssuer is a StatusIssuer, checked.
type statusIssuer struct {
	lists      *StatusLists
	name       string
	spellings  []string // of the issuer, as the configuration and tokens have it
	stated     []string // ... as documents have it
	hosts      []string
	algorithms []*keyset.Algorithm
	source     *keys.Source
	http       *fetch.HTTP
	doer       fetch.Doer
	maxSize    int
}

var _ verifier.RevocationChecker = (*StatusLists)(nil)

const (
	defaultStatusTTL  = 5 * time.Minute
	maxStatusTTL      = 24 * time.Hour
	statusFloor       = 10 * time.Second
	defaultStatusSize = 4 << 20
	maxStatusSize     = 64 << 20
	defaultStatusRoom = 64 << 20
	maxStatusLists    = 10_000
	maxStatusURL      = 2048
)

// NewStatusLists returns StatusLists, which Close ends. The error matches
// [ErrConfig]. Nothing is fetched before the first token comes.
func NewStatusLists(cfg StatusListsConfig) (*StatusLists, error) {
	if cfg.TTL == 0 {
		cfg.TTL = defaultStatusTTL
	}
	if cfg.MaxSize == 0 {
		cfg.MaxSize = defaultStatusSize
	}
	if cfg.MaxMemory == 0 {
		cfg.MaxMemory = max(defaultStatusRoom, cfg.MaxSize)
	}
	if cfg.Clock == nil {
		cfg.Clock = verifier.ClockFunc(time.Now)
	}
	doer := fetch.Client(cfg.Doer)
	if cfg.Doer == nil {
		doer = fetch.Client(verifier.NewHTTPClient(verifier.HTTPClientConfig{}))
	}
	switch {
	case cfg.TTL < time.Second || cfg.TTL > maxStatusTTL:
		return nil, configError("StatusListsConfig.TTL is not between 1 second and 24 hours")
	case cfg.MaxStale < 0 || cfg.MaxStale > maxStatusTTL:
		return nil, configError("StatusListsConfig.MaxStale is not between 0 and 24 hours")
	case cfg.MaxSize < 1 || cfg.MaxSize > maxStatusSize:
		return nil, configError("StatusListsConfig.MaxSize is not between 1 byte and 64 MiB")
	case cfg.MaxMemory < cfg.MaxSize:
		return nil, configError("StatusListsConfig.MaxMemory is less than MaxSize")
	case len(cfg.Issuers) == 0:
		return nil, configError("StatusListsConfig.Issuers is empty")
	}
	s := &StatusLists{issuers: make(map[string]*statusIssuer), clock: cfg.Clock}
	for i := range cfg.Issuers {
		of, err := newStatusIssuer(&cfg, &cfg.Issuers[i], doer)
		if err != nil {
			return nil, err
		}
		of.lists = s
		for _, spelling := range of.spellings {
			s.issuers[spelling] = of
		}
	}
	policy := lifecycle.DefaultPolicy()
	policy.TTL, policy.Floor, policy.StaleIfError = cfg.TTL, min(statusFloor, cfg.TTL), cfg.MaxStale
	policy.MaxIssuers, policy.MaxBytes = maxStatusLists, int64(cfg.MaxMemory)
	s.lists = lifecycle.New(lifecycle.Config{Policy: policy, Now: cfg.Clock.Now})
	s.keys = keys.New(keys.Config{Policy: lifecycle.DefaultPolicy(), Now: cfg.Clock.Now})
	return s, nil
}

func newStatusIssuer(cfg *StatusListsConfig, i *StatusIssuer, doer fetch.Doer) (*statusIssuer, error) {
	of := &statusIssuer{name: i.Name, spellings: []string{i.Name}, stated: []string{i.Name}, http: fetch.NewHTTP(cfg.HTTPHosts...), doer: doer, maxSize: cfg.MaxSize}
	if normal, err := issuer.Normalize(i.Name); err == nil {
		of.name = normal
		of.spellings = append(of.spellings, normal)
		if host := strings.TrimSuffix(normal, "/"); strings.Count(host, "/") == 2 {
			of.spellings = append(of.spellings, host)
		}
		if of.stated = of.spellings; !strings.Contains(i.Name, "://") {
			of.stated = of.spellings[1:] // a domain is no iss
		}
	}
	if u, err := of.http.Check(of.name); err == nil {
		of.hosts = append(of.hosts, hostOf(u))
	}
	for _, text := range i.Hosts {
		host, err := keys.ParseHost(text)
		if err != nil {
			return nil, configError("StatusIssuer.Hosts has an entry that is not a host with an optional port")
		}
		of.hosts = append(of.hosts, host)
	}
	if len(of.hosts) == 0 {
		return nil, configError("StatusIssuer.Hosts is empty, and Name is not a URL whose host could be meant")
	}
	names := i.Algorithms
	if len(names) == 0 {
		names = []string{"RS256", "ES256"}
	}
	for _, name := range names {
		a := keyset.AlgorithmByName(name)
		if a == nil {
			return nil, configError("StatusIssuer.Algorithms has an entry that is not a supported asymmetric algorithm")
		}
		of.algorithms = append(of.algorithms, a)
	}
	var err error
	of.source, err = keys.NewSource(keys.SourceConfig{
		Name: of.name, Spellings: of.stated, JWKS: i.JWKSURL, Hosts: i.KeyHosts, HTTPHosts: cfg.HTTPHosts, Doer: doer,
	})
	if err != nil {
		return nil, configError("StatusIssuer has a Name, JWKSURL or KeyHosts from which no keys can be fetched")
	}
	return of, nil
}

// Close ends the fetches under way and waits for them. It returns nil.
func (s *StatusLists) Close() error {
	s.lists.Close()
	s.keys.Close()
	return nil
}

// What is undecidable about a token with a status claim. An outage matches
// neither.
var (
	// ErrStatusClaim: the status claim is malformed, names no Token Status List, or is
	// of an issuer that is not configured.
	ErrStatusClaim = errors.New("revocation: a status claim that is not understood")
	// ErrStatusHost: the list is on a host that is not allowed.
	ErrStatusHost = errors.New("revocation: the status list is on a host that is not allowed")
	// ErrStatusList: the list is not a good one of its issuer.
	ErrStatusList = errors.New("revocation: the status list is malformed, not signed by its issuer, too large, or has ended")
	// ErrStatusRange: the list has no such place.
	ErrStatusRange = errors.New("revocation: the status list is shorter than a token says")
)

// Revoked implements verifier.RevocationChecker.
func (s *StatusLists) Revoked(ctx context.Context, token verifier.RevocationRequest) (bool, error) {
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	claim, err := readStatus(token.Token)
	if claim == nil {
		return false, err
	}
	of := s.issuers[token.Issuer]
	if of == nil {
		return false, ErrStatusClaim
	}
	if err := of.checkURL(claim.uri); err != nil {
		return false, err
	}
	now := s.clock.Now()
	document := &statusDocument{of, strings.Clone(claim.uri)} // which must not hold on to the whole token
	entry := s.lists.Entry(lifecycle.Key{Issuer: of.name, Source: document.uri}, []lifecycle.Document{document}, false)
	view, _, err := entry.Get(ctx, now)
	if err != nil {
		return false, err
	}
	list := view.Document(0).Value.(*statusList)
	if list.ended(now) {
		return false, ErrStatusList
	}
	status, ok := list.at(claim.index)
	if !ok {
		return false, ErrStatusRange
	}
	entry.Used()
	return status != 0, nil
}

// checkURL allows the hosts of the configuration: a token is no authority over our
// network.
func (i *statusIssuer) checkURL(uri string) error {
	u, err := i.http.CheckLink(i.name, uri)
	if err != nil || len(uri) > maxStatusURL || !slices.Contains(i.hosts, hostOf(u)) {
		return ErrStatusHost
	}
	return nil
}

// hostOf returns the host of a URL as keys.ParseHost writes it.
func hostOf(u *url.URL) string {
	text := u.Host
	if u.Scheme == "http" && u.Port() == "" {
		text += ":80"
	}
	host, _ := keys.ParseHost(text)
	return host
}

// statusClaim is a place in a status list.
type statusClaim struct {
	index uint64
	uri   string
}

// readStatus reads the status claim (draft-ietf-oauth-status-list, Section 6). It
// returns nil and no error for a token that has none.
func readStatus(token *verifier.Token) (*statusClaim, error) {
	if token == nil {
		return nil, ErrStatusClaim
	}
	var claims struct {
		Status json.RawMessage `json:"status"`
	}
	if token.Decode(&claims) != nil {
		return nil, ErrStatusClaim
	}
	if claims.Status == nil {
		return nil, nil
	}
	status, err := strictjson.Parse(string(claims.Status), nil)
	if err != nil {
		return nil, ErrStatusClaim
	}
	list, ok := strictjson.Find(status, "status_list").Members(nil)
	if !ok {
		return nil, ErrStatusClaim
	}
	uri, ok := strictjson.Find(list, "uri").Text()
	// The Raw of a text is in quotes.
	index, err := strconv.ParseUint(strictjson.Find(list, "idx").Raw(), 10, 63)
	if !ok || err != nil {
		return nil, ErrStatusClaim
	}
	return &statusClaim{index, uri}, nil
}
