package verifier

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/portcullis-go/portcullis/internal/issuer"
)

// Issuer is who may sign access tokens, and what is asked of them. Only Name is
// needed: a zero field takes what [Config] says for all issuers. Package
// providers has Issuers for the world's identity providers.
type Issuer struct {
	// Name is the issuer, in one of two forms.
	//
	// A host without a scheme, such as "tenant.auth0.com", is a domain: the iss of
	// its tokens is "https://tenant.auth0.com/" or "https://tenant.auth0.com",
	// whichever the issuer's metadata states, and either where Keys names a
	// source that states none.
	//
	// Everything else is the exact iss, compared byte by byte: an https URL with
	// or without a path, or any other StringOrURI (RFC 7519, Section 2), such as
	// a DID, an e-mail address or "http://host/adfs/services/trust". A name that
	// is no https URL needs Keys.
	Name string
	// Aliases are further exact spellings of iss, for issuers that sign under
	// several, such as "accounts.google.com". An alias must not be a spelling of
	// another issuer.
	Aliases []string

	// Keys says where the issuer's keys are. The zero value is the metadata under
	// Name (OpenID Connect Discovery 1.0, or RFC 8414).
	Keys Keys
	// Doer fetches this issuer's documents, where they need a certificate
	// authority, token or client certificate of their own. Default Config.Doer.
	//
	// In an Issuer that a resolver returns, and beside KeysShared, a Doer of its own
	// also tells whose documents are kept: what it fetched serves no Issuer with
	// another Doer, and is not written to Config.Cache. Make it once, as a pointer: a
	// function cannot be compared, and belongs to the one Issuer value that it is in.
	Doer Doer

	// Audiences are the values of aud of which a token of this issuer must have
	// one. Default: those of Config.
	Audiences []string
	// NoAudience says what takes the place of aud in a token that has none, or an
	// empty list. The zero value is nothing: such a token is refused (RFC 9068,
	// Section 2.2).
	NoAudience AudienceRule
	// Algorithms replaces Config.Algorithms (RFC 8725, Section 3.1).
	Algorithms []string
	// RequiredClaims must be present, with any value but null, beside those of
	// Config.RequiredClaims.
	RequiredClaims []string
	// RequiredValues lists claims that must be a string equal to one of the given
	// values, such as "token_use": {"access"}.
	RequiredValues map[string][]string
	// Optional lists the claims among "iat" that this issuer leaves out. iat is
	// optional in RFC 7519, Section 4.1.6, and required in RFC 9068. What is
	// present is checked all the same. exp is never optional.
	Optional []string
	// Types are further values of the typ header of access tokens, beside those of
	// Profile. They are media types: case and an "application/" in front do not
	// count (RFC 7515, Section 4.1.9).
	Types []string
	// Leeway replaces Config.Leeway; negative means none.
	Leeway time.Duration
	// Profile replaces Config.Profile.
	Profile Profile
	// Claims says which claims hold the scope, the client and the permissions. A
	// field that is empty takes what Config.Claims says.
	Claims ClaimNames
	// Opaque says how tokens that are no JWTs are verified. Default: they are
	// refused.
	Opaque OpaqueTokens
	// Encryption demands encrypted tokens of this issuer.
	Encryption EncryptionRule
	// SubjectPrefix is for tokens without iss, such as JWT-SVIDs: a token without
	// iss is of this issuer when its sub begins with the prefix, a URI that ends
	// with a slash ("spiffe://example.org/"). All tokens of the issuer must have
	// it then. At most one Issuer can have a SubjectPrefix.
	SubjectPrefix string
}

// EncryptionRule says whether the tokens of an issuer must be encrypted (RFC 9068,
// Section 4).
type EncryptionRule struct {
	// Required refuses tokens that come without encryption.
	Required bool
	// Keys are the IDs of the keys of Config.Decryption that this issuer encrypts
	// to; a token that another one opened is refused. Empty: all.
	Keys []string
}

// isName reports whether nothing but the name is set.
func (i *Issuer) isName() bool {
	return i.Name != "" && len(i.Aliases) == 0 && i.Keys == (Keys{}) && i.Doer == nil && len(i.Audiences) == 0 &&
		i.NoAudience.Claim == "" && len(i.NoAudience.Values) == 0 && len(i.Algorithms) == 0 && len(i.RequiredClaims) == 0 &&
		len(i.RequiredValues) == 0 && len(i.Optional) == 0 && len(i.Types) == 0 && i.Leeway == 0 && i.Profile == ProfileDefault &&
		len(i.Claims.Scope)+len(i.Claims.ClientID)+len(i.Claims.Permissions) == 0 && i.SubjectPrefix == "" &&
		i.Opaque == (OpaqueTokens{}) && !i.Encryption.Required && len(i.Encryption.Keys) == 0
}

// AudienceRule takes the place of aud in the tokens of an issuer that sends
// none. What is lost: a token no longer says which API it is for, so every API
// of these clients accepts it. A token that has an aud is judged by Audiences,
// never by the rule, and the rule never meets an audience that a call demands
// ([WithAudience]).
type AudienceRule struct {
	// Claim that is looked at, such as "client_id" (Cognito) or "azp" (Clerk). It
	// must be a string.
	Claim string
	// Values of which the claim must have one, byte by byte.
	Values []string
}

