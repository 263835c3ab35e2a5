// Package fetch gets JSON documents of an issuer, and sends forms to it, over
// HTTPS and bounded.
package fetch

// The files, by what they do:
//
//   - fetch.go: GET: what is sent, and how much of an answer is read
//   - post.go: POST of a form
//   - url.go: which URLs may be asked, and where http is allowed
//   - redirect.go: the one redirect that is followed
//   - address.go: which IP addresses are public
//   - errors.go: Error, and the classes of failures
