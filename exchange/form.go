package exchange

import (
	"maps"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
)

// flow tells the kinds of exchanges apart.
type flow struct {
	name         string // also in events
	argumentCode string // of arguments that are refused
	failureCode  string // of answers that state no legal code
	clientID     bool   // is sent in the form, whatever the authentication
	accessOnly   bool   // results have no ID and refresh token
	typeStated   bool   // the answer must state the type of token asked for
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
	// maxValues of a name in Extra, Header and the fields that are lists.
	maxValues = 20
	// maxHeaders is how many names Header may have.
	maxHeaders = 20
	// maxForm bounds all that is sent, before its encoding.
	maxForm = 1 << 20
)

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
	form := url.Values{"grant_type": {grantTypeExchange}}
	set(form, "subject_token", r.SubjectToken)
	set(form, "subject_token_type", r.SubjectTokenType)
	set(form, "subject_issuer", r.SubjectIssuer)
	set(form, "actor_token", r.ActorToken)
	set(form, "actor_token_type", r.ActorTokenType)
	set(form, "scope", r.Scope)
	set(form, "requested_token_type", r.RequestedTokenType)
	set(form, "organization", r.Organization)
	if problem := setTargets(form, r.Audience, r.Audiences, r.Resource); problem != "" {
		return nil, f.argument(problem)
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

// bearerCall validates a JWTBearerRequest.
func (c *Client) bearerCall(f *flow, r *JWTBearerRequest) (*call, error) {
	if r.Assertion == "" {
		return nil, missing("the assertion")
	}
	if problem := tokenProblem(r.Assertion); problem != "" {
		return nil, f.argument("the assertion " + problem)
	}
	form := url.Values{"grant_type": {grantTypeBearer}}
	set(form, "assertion", r.Assertion)
	set(form, "scope", r.Scope)
	if problem := setTargets(form, r.Audience, r.Audiences, r.Resource); problem != "" {
		return nil, f.argument(problem)
	}
	k := &call{flow: f, form: form, subjects: []string{r.Assertion}}
	return k, c.complete(k, r.Domain, r.Extra, r.Header)
}

// entraCall validates an OnBehalfOfRequest for the form of Microsoft Entra ID.
func (c *Client) entraCall(f *flow, r *OnBehalfOfRequest) (*call, error) {
	switch {
	case r.AccessToken == "":
		return nil, missing("the access token")
	case r.Scope == "":
		return nil, missing("the scope")
	case r.Audience != "" || len(r.Audiences) > 0 || len(r.Resource) > 0:
		return nil, f.argument("the API to be called is named by the scope")
	case r.Organization != "" || r.ActorToken != "" || r.ActorTokenType != "":
		return nil, f.argument("there is no organization and no actor in this form")
	}
	if problem := tokenProblem(r.AccessToken); problem != "" {
		return nil, f.argument("the access token " + problem)
	}
	k := &call{flow: f, subjects: []string{r.AccessToken}, form: url.Values{
		"grant_type": {grantTypeBearer}, "assertion": {r.AccessToken}, "requested_token_use": {"on_behalf_of"}, "scope": {r.Scope}, "client_id": {c.clientID},
	}}
	return k, c.complete(k, r.Domain, r.Extra, r.Header)
}

func set(form url.Values, name, value string) {
	if value != "" {
		form.Set(name, value)
	}
}

// setTargets adds where the token is to be used, or says what is wrong. Both
// parameters may be there several times (RFC 8693, Section 2.1; RFC 8707,
// Section 2).
func setTargets(form url.Values, audience string, audiences, resources []string) string {
	set(form, "audience", audience)
	form["audience"] = append(form["audience"], audiences...)
	form["resource"] = slices.Clone(resources)
	for _, name := range [...]string{"audience", "resource"} {
		values := form[name]
		switch {
		case len(values) == 0:
			delete(form, name)
		case len(values) > maxValues:
			return "there are more than 20 values of " + name
		case slices.Contains(values, ""):
			return "a value of " + name + " is empty"
		}
	}
	for _, resource := range resources {
		if !absolute(resource) {
			return "a resource is not an absolute URI without fragment"
		}
	}
	return ""
}

// complete adds what all requests have.
func (c *Client) complete(k *call, domain string, extra url.Values, header http.Header) error {
	k.issuer = c.issuer
	if domain != "" {
		name, ok := c.named(domain)
		if !ok {
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
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool { return !isTokenRune(r) })
}

func isTokenRune(r rune) bool { return letterOrDigit(r) || strings.ContainsRune("!#$%&'*+-.^_`|~", r) }
