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
)

const (
	grantTypeExchange = "urn:ietf:params:oauth:grant-type:token-exchange"
	grantTypeVault    = "urn:auth0:params:oauth:grant-type:token-exchange:federated-connection-access-token"
	typeVaultToken    = "http://auth0.com/oauth/token-type/federated-connection-access-token"
)

// ProfileRequest asks [Client.ExchangeProfile] for a token in exchange for
// another (RFC 8693, Section 2.1). Empty fields are not sent.
type ProfileRequest struct {
	hidden

	// SubjectToken is the token to exchange, without white space around it and
	// without a "Bearer " before it. Required.
	SubjectToken string
	// SubjectTokenType is the URI that says what SubjectToken is; at Auth0 it
	// selects the Token Exchange Profile. Required.
	SubjectTokenType string
	// ActorToken is the token of whoever acts for the subject, and ActorTokenType
	// says what it is; either both or none.
	ActorToken     string
	ActorTokenType string
	// Audience is the API that the new token is for.
	Audience string
	// Resource are absolute URIs, without fragment, of where the new token is to
	// be used (RFC 8707, Section 2).
	Resource []string
	// Scope to ask for, separated by spaces. Its order does not matter.
	Scope string
	// RequestedTokenType is the type of token to issue. An answer that states
	// another is refused.
	RequestedTokenType string
	// Organization is the id ("org_...") or the name of an Auth0 organization. An
	// answer whose tokens do not state it is refused.
	Organization string
	// Extra are further parameters. The names of the parameters above and of
	// client authentication are reserved, whatever their case; a name has at
	// most 20 values.
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
	// Audience is the API to be called. Required.
	Audience string
	// The other fields are those of [ProfileRequest].
	Scope          string
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
