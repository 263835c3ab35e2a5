package verifier

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/portcullis-go/portcullis/internal/jws"
	"github.com/portcullis-go/portcullis/internal/keys"
	"github.com/portcullis-go/portcullis/internal/keyset"
	"github.com/portcullis-go/portcullis/internal/strictjson"
	"github.com/portcullis-go/portcullis/verifier/reason"
)

// policy is an [Issuer], compiled: what the checks of one token need to know of
// its issuer. The gate finds it once; header, claims, keys and signature are
// judged by it, and a remembered token keeps it. It is never changed.
type policy struct {
	name    string   // as caches, events and Token.IssuerName have it
	exact   []string // the spellings of iss under Name: two for a domain
	aliases []string

	source *keys.Source
	entry  *keys.Entry // of an issuer of the fixed list; nil: the store is asked
	shared bool        // the key set is also that of other issuers

	algorithms    algorithmList
	audiences     []string
	noAudience    *AudienceRule
	required      []string
	values        []requiredValue
	needsIssuedAt bool
	types         []string
	profile       Profile
	leeway        time.Duration
	places        *places
	subjectPrefix string
	opaque        OpaqueTokens
	encryption    EncryptionRule
}

// requiredValue is an entry of Issuer.RequiredValues.
type requiredValue struct {
	claim  string
	values []string
}

// has reports whether iss is one of the issuer's spellings, byte by byte.
func (p *policy) has(iss string) bool {
	return slices.Contains(p.exact, iss) || slices.Contains(p.aliases, iss)
}

// admits reports whether a token of this iss may be signed with keys whose
// source states this issuer, or none: a domain is the one of its spellings that
// is stated.
func (p *policy) admits(iss, stated string) bool {
	if iss == "" {
		return p.subjectPrefix != ""
	}
	otherSpelling := iss != stated && slices.Contains(p.exact, iss) && slices.Contains(p.exact, stated)
	return p.has(iss) && !otherSpelling
}

// checkHeader makes sure that the token claims to be an access token (RFC 8725,
// Section 3.11) and is signed as this issuer may sign.
func (p *policy) checkHeader(h *jws.Header) (*keyset.Algorithm, error) {
	if !p.allowsType(h) {
		return nil, refuse(reason.TokenType)
	}
	a := p.algorithms.find(h.Algorithm)
	if a == nil {
		return nil, refuse(reason.Algorithm)
	}
	return a, nil
}

func (p *policy) allowsType(h *jws.Header) bool {
	switch {
	case sameType(h.Type, "at+jwt"):
		return true
	case p.profile != ProfileRFC9068 && (!h.HasType || sameType(h.Type, "JWT")):
		return true
	default:
		return h.HasType && slices.ContainsFunc(p.types, func(t string) bool { return sameType(t, h.Type) })
	}
}

// checkClaims judges the claims of a token of this issuer, but for iss, which
// has been looked at by the gate, and cnf.
func (p *policy) checkClaims(t *Token, members []strictjson.Member, now time.Time, o *options) error {
	if strictjson.Find(members, "exp").Kind() == strictjson.Invalid {
		return refuseClaim(reason.ClaimMissing, "exp")
	}
	if p.needsIssuedAt && strictjson.Find(members, "iat").Kind() == strictjson.Invalid {
		return refuseClaim(reason.ClaimMissing, "iat")
	}
	if t.Audience == nil && p.noAudience == nil {
		return refuseClaim(reason.ClaimMissing, "aud")
	}
	if err := p.checkTimes(t, now); err != nil {
		return err
	}
	if err := p.checkAudience(t, members, o.audiences); err != nil {
		return err
	}
	for _, names := range [...][]string{p.required, o.required} {
		for _, name := range names {
			if absent(strictjson.Find(members, name)) {
				return refuseClaim(reason.ClaimMissing, name)
			}
		}
	}
	for i := range p.values {
		switch text, ok := strictjson.Find(members, p.values[i].claim).Text(); {
		case !ok && absent(strictjson.Find(members, p.values[i].claim)):
			return refuseClaim(reason.ClaimMissing, p.values[i].claim)
		case !ok || !slices.Contains(p.values[i].values, text):
			return refuseClaim(reason.ClaimValue, p.values[i].claim)
		}
	}
	if !strings.HasPrefix(t.Subject, p.subjectPrefix) {
		return refuseClaim(reason.ClaimValue, "sub")
	}
	return nil
}

// checkTimes compares exp and nbf with the clock (RFC 7519, Sections 4.1.4 and
// 4.1.5): the token is good before exp and from nbf on.
func (p *policy) checkTimes(t *Token, now time.Time) error {
	if !now.Before(t.ExpiresAt.Add(p.leeway)) {
		return refuse(reason.Expired)
	}
	if !t.NotBefore.IsZero() && now.Before(t.NotBefore.Add(-p.leeway)) {
		return refuse(reason.NotYetValid)
	}
	return nil
}

