package main

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	jwtmiddleware "github.com/auth0/go-jwt-middleware/v3"
	"github.com/auth0/go-jwt-middleware/v3/core"
	"github.com/auth0/go-jwt-middleware/v3/jwks"
	"github.com/auth0/go-jwt-middleware/v3/validator"
	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	josejwt "github.com/go-jose/go-jose/v4/jwt"
	"github.com/golang-jwt/jwt/v5"
	"github.com/lestrrat-go/httprc/v3"
	"github.com/lestrrat-go/jwx/v3/jwk"
	jwxjwt "github.com/lestrrat-go/jwx/v3/jwt"
	"github.com/zitadel/oidc/v3/pkg/client/rp"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// library verifies a token for our audience from our issuer, with RS256 and
// cached keys, and reads its claims.
type library struct {
	name   string
	verify func(token string) error
}

const (
	golangJWTName = "golang-jwt/v5 + keyfunc/v3"
	goOIDCName    = "coreos/go-oidc/v3"
	auth0Name     = "auth0/go-jwt-middleware/v3"
)

func (f *fixture) libraries(ctx context.Context) ([]library, error) {
	var all []library
	for _, entry := range []struct {
		name string
		make func(context.Context) (func(string) error, error)
	}{
		{"go-jose/v4/jwt", f.goJose},
		{golangJWTName, f.golangJWT},
		{goOIDCName, f.goOIDC},
		{"zitadel/oidc/v3", f.zitadel},
		{"lestrrat-go/jwx/v3", f.jwx},
		{auth0Name, f.auth0},
	} {
		verify, err := entry.make(ctx)
		if err != nil {
			return nil, errors.Join(errors.New(entry.name), err)
		}
		all = append(all, library{entry.name, verify})
	}
	return all, nil
}

var (
	errKey      = errors.New("no such key")
	errAudience = errors.New("wrong audience")
)

func (f *fixture) goJose(context.Context) (func(string) error, error) {
	algorithms := []jose.SignatureAlgorithm{jose.RS256}
	return func(token string) error {
		parsed, err := josejwt.ParseSigned(token, algorithms)
		if err != nil {
			return err
		}
		keys := f.keys.Key(parsed.Headers[0].KeyID)
		if len(keys) == 0 {
			return errKey
		}
		var registered josejwt.Claims
		var own claims
		if err := parsed.Claims(keys[0].Key, &registered, &own); err != nil {
			return err
		}
		return registered.ValidateWithLeeway(josejwt.Expected{Issuer: issuerURL, AnyAudience: josejwt.Audience{audience}, Time: time.Now()}, 0)
	}, nil
}

func (f *fixture) golangJWT(ctx context.Context) (func(string) error, error) {
	keys, err := keyfunc.NewDefaultOverrideCtx(ctx, []string{jwksURL}, keyfunc.Override{Client: f.httpClient()})
	if err != nil {
		return nil, err
	}
	type own struct {
		jwt.RegisteredClaims
		Scope       string   `json:"scope"`
		Permissions []string `json:"permissions"`
		OrgID       string   `json:"org_id"`
	}
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"RS256"}), jwt.WithIssuer(issuerURL), jwt.WithAudience(audience), jwt.WithExpirationRequired())
	return func(token string) error {
		_, err := parser.ParseWithClaims(token, &own{}, keys.Keyfunc)
		return err
	}, nil
}

func (f *fixture) goOIDC(ctx context.Context) (func(string) error, error) {
	ctx = gooidc.ClientContext(ctx, f.httpClient())
	v := gooidc.NewVerifier(issuerURL, gooidc.NewRemoteKeySet(ctx, jwksURL), &gooidc.Config{
		ClientID: audience, SupportedSigningAlgs: []string{gooidc.RS256},
	})
	return func(token string) error {
		t, err := v.Verify(ctx, token)
		if err != nil {
			return err
		}
		var own claims
		return t.Claims(&own)
	}, nil
}

// zitadel leaves the audience of an access token to its caller.
func (f *fixture) zitadel(ctx context.Context) (func(string) error, error) {
	v := op.NewAccessTokenVerifier(issuerURL, rp.NewRemoteKeySet(f.httpClient(), jwksURL), op.WithSupportedAccessTokenSigningAlgorithms("RS256"))
	return func(token string) error {
		own, err := op.VerifyAccessToken[*oidc.AccessTokenClaims](ctx, token, v)
		if err == nil && !slices.Contains(own.Audience, audience) {
			err = errAudience
		}
		return err
	}, nil
}

