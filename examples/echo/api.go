package main

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/portcullis-go/portcullis/verifier"
)

// newAPI has an open route, routes for everybody with a good token, and one
// for those with a scope.
func newAPI(v verifier.RequestVerifier) http.Handler {
	e := echo.New()
	e.GET("/healthz", func(c echo.Context) error { return c.NoContent(http.StatusOK) })

	protected := e.Group("/orders", adapt(verifier.Middleware(v, verifier.MiddlewareConfig{})))
	protected.GET("", whoAmI)
	protected.GET("/:id", whoAmI)
	protected.POST("", whoAmI, adapt(verifier.Require(verifier.AllScopes("write:orders"))))
	return e
}

// whoAmI answers with what the token says.
func whoAmI(c echo.Context) error {
	token, ok := verifier.TokenFromContext(c.Request().Context())
	if !ok { // the route is not behind the middleware
		return echo.ErrInternalServerError
	}
	return c.JSON(http.StatusOK, map[string]any{"subject": token.Subject, "scheme": token.Scheme})
}