// checkAudience demands one of the issuer's audiences (RFC 7519, Section
// 4.1.3), and one of those of the call where it has some. Only a token without
// any audience is judged by the rule for that.
func (p *policy) checkAudience(t *Token, members []strictjson.Member, ofCall []string) error {
	if len(t.Audience) == 0 && p.noAudience != nil && len(ofCall) == 0 {
		text, ok := strictjson.Find(members, p.noAudience.Claim).Text()
		if !ok {
			return refuseClaim(reason.ClaimMissing, p.noAudience.Claim)
		}
		if !slices.Contains(p.noAudience.Values, text) {
			return refuse(reason.Audience)
		}
		return nil
	}
	if !intersect(p.audiences, t.Audience) || len(ofCall) > 0 && !intersect(ofCall, t.Audience) {
		return refuse(reason.Audience)
	}
	return nil
}

func intersect(ours, theirs []string) bool {
	for _, a := range ours {
		if slices.Contains(theirs, a) {
			return true
		}
	}
	return false
}

// maySign reports whether a key may sign tokens of this iss: a key of a shared
// set that names an issuer signs for that one alone, or, if it names the one
// that all share, for all.
func (p *policy) maySign(key *keyset.Key, iss string) bool {
	return !p.shared || key.Issuer == "" || key.Issuer == iss || key.Issuer == p.source.Name()
}

// standard is what Config says for all issuers.
type standard struct {
	known      *keyset.Algorithms
	algorithms algorithmList
	audiences  []string
	required   []string
	profile    Profile
	leeway     time.Duration
	claims     ClaimNames
	places     *places
	sources    sourceDefaults

	decryptionKeys []string // IDs
}

// compile makes the policy of an issuer; field is how the configuration calls
// it. Mistakes are added to m, and what is returned then is not to be used.
func (s *standard) compile(m *mistakes, field string, i *Issuer) *policy {
	name, problem := nameOf(i.Name)
	if problem != "" {
		m.of(field+"Name", i.Name, problem)
		return nil
	}
	return s.compileNamed(m, field, name, i)
}

func (s *standard) compileNamed(m *mistakes, field string, name spellings, i *Issuer) *policy {
	p := &policy{
		name: name.name, exact: name.exact, aliases: slices.Clone(i.Aliases),
		algorithms: s.algorithms, audiences: s.audiences, required: s.required, profile: s.profile, leeway: s.leeway, places: s.places,
		needsIssuedAt: true, types: slices.Clone(i.Types), subjectPrefix: i.SubjectPrefix,
	}
	m.texts(field+"Aliases", i.Aliases)
	if len(i.Algorithms) > 0 {
		p.algorithms = m.algorithms(field+"Algorithms", i.Algorithms, s.known)
	}
	if len(i.Audiences) > 0 {
		m.texts(field+"Audiences", i.Audiences)
		p.audiences = slices.Clone(i.Audiences)
	}
	p.noAudience = m.audienceRule(field+"NoAudience", i.NoAudience)
	if len(p.audiences) == 0 && p.noAudience == nil {
		m.add(field+"Audiences", "is empty, and Config.Audience says none for all issuers; give this API's identifier, or NoAudience for an issuer without aud")
	}
	if i.Profile != ProfileDefault {
		p.profile = i.Profile
	}
	m.profile(field+"Profile", i.Profile)
	p.required = slices.Clone(p.required)
	if p.profile == ProfileRFC9068 {
		p.required = append(p.required, "sub", "client_id", "jti") // RFC 9068, Section 2.2
	}
	m.texts(field+"RequiredClaims", i.RequiredClaims)
	p.required = append(p.required, i.RequiredClaims...)
	p.values = m.requiredValues(field+"RequiredValues", i.RequiredValues)
	m.optional(field+"Optional", i.Optional, p)
	m.types(field+"Types", i.Types)
	switch {
	case i.Leeway > 0:
		p.leeway = m.leeway(field+"Leeway", i.Leeway)
	case i.Leeway < 0:
		p.leeway = 0
	}
	if c := i.Claims; len(c.Scope)+len(c.ClientID)+len(c.Permissions) > 0 {
		p.places = m.places(field+"Claims", c.or(s.claims))
	}
	if i.SubjectPrefix != "" && (!strings.Contains(i.SubjectPrefix, "://") || !strings.HasSuffix(i.SubjectPrefix, "/") || strings.HasSuffix(i.SubjectPrefix, "//")) {
		m.of(field+"SubjectPrefix", i.SubjectPrefix, `is not a URI that ends with a slash, such as "spiffe://example.org/"`)
	}
	p.opaque = m.opaque(field+"Opaque", i.Opaque)
	p.encryption = EncryptionRule{i.Encryption.Required, slices.Clone(i.Encryption.Keys)}
	m.encryption(field+"Encryption", p.encryption, s.decryptionKeys)
	p.source = s.sources.source(m, field, name, i)
	p.shared = i.Keys.of != nil && i.Keys.of.shared != ""
	return p
}

