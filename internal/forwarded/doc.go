// Package forwarded finds out which URL a client asked for when proxies stand
// between it and the server.
package forwarded

// The files, by what they do:
//
//   - config.go: Config and its checks
//   - policy.go: Policy: the URL of a request, and which peers are trusted
//   - headers.go: the fields X-Forwarded-*: which element of a list counts
//   - rfc7239.go: the field Forwarded
//   - node.go: addresses of proxies, as fields spell them