// spellings are the exact forms of iss that a name stands for, and the one form
// under which caches, events and identities know the issuer.
type spellings struct {
	name  string   // such as "https://tenant.auth0.com/"
	exact []string // two for a domain, else one
}

// nameOf reads an Issuer.Name; problem is "" or what is wrong with it.
func nameOf(text string) (s spellings, problem string) {
	switch {
	case text == "":
		return s, "is missing; give the issuer as a domain, an https URL, or the exact iss of its tokens"
	case strings.TrimSpace(text) != text:
		return s, "has blanks around it, and is compared byte by byte; remove them"
	case len(text) > maxIssuer:
		return s, fmt.Sprintf("is longer than %d bytes", maxIssuer)
	case strings.Contains(text, "/.well-known/"):
		return s, "is the address of a document; give the issuer itself, without /.well-known/ and what follows"
	case strings.ContainsFunc(text, func(r rune) bool { return r < 0x20 || r == 0x7f }):
		return s, "has control characters"
	}
	if normal, err := issuer.Normalize(text); err == nil && !strings.Contains(text, "://") {
		return domain(normal), ""
	}
	return spellings{name: text, exact: []string{text}}, ""
}

// domain returns the spellings of a normalised issuer without a path.
func domain(normal string) spellings {
	return spellings{name: normal, exact: []string{normal, strings.TrimSuffix(normal, "/")}}
}

// domainOf reads what stands for a domain: Config.Domain, an entry of
// StaticDomains, or what a resolver returns. An https URL with a path is exact.
func domainOf(text string) (s spellings, problem string) {
	normal, err := issuer.Normalize(text)
	switch {
	case err != nil && strings.Contains(text, "://") && !strings.HasPrefix(strings.ToLower(strings.TrimSpace(text)), "https://"):
		return s, "is not an https URL; an issuer whose name begins with another scheme goes into Config.Issuers, with Keys"
	case err != nil:
		return s, `is not a domain ("tenant.auth0.com") or an https URL without credentials, query and fragment ("https://idp.example.com/realms/one"); any other iss goes into Config.Issuers`
	case strings.Contains(normal, "/.well-known/"):
		return s, "is the address of a document; give the issuer itself, without /.well-known/ and what follows"
	}
	s = spellings{name: normal, exact: []string{normal}}
	if host := strings.TrimPrefix(normal, "https://"); strings.IndexByte(host, '/') == len(host)-1 {
		s = domain(normal)
	}
	if written := strings.TrimSpace(text); strings.Contains(written, "://") && !slices.Contains(s.exact, written) {
		s.exact = append(s.exact, written) // with capitals in the host
	}
	return s, ""
}

// maxIssuer bounds the length of an issuer's name and of an iss.
const maxIssuer = 2048

// hasHTTPS reports whether documents can be found under a name.
func hasHTTPS(name string) bool {
	u, err := url.Parse(name)
	return err == nil && u.Scheme == "https" && u.Host != "" && u.User == nil && u.RawQuery == "" && !u.ForceQuery && u.Fragment == "" && u.Opaque == ""
}

// isHTTP reports whether a name is an http URL.
func isHTTP(name string) bool {
	u, err := url.Parse(name)
	return err == nil && u.Scheme == "http" && u.Host != ""
}

// notAccessTokens are types of other JWTs, which Issuer.Types cannot let in (RFC
// 8725, Section 3.12).
var notAccessTokens = [...]string{
	"dpop+jwt", "logout+jwt", "secevent+jwt", "statuslist+jwt", "token-introspection+jwt", "oauth-authz-req+jwt",
	"entity-statement+jwt", "client-authentication+jwt", "kb+jwt",
}

// checkTypes refuses types that no access token has.
func (m *mistakes) types(field string, list []string) {
	m.texts(field, list)
	for i, text := range list {
		if slices.ContainsFunc(notAccessTokens[:], func(t string) bool { return sameType(text, t) }) {
			m.of(fmt.Sprintf("%s[%d]", field, i), text, "is the type of another kind of JWT, which must not pass as an access token")
		}
	}
}

// sameType compares media types of typ headers: without case, and with
// "application/" in front of a value that has no other slash (RFC 7515, Section
// 4.1.9).
func sameType(a, b string) bool {
	const prefix = "application/"
	bare := func(s string) string {
		if len(s) > len(prefix) && strings.EqualFold(s[:len(prefix)], prefix) && strings.IndexByte(s[len(prefix):], '/') < 0 {
			return s[len(prefix):]
		}
		return s
	}
	return strings.EqualFold(bare(a), bare(b))
}

// Profile says which kinds of JWT are taken for access tokens.
type Profile int

const (
	// ProfileDefault is what Config says for all issuers, and ProfileJWT where
	// Config says nothing.
	ProfileDefault Profile = iota
	// ProfileRFC9068 accepts a typ header of at+jwt or application/at+jwt only,
	// and requires the claims of RFC 9068, Section 2.2: sub, client_id and jti
	// too.
	ProfileRFC9068
	// ProfileJWT accepts a typ header of JWT, at+jwt or either with "application/"
	// in front, in any case, and none. Proofs, ID tokens of other types, logout
	// tokens and the like never pass.
	ProfileJWT
)
