package main

import (
	"net/http"

	"github.com/gin-gonic/gin"
)

// adapt makes middleware of net/http, such as that of verifier.Middleware and
// verifier.Require, middleware of gin. A request that it does not pass on is
// answered, and goes no further down gin's chain.
func adapt(middleware func(http.Handler) http.Handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		passed := false
		next := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			passed = true
			c.Request = r // its context has the token
			c.Next()
		})
		middleware(next).ServeHTTP(c.Writer, c.Request)
		if !passed {
			c.Abort()
		}
	}
}
