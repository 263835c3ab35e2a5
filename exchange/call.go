package exchange

import (
	"maps"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/portcullis-go/portcullis/internal/issuer"
)

// flow tells the kinds of exchanges apart.
type flow struct {
	name         string
	argumentCode string // of arguments that are refused
	failureCode  string // of answers that state no legal code
	clientID     bool   // is sent in the form, whatever the authentication
	accessOnly   bool   // results have no ID and refresh token
}

// call is one exchange to be done: a validated request.
type call struct {
	flow   *flow
	issuer string // normalised
	form   url.Values
	header http.Header
	// subjects are the tokens sent: a result outlives none of them.
	subjects     []string
	requested    string // type of token, "" for any
	organization string // "" for any
}

const (
	// maxValues of a name in Extra and Header.
	maxValues = 20
	// maxHeaders is how many names Header may have.
	maxHeaders = 20
	// maxForm bounds all that is sent, before its encoding.
	maxForm = 1 << 20
)

// reserved are the parameters that Extra cannot have.
var reserved = [...]string{
	"grant_type", "client_id", "client_secret", "client_assertion", "client_assertion_type",
	"subject_token", "subject_token_type", "requested_token_type", "actor_token", "actor_token_type",
	"subject_issuer", "audience", "aud", "resource", "resources", "resource_indicator", "scope",
	"connection", "login_hint", "organization", "assertion",
}

// profileCall validates a ProfileRequest, in the order of the original.
func (c *Client) profileCall(f *flow, r *ProfileRequest) (*call, error) {
	switch {
	case r.SubjectToken == "":
		return nil, missing("the subject token")
	case r.SubjectTokenType == "":
		return nil, missing("the subject token type")
	}
	if problem := tokenProblem(r.SubjectToken); problem != "" {
		return nil, f.argument("the subject token " + problem)
	}
	if (r.ActorToken == "") != (r.ActorTokenType == "") { // RFC 8693, Section 2.1
		return nil, f.argument("an actor token and its type go together")
	}
	if problem := tokenProblem(r.ActorToken); r.ActorToken != "" && problem != "" {
		return nil, f.argument("the actor token " + problem)
	}
	for _, resource := range r.Resource {
		if !absolute(resource) {
			return nil, f.argument("a resource is not an absolute URI without fragment")
		}
	}
	form := url.Values{"grant_type": {grantTypeExchange}}
	set(form, "subject_token", r.SubjectToken)
	set(form, "subject_token_type", r.SubjectTokenType)
	set(form, "actor_token", r.ActorToken)
	set(form, "actor_token_type", r.ActorTokenType)
	set(form, "audience", r.Audience)
	set(form, "scope", r.Scope)
	set(form, "requested_token_type", r.RequestedTokenType)
	set(form, "organization", r.Organization)
	if len(r.Resource) > 0 {
		form["resource"] = slices.Clone(r.Resource)
	}
	k := &call{flow: f, form: form, subjects: []string{r.SubjectToken}, requested: r.RequestedTokenType, organization: r.Organization}
	if r.ActorToken != "" {
		k.subjects = append(k.subjects, r.ActorToken)
	}
	return k, c.complete(k, r.Domain, r.Extra, r.Header)
}

// vaultCall validates a ConnectionRequest.
func (c *Client) vaultCall(f *flow, r *ConnectionRequest) (*call, error) {
	subject, kind := r.AccessToken, TypeAccessToken
	if subject == "" {
		subject, kind = r.RefreshToken, TypeRefreshToken
	}
	switch {
	case r.Connection == "":
		return nil, missing("the connection")
	case subject == "":
		return nil, missing("an access token or a refresh token")
	case r.AccessToken != "" && r.RefreshToken != "":
		return nil, f.argument("there is either an access token or a refresh token")
	}
	if problem := tokenProblem(subject); problem != "" {
		return nil, f.argument("the token " + problem)
	}
	form := url.Values{"grant_type": {grantTypeVault}, "requested_token_type": {typeVaultToken}}
	set(form, "connection", r.Connection)
	set(form, "subject_token", subject)
	set(form, "subject_token_type", kind)
	set(form, "login_hint", r.LoginHint)
	k := &call{flow: f, form: form, subjects: []string{subject}, requested: typeVaultToken}
	return k, c.complete(k, r.Domain, r.Extra, r.Header)
}