func (m *mistakes) audienceRule(field string, r AudienceRule) *AudienceRule {
	switch {
	case r.Claim == "" && len(r.Values) == 0:
		return nil
	case r.Claim == "":
		m.add(field+".Claim", `is missing; name the claim that takes the place of aud, such as "client_id"`)
	case len(r.Values) == 0:
		m.add(field+".Values", "is empty; list the values of the claim that are accepted")
	}
	m.texts(field+".Values", r.Values)
	return &AudienceRule{Claim: r.Claim, Values: slices.Clone(r.Values)}
}

func (m *mistakes) requiredValues(field string, values map[string][]string) []requiredValue {
	var list []requiredValue
	for claim, of := range values {
		if claim == "" || len(of) == 0 {
			m.of(field, claim, "has no name or no values")
		}
		list = append(list, requiredValue{claim, slices.Clone(of)})
	}
	slices.SortFunc(list, func(a, b requiredValue) int { return strings.Compare(a.claim, b.claim) })
	return list
}

func (m *mistakes) optional(field string, names []string, p *policy) {
	for i, name := range names {
		entry := fmt.Sprintf("%s[%d]", field, i)
		switch {
		case name == "iat" && p.profile == ProfileRFC9068:
			m.of(entry, name, "is required by ProfileRFC9068 (RFC 9068, Section 2.2)")
		case name == "iat":
			p.needsIssuedAt = false
		case name == "aud" && p.noAudience == nil:
			m.of(entry, name, "needs a rule in its place; set NoAudience")
		case name == "aud":
		default:
			m.of(entry, name, "cannot be optional; only iat can, and aud where NoAudience says what takes its place")
		}
	}
}

func (m *mistakes) profile(field string, p Profile) {
	if p < ProfileDefault || p > ProfileJWT {
		m.of(field, fmt.Sprint(int(p)), "is not one of the profiles of this package")
	}
}

func (m *mistakes) encryption(field string, r EncryptionRule, ids []string) {
	if r.Required && len(ids) == 0 {
		m.add(field, "demands encryption, and Config.Decryption has no keys")
	}
	for i, id := range r.Keys {
		if !slices.Contains(ids, id) {
			m.of(fmt.Sprintf("%s.Keys[%d]", field, i), id, "is no ID of a key of Config.Decryption")
		}
	}
}

// checkEncryption judges how a token came: encrypted to a key that this issuer
// uses, or not encrypted at all.
func (p *policy) checkEncryption(sealed *sealedBy) error {
	switch {
	case sealed == nil && p.encryption.Required,
		sealed != nil && len(p.encryption.Keys) > 0 && !slices.Contains(p.encryption.Keys, sealed.keyID):
		return refuse(reason.TokenNotEncrypted)
	default:
		return nil
	}
}

// sealedBy is the key that an encrypted token was opened with.
type sealedBy struct{ keyID string }

// maxLeeway is what Leeway can be at most.
const maxLeeway = 5 * time.Minute

func (m *mistakes) leeway(field string, value time.Duration) time.Duration {
	return m.duration(field, value, bounds{min: leastUnit, max: maxLeeway})
}

// newStandard reads what Config says for all issuers.
func newStandard(m *mistakes, cfg *Config) *standard {
	s := &standard{claims: cfg.Claims.or(defaultPlaces)}
	s.places = m.places("Claims", s.claims)
	names := cfg.Algorithms
	if len(names) == 0 {
		names = []string{"RS256"}
	}
	s.known = m.known(cfg.SignatureAlgorithms)
	s.algorithms = m.algorithms("Algorithms", names, s.known)
	switch {
	case cfg.Audience != "" && len(cfg.Audiences) > 0:
		m.add("Audience", "and Config.Audiences are both set; set one")
	case cfg.Audience != "":
		s.audiences = []string{cfg.Audience}
		m.text("Audience", cfg.Audience)
	default:
		s.audiences = slices.Clone(cfg.Audiences)
		m.texts("Audiences", s.audiences)
	}
	if len(s.audiences) == 0 && (cfg.Domains != nil || len(cfg.Issuers) == 0) {
		m.add("Audience", "or Config.Audiences must be set; it is what tokens for this API have in aud")
	}
	m.texts("RequiredClaims", cfg.RequiredClaims)
	s.required = slices.Clone(cfg.RequiredClaims)
	m.profile("Profile", cfg.Profile)
	s.profile = cfg.Profile
	s.leeway = m.leeway("Leeway", cfg.Leeway)
	s.sources = newSourceDefaults(m, cfg.Doer, cfg.KeyHosts, cfg.HTTPHosts)
	s.sources.known = s.known
	for _, k := range cfg.Decryption.Keys {
		s.decryptionKeys = append(s.decryptionKeys, k.ID)
	}
	return s
}
