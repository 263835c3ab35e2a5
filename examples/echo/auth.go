package main

import (
	"net/http"

	"github.com/labstack/echo/v4"
)

// adapt makes middleware of net/http, such as that of verifier.Middleware and
// verifier.Require, middleware of echo. Unlike echo.WrapMiddleware it keeps
// the response of the context, so that middleware outside of it sees the
// status.
func adapt(middleware func(http.Handler) http.Handler) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) (err error) {
			handler := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				c.SetRequest(r) // its context has the token
				err = next(c)
			})
			middleware(handler).ServeHTTP(c.Response(), c.Request())
			return err
		}
	}
}