func set(form url.Values, name, value string) {
	if value != "" {
		form.Set(name, value)
	}
}

// complete adds what all requests have.
func (c *Client) complete(k *call, domain string, extra url.Values, header http.Header) error {
	k.issuer = c.issuer
	if domain != "" {
		name, err := issuer.Normalize(domain)
		if err != nil || !c.issuers[name] {
			return k.flow.argument("the domain is not listed in Config.Domain or Config.Domains")
		}
		k.issuer = name
	}
	if problem := addExtra(k.form, extra); problem != "" {
		return k.flow.argument(problem)
	}
	var problem string
	if k.header, problem = extraHeader(header); problem != "" {
		return k.flow.argument(problem)
	}
	size := 0
	for _, fields := range []map[string][]string{k.form, k.header} {
		for name, values := range fields {
			size += len(name)
			for _, value := range values {
				size += len(value)
			}
		}
	}
	if size > maxForm {
		return k.flow.argument("the request is larger than 1 MiB")
	}
	return nil
}

// tokenProblem says why a text cannot be a token to send, or "". The mistakes
// are those of callers who pass on a header instead of a token.
func tokenProblem(token string) string {
	trimmed := strings.TrimFunc(token, isSpace)
	switch {
	case trimmed == "":
		return "is blank"
	case trimmed != token:
		return "has white space around it"
	}
	const scheme = "bearer"
	if len(token) > len(scheme) && strings.EqualFold(token[:len(scheme)], scheme) && isSpace(rune(token[len(scheme)])) {
		return "has its scheme before it"
	}
	return ""
}

// isSpace reports whether a rune is white space, the separators of ASCII
// included.
func isSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }

// absolute reports whether a text is an absolute URI without fragment (RFC
// 8707, Section 2).
func absolute(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.IsAbs() && !strings.Contains(text, "#")
}

// addExtra adds further parameters to a form, or says what is wrong. It does
// not repeat names: they may come from a client.
func addExtra(form url.Values, extra url.Values) string {
	for name, values := range extra {
		if isReserved(name) {
			return "a name in Extra is reserved"
		}
		if len(values) > maxValues {
			return "a name in Extra has more than 20 values"
		}
		if len(values) > 0 {
			form[name] = slices.Clone(values)
		}
	}
	return ""
}

// isReserved compares without case, in the widest sense, and without what is
// around a name: a server that trims must not see another parameter than we.
func isReserved(name string) bool {
	name = strings.TrimFunc(name, func(r rune) bool { return isSpace(r) || unicode.IsControl(r) || !unicode.IsPrint(r) })
	return name == "" || slices.ContainsFunc(reserved[:], func(r string) bool { return strings.EqualFold(r, name) })
}

// ownHeaders are those that this package or the transport sets.
var ownHeaders = [...]string{
	"Accept", "Accept-Encoding", "Authorization", "Connection", "Content-Encoding", "Content-Length", "Content-Type", "Cookie",
	"Dpop", "Expect", "Host", "Keep-Alive", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
}

// extraHeader copies further headers, or says what is wrong.
func extraHeader(header http.Header) (http.Header, string) {
	own := make(http.Header, len(header))
	if len(header) > maxHeaders {
		return nil, "Header has more than 20 names"
	}
	for _, name := range slices.Sorted(maps.Keys(header)) { // spellings that differ in case are joined
		values := header[name]
		canonical := textproto.CanonicalMIMEHeaderKey(name)
		switch {
		case !isToken(name):
			return nil, "a name in Header is not one of a header"
		case slices.Contains(ownHeaders[:], canonical):
			return nil, "a name in Header is reserved"
		case len(own[canonical])+len(values) > maxValues:
			return nil, "a name in Header has more than 20 values"
		case slices.ContainsFunc(values, func(v string) bool { return strings.ContainsFunc(v, isControl) }):
			return nil, "a value in Header has control characters"
		}
		own[canonical] = append(own[canonical], values...)
	}
	return own, ""
}

func isControl(r rune) bool { return r < 0x20 || r == 0x7f }

// isToken reports whether a text is a token of RFC 9110, Section 5.6.2.
func isToken(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		return !letter && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	})
}
