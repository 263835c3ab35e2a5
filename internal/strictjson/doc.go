// Package strictjson reads JSON objects that come from the network, strictly
// and in one pass.
//
// It refuses what JSON libraries commonly let through and what has confused
// verifiers of tokens before: duplicate names at any depth (RFC 8259, Section
// 4; RFC 7519, Section 4), invalid UTF-8 and lone surrogates (RFC 8259,
// Section 8), a byte order mark, anything after the object, and deep nesting.
// Names are compared exactly, after their escapes are resolved; case is never
// folded.
//
// [ParseDocument] is for documents that an issuer publishes: it lets through
// what is wrong in a part of them that is not read.
package strictjson

// The files, by what they do:
//
//   - strictjson.go: the scanner: what is a JSON text
//   - value.go: what a Value holds: text with its escapes resolved, members, elements
//   - number.go: numbers and NumericDate
//   - document.go: the more lenient reading of metadata and key sets
//   - nameset.go: duplicate names of members
