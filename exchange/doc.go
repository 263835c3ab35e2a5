// Package exchange is a client for OAuth 2.0 token exchange (RFC 8693).
package exchange
