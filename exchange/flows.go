package exchange

import (
	"context"
)

// OnBehalfOfForm is how an issuer wants to be asked for a token on behalf of a
// user.
type OnBehalfOfForm string

// The forms of on-behalf-of requests.
const (
	// OnBehalfOfExchange is token exchange (RFC 8693). It is the default.
	OnBehalfOfExchange OnBehalfOfForm = ""
	// OnBehalfOfEntra is the form of Microsoft Entra ID: the grant of RFC 7523,
	// Section 2.1 with requested_token_use, and the API named by the scope.
	OnBehalfOfEntra OnBehalfOfForm = "entra"
)

var (
	profileFlow = &flow{name: "profile", argumentCode: codeExchangeArgument, failureCode: codeExchangeFailure}
	onBehalfOf  = &flow{name: "on-behalf-of", argumentCode: codeExchangeArgument, failureCode: codeExchangeFailure, accessOnly: true}
	vaultFlow   = &flow{name: "connection", argumentCode: codeVaultArgument, failureCode: codeVaultFailure, clientID: true, accessOnly: true}
	idJAG       = &flow{name: "id-jag", argumentCode: codeMissing, failureCode: codeExchangeFailure, accessOnly: true, typeStated: true}
	jwtBearer   = &flow{name: "jwt-bearer", argumentCode: codeMissing, failureCode: codeBearerFailure}
)

// ExchangeProfile exchanges a token for another (RFC 8693): at Auth0, by the
// Token Exchange Profile of the subject token's type. The error is an
// [*Error].
func (c *Client) ExchangeProfile(ctx context.Context, r ProfileRequest) (*Tokens, error) {
	k, err := c.profileCall(profileFlow, &r)
	if err != nil {
		return nil, err
	}
	return c.do(ctx, k)
}

// OnBehalfOf exchanges the access token that this API was sent for one with
// which it calls another API on behalf of the same user. Nothing but an access
// token comes back: other tokens in the answer are dropped, and an answer that
// states another type of token is refused. The error is an [*Error].
func (c *Client) OnBehalfOf(ctx context.Context, r OnBehalfOfRequest) (*Token, error) {
	k, err := c.onBehalfOfCall(&r)
	if err != nil {
		return nil, err
	}
	return c.accessToken(ctx, k)
}

func (c *Client) onBehalfOfCall(r *OnBehalfOfRequest) (*call, error) {
	if c.form == OnBehalfOfEntra {
		return c.entraCall(onBehalfOf, r)
	}
	if r.Audience == "" && len(r.Audiences) == 0 {
		return nil, missing("the audience")
	}
	return c.profileCall(onBehalfOf, &ProfileRequest{
		SubjectToken: r.AccessToken, SubjectTokenType: TypeAccessToken, RequestedTokenType: TypeAccessToken,
		ActorToken: r.ActorToken, ActorTokenType: r.ActorTokenType,
		Audience: r.Audience, Audiences: r.Audiences, Scope: r.Scope, Resource: r.Resource, Organization: r.Organization,
		Extra: r.Extra, Header: r.Header, Domain: r.Domain,
	})
}

// IDJAG asks the user's identity provider for an identity assertion
// authorization grant (draft-ietf-oauth-identity-assertion-authz-grant), with
// which a client of another issuer gets an access token from that one by
// [Client.JWTBearer], without the user. The AccessToken that is returned is the
// grant: it is no token to call an API with. An answer that does not state this
// type is refused. The error is an [*Error].
func (c *Client) IDJAG(ctx context.Context, r IDJAGRequest) (*Token, error) {
	k, err := c.idJAGCall(&r)
	if err != nil {
		return nil, err
	}
	return c.accessToken(ctx, k)
}

func (c *Client) idJAGCall(r *IDJAGRequest) (*call, error) {
	if r.Audience == "" {
		return nil, missing("the audience")
	}
	kind := r.SubjectTokenType
	if kind == "" {
		kind = TypeIDToken
	}
	return c.profileCall(idJAG, &ProfileRequest{
		SubjectToken: r.SubjectToken, SubjectTokenType: kind, RequestedTokenType: TypeIDJAG,
		Audience: r.Audience, Scope: r.Scope, Resource: r.Resource, Extra: r.Extra, Header: r.Header, Domain: r.Domain,
	})
}

// JWTBearer exchanges a JWT that another issuer signed for a token of this one
// (RFC 7523, Section 2.1): the second leg of identity and authorization chaining
// across domains (draft-ietf-oauth-identity-chaining), and of [Client.IDJAG]. The
// error is an [*Error].
func (c *Client) JWTBearer(ctx context.Context, r JWTBearerRequest) (*Tokens, error) {
	k, err := c.bearerCall(jwtBearer, &r)
	if err != nil {
		return nil, err
	}
	return c.do(ctx, k)
}

// ConnectionToken returns the access token that a user has at an external
// provider, from Auth0's Token Vault. The error is an [*Error].
func (c *Client) ConnectionToken(ctx context.Context, r ConnectionRequest) (*Token, error) {
	k, err := c.vaultCall(vaultFlow, &r)
	if err != nil {
		return nil, err
	}
	return c.accessToken(ctx, k)
}