func (f *fixture) jwx(ctx context.Context) (func(string) error, error) {
	cache, err := jwk.NewCache(ctx, httprc.NewClient())
	if err != nil {
		return nil, err
	}
	if err := cache.Register(ctx, jwksURL, jwk.WithHTTPClient(f.httpClient())); err != nil {
		return nil, err
	}
	keys, err := cache.CachedSet(jwksURL)
	if err != nil {
		return nil, err
	}
	return func(token string) error {
		_, err := jwxjwt.ParseString(token, jwxjwt.WithKeySet(keys), jwxjwt.WithValidate(true),
			jwxjwt.WithIssuer(issuerURL), jwxjwt.WithAudience(audience), jwxjwt.WithRequiredClaim("exp"))
		return err
	}, nil
}

// auth0Claims are its custom claims.
type auth0Claims struct {
	Scope       string   `json:"scope"`
	Permissions []string `json:"permissions"`
	OrgID       string   `json:"org_id"`
}

func (*auth0Claims) Validate(context.Context) error { return nil }

func (f *fixture) auth0Validator(options ...validator.Option) (*validator.Validator, error) {
	issuer, err := url.Parse(issuerURL)
	if err != nil {
		return nil, err
	}
	keys, err := jwks.NewCachingProvider(jwks.WithIssuerURL(issuer), jwks.WithCustomClient(f.httpClient()))
	if err != nil {
		return nil, err
	}
	return validator.New(append([]validator.Option{
		validator.WithKeyFunc(keys.KeyFunc), validator.WithIssuer(issuerURL), validator.WithAudience(audience), validator.WithAlgorithm(validator.RS256),
		validator.WithCustomClaims(func() *auth0Claims { return &auth0Claims{} }),
	}, options...)...)
}

func (f *fixture) auth0(ctx context.Context) (func(string) error, error) {
	v, err := f.auth0Validator()
	if err != nil {
		return nil, err
	}
	return func(token string) error {
		_, err := v.ValidateToken(ctx, token)
		return err
	}, nil
}

// auth0Middleware is its own, before the handler of every row.
func (f *fixture) auth0Middleware() (http.Handler, error) {
	v, err := f.auth0Validator()
	if err != nil {
		return nil, err
	}
	middleware, err := jwtmiddleware.New(jwtmiddleware.WithValidator(v), jwtmiddleware.WithDPoPMode(core.DPoPAllowed))
	if err != nil {
		return nil, err
	}
	return middleware.CheckJWT(http.HandlerFunc(handle)), nil
}

// auth0Many allows all the tenants.
func (f *fixture) auth0Many(ctx context.Context) (func(string) error, error) {
	keys, err := jwks.NewMultiIssuerProvider(jwks.WithMultiIssuerHTTPClient(f.httpClient()), jwks.WithMaxProviders(len(f.tenants)))
	if err != nil {
		return nil, err
	}
	v, err := validator.New(
		validator.WithKeyFunc(keys.KeyFunc), validator.WithIssuers(f.tenants), validator.WithAudience(audience), validator.WithAlgorithm(validator.RS256),
		validator.WithCustomClaims(func() *auth0Claims { return &auth0Claims{} }),
	)
	if err != nil {
		return nil, err
	}
	return func(token string) error {
		_, err := v.ValidateToken(ctx, token)
		return err
	}, nil
}

func (f *fixture) otherJobs(ctx context.Context) ([]job, error) {
	libraries, err := f.libraries(ctx)
	if err != nil {
		return nil, err
	}
	limit := f.bareRSA(f.token)
	var jobs []job
	for _, l := range libraries {
		verify := func() error { return expect(true, l.verify(f.token)) }
		if err := verify(); err != nil { // fetches the keys
			return nil, errors.Join(errors.New(l.name), err)
		}
		jobs = append(jobs, job{group: groupBearer, name: l.name, run: verify, limit: limit})
		jobs = append(jobs, job{group: groupParallel, name: l.name, run: verify, limit: limit, workers: 2})
		jobs = append(jobs, f.refusals(l.name, l.verify)...)
	}
	many, err := f.auth0Many(ctx)
	if err != nil {
		return nil, err
	}
	for _, token := range f.perTenant { // fetches the keys
		if err := many(token); err != nil {
			return nil, err
		}
	}
	next := f.round()
	handler, err := f.auth0Middleware()
	if err != nil {
		return nil, err
	}
	send := func(r *http.Request) error { return serve(handler, r) }
	return append(jobs,
		job{group: groupIssuers, name: auth0Name, run: func() error { return many(next()) }, limit: f.bareMany()},
		f.bearerRequests(auth0Name, send),
		f.dpopRequests(auth0Name, send),
	), nil
}
