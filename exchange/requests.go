package exchange

import (
	"net/http"
	"net/url"
)

// Types of tokens (RFC 8693, Section 3), for the fields of requests.
const (
	TypeAccessToken  = "urn:ietf:params:oauth:token-type:access_token"
	TypeRefreshToken = "urn:ietf:params:oauth:token-type:refresh_token"
	TypeIDToken      = "urn:ietf:params:oauth:token-type:id_token"
	TypeJWT          = "urn:ietf:params:oauth:token-type:jwt"
	TypeSAML1        = "urn:ietf:params:oauth:token-type:saml1"
	TypeSAML2        = "urn:ietf:params:oauth:token-type:saml2"
	// TypeIDJAG is an identity assertion authorization grant
	// (draft-ietf-oauth-identity-assertion-authz-grant): see [Client.IDJAG].
	TypeIDJAG = "urn:ietf:params:oauth:token-type:id-jag"
)

const (
	grantTypeExchange = "urn:ietf:params:oauth:grant-type:token-exchange"
	grantTypeVault    = "urn:auth0:params:oauth:grant-type:token-exchange:federated-connection-access-token"
	grantTypeBearer   = "urn:ietf:params:oauth:grant-type:jwt-bearer" // RFC 7523, Section 2.1
	typeVaultToken    = "http://auth0.com/oauth/token-type/federated-connection-access-token"
)

// ProfileRequest asks [Client.ExchangeProfile] for a token in exchange for
// another (RFC 8693, Section 2.1). Empty fields are not sent.
type ProfileRequest struct {
	hidden

	// SubjectToken is the token to exchange, without white space around it and
	// without a scheme, such as "Bearer ", before it. Required.
	SubjectToken string
	// SubjectTokenType is the URI that says what SubjectToken is; at Auth0 it
	// selects the Token Exchange Profile. Required.
	SubjectTokenType string
	// SubjectIssuer names the issuer of a subject token that is another one's,
	// for servers that need it (Keycloak's subject_issuer).
	SubjectIssuer string
	// ActorToken is the token of the party that acts for the subject, and
	// ActorTokenType says what it is; either both or none.
	ActorToken     string
	ActorTokenType string
	// Audience is the API that the new token is for; Audiences are more of them
	// (RFC 8693, Section 2.1). At most 20.
	Audience  string
	Audiences []string
	// Resource are absolute URIs, without fragment, of where the new token is to
	// be used (RFC 8707, Section 2). At most 20.
	Resource []string
	// Scope to ask for, separated by spaces. Its order does not matter.
	Scope string
	// RequestedTokenType is the type of token to issue. An answer that states
	// another is refused.
	RequestedTokenType string
	// Organization is the id ("org_...") or the name of an Auth0 organization. An
	// answer whose tokens do not state it is refused.
	Organization string
	// Extra are further parameters. Their names are of visible ASCII, without "%".
	// Those of
	// the parameters above and of client authentication are reserved, and so is
	// every spelling that a server might read as one of them: another case, a
	// bracket or dot behind it, other characters around it or between its words. A
	// name has at most 20 values.
	Extra url.Values
	// Header are further headers, such as auth0-forwarded-for.
	Header http.Header
	// Domain is the issuer to ask instead of Config.Domain; it must be listed in
	// Config.Domains.
	Domain string
}

// OnBehalfOfRequest asks [Client.OnBehalfOf] for a token with which this API
// calls another one on behalf of the user whose token it was sent.
type OnBehalfOfRequest struct {
	hidden

	// AccessToken is the token that this API was sent; see [SubjectToken].
	// Required.
	AccessToken string
	// Audience is the API to be called, and Audiences are more of them. At least
	// one is required, but none allowed with [OnBehalfOfEntra].
	Audience  string
	Audiences []string
	// Scope to ask for, separated by spaces. Required with [OnBehalfOfEntra],
	// where it names the API: "api://orders/.default".
	Scope string
	// The other fields are those of [ProfileRequest].
	Resource       []string
	Organization   string
	ActorToken     string
	ActorTokenType string
	Extra          url.Values
	Header         http.Header
	Domain         string
}

// ConnectionRequest asks [Client.ConnectionToken] for the user's token at an
// external provider, from Auth0's Token Vault.
type ConnectionRequest struct {
	hidden

	// Connection is the name of the connection, such as "google-oauth2".
	// Required.
	Connection string
	// AccessToken or RefreshToken of the user at Auth0. Exactly one of the two is
	// required.
	AccessToken  string
	RefreshToken string
	// LoginHint chooses among several accounts that the user has there.
	LoginHint string
	// The other fields are those of [ProfileRequest].
	Extra  url.Values
	Header http.Header
	Domain string
}

// IDJAGRequest asks [Client.IDJAG] for an identity assertion authorization
// grant: the first leg of enterprise-managed authorization.
type IDJAGRequest struct {
	hidden

	// SubjectToken is the user's ID token, or another token of the user, issued to
	// this client. Required.
	SubjectToken string
	// SubjectTokenType says what SubjectToken is. Default TypeIDToken.
	SubjectTokenType string
	// Audience is the issuer that the grant is for: the authorization server of
	// the API to be called. Required.
	Audience string
	// The other fields are those of [ProfileRequest].
	Resource []string
	Scope    string
	Extra    url.Values
	Header   http.Header
	Domain   string
}

// JWTBearerRequest asks [Client.JWTBearer] for a token in exchange for a JWT that
// another issuer signed for this one (RFC 7523, Section 2.1).
type JWTBearerRequest struct {
	hidden

	// Assertion is that JWT, such as the AccessToken that [Client.IDJAG] or
	// [Client.ExchangeProfile] returned. Required.
	Assertion string
	// The other fields are those of [ProfileRequest].
	Scope     string
	Audience  string
	Audiences []string
	Resource  []string
	Extra     url.Values
	Header    http.Header
	Domain    string
}
