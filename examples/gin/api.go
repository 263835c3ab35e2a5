package main

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/portcullis-go/portcullis/verifier"
)

// newAPI has an open route, routes for everybody with a good token, and one
// for those with a scope.
func newAPI(v verifier.RequestVerifier) http.Handler {
	router := gin.New()
	router.Use(gin.Recovery())
	router.GET("/healthz", func(c *gin.Context) { c.Status(http.StatusOK) })

	protected := router.Group("/", adapt(verifier.Middleware(v, verifier.MiddlewareConfig{})))
	protected.GET("/orders", whoAmI)
	protected.GET("/orders/:id", whoAmI)
	protected.POST("/orders", adapt(verifier.Require(verifier.AllScopes("write:orders"))), whoAmI)
	return router
}

// whoAmI answers with what the token says.
func whoAmI(c *gin.Context) {
	token, ok := verifier.TokenFromContext(c.Request.Context())
	if !ok { // the route is not behind the middleware
		c.AbortWithStatus(http.StatusInternalServerError)
		return
	}
	c.JSON(http.StatusOK, gin.H{"subject": token.Subject, "scheme": token.Scheme})
}
