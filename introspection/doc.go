// Package introspection asks authorization servers about access tokens (RFC
// 7662): opaque ones, which only their issuer can read, and others whose issuer
// can revoke them. A [Client] is the verifier.Introspector of one issuer:
//
//	asks, err := introspection.New(introspection.Config{
//		Domain: "id.example.com", ClientID: "orders-api", Auth: exchange.ClientSecretBasic(secret),
//	})
//	...
//	verifier.Config{Audience: api, Issuers: []verifier.Issuer{
//		{Name: "id.example.com", Opaque: verifier.OpaqueTokens{Introspector: asks}},
//	}}
//
// # What is sent where
//
// A token goes to the introspection endpoint of the configured issuer and nowhere
// else: over https, or over http where the issuer itself is an http URL of
// loopback or a listed host. No redirect is followed. A question about a token of
// another issuer is an error.
//
// # What is believed
//
// An answer is a response of status 200 whose body is one JSON object of at most
// 64 KiB with a boolean "active". Anything else is an error, which the Verifier
// answers with 503: a server that is down, that hangs, or that does not know this
// client says nothing about the token. So is a signed JWT (RFC 9701) that was not
// asked for; with Config.SignedAnswers nothing else is taken.
//
// # What is remembered
//
// A positive answer is remembered for Config.TTL, and never beyond the exp that it
// states; so long a token lives on that is revoked at its issuer, and so long a
// token is still accepted when the endpoint is down. A negative answer is
// remembered for Config.NegativeTTL, in a store of its own: made-up tokens drive
// no good ones out. Keys are hashes of token, issuer, endpoint and client.
//
// # Under a flood
//
// Equal questions share one request, and requests in flight are bounded by
// Config.MaxInFlight; what is too much fails with [ErrBusy] at once, after a look of
// 500 ms at most into Config.Cache where there is one. A quarter of them is kept for
// tokens whose last answer was active; Config.MaxKnown such tokens are known, each
// by a hash. So a flood of made-up tokens, whatever its size, takes nothing from a
// token whose answer is remembered, and leaves that quarter to good ones whose answer
// has run out. A good token that this client has not seen before cannot be told from
// a made-up one: where the flood takes all of the rest, it gets ErrBusy.
package introspection

// The files, by what they do:
//
//   - config.go: Config and its checks
//   - client.go: Client: one question, shared by equal callers
//   - slots.go: how many questions are under way, and for which tokens some are kept
//   - answer.go, signed.go: how an answer is read, as JSON and as a signed JWT
//   - memory.go: answers in memory: active ones, and apart from them the negative ones
//   - shared.go: answers in the shared cache
//   - observer.go, errors.go: what an Observer is told; Error
