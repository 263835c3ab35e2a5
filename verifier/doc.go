// Package verifier verifies OAuth 2.0 access tokens in Go APIs.
package verifier
