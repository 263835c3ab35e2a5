package main

import (
	"github.com/gofiber/fiber/v2"

	"github.com/portcullis-go/portcullis/verifier"
)

// newAPI has an open route, routes for everybody with a good token, and one
// for those with a scope.
func newAPI(v requestVerifier, externalURL string) *fiber.App {
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	app.Get("/healthz", func(c *fiber.Ctx) error { return c.SendStatus(fiber.StatusOK) })

	protected := app.Group("/orders", authenticate(v, externalURL))
	protected.Get("/", whoAmI)
	protected.Get("/:id", whoAmI)
	protected.Post("/", require(verifier.AllScopes("write:orders")), whoAmI)
	return app
}

// whoAmI answers with what the token says.
func whoAmI(c *fiber.Ctx) error {
	token, ok := verifier.TokenFromContext(c.UserContext())
	if !ok { // the route is not behind the middleware
		return fiber.ErrInternalServerError
	}
	return c.JSON(fiber.Map{"subject": token.Subject, "scheme": token.Scheme})
}
