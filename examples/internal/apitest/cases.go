package apitest

import (
	"net/http"
	"time"

	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// Audience of the API under test.
const Audience = "https://api.example.com"

// world is what requests are made of.
type world struct {
	api    string // base URL of the API
	issuer *verifiertest.Issuer
	client *verifiertest.DPoPClient
	thief  *verifiertest.DPoPClient
}

// request describes one request.
type request struct {
	method, path string
	// headers are field lines: names and values in turn.
	headers []string
}

// answer is what is expected of the API.
type answer struct {
	status int
	// challenges are the values of WWW-Authenticate; nil for none.
	challenges []string
	// body must hold these.
	body []string
}

const (
	bearerRealm = `Bearer realm="api"`
	dpopAlgs    = `DPoP algs="ES256"`
)

// refused is the 401 of a token or proof: an error on the scheme that was used.
func refused(scheme, code, description string) answer {
	failed := scheme + ` error="` + code + `", error_description="` + description + `"`
	body := []string{`"error":"` + code + `"`}
	if scheme == "DPoP" {
		return answer{http.StatusUnauthorized, []string{failed + `, algs="ES256"`, bearerRealm}, body}
	}
	return answer{http.StatusUnauthorized, []string{failed, dpopAlgs}, body}
}

func accepted(scheme string) answer {
	return answer{http.StatusOK, nil, []string{`"subject":"user-1"`, `"scheme":"` + scheme + `"`}}
}

type testCase struct {
	name string
	make func(w *world) request
	want answer
}

func (w *world) bound(claims map[string]any) string {
	all := map[string]any{"cnf": w.client.Confirmation()}
	for name, value := range claims {
		all[name] = value
	}
	return w.issuer.Sign(Audience, all)
}

// proven is a request with a bound token and a proof for another request,
// where method or url are not its own.
func (w *world) proven(method, path, proofMethod, proofURL string) request {
	token := w.bound(nil)
	return request{method, path, []string{
		"Authorization", "DPoP " + token, "DPoP", w.client.Proof(proofMethod, proofURL, token),
	}}
}

func bearer(method, path, token string) request {
	return request{method, path, []string{"Authorization", "Bearer " + token}}
}

// cases of one request each.
var cases = []testCase{
	{"open route", func(*world) request { return request{"GET", "/healthz", nil} },
		answer{http.StatusOK, nil, nil}},
	{"no credentials", func(*world) request { return request{"GET", "/orders", nil} },
		answer{http.StatusUnauthorized, []string{bearerRealm, dpopAlgs}, nil}},
	{"other scheme", func(*world) request { return request{"GET", "/orders", []string{"Authorization", "Basic dTpw"}} },
		answer{http.StatusUnauthorized, []string{bearerRealm, dpopAlgs}, nil}},
	{"Bearer", func(w *world) request { return bearer("GET", "/orders", w.issuer.Sign(Audience, nil)) },
		accepted("Bearer")},
	{"Bearer, expired", func(w *world) request {
		return bearer("GET", "/orders", w.issuer.Sign(Audience, map[string]any{"exp": time.Now().Add(-time.Hour).Unix()}))
	}, refused("Bearer", "invalid_token", "the access token has expired")},
	{"Bearer, another audience", func(w *world) request {
		return bearer("GET", "/orders", w.issuer.Sign("https://other.example.com", nil))
	}, refused("Bearer", "invalid_token", "the access token is for another audience")},
	{"Bearer, malformed", func(*world) request { return bearer("GET", "/orders", "opaque") },
		refused("Bearer", "invalid_token", "the access token is malformed")},
	{"Bearer, bound token", func(w *world) request { return bearer("GET", "/orders", w.bound(nil)) },
		refused("Bearer", "invalid_token", "a DPoP-bound access token was sent as Bearer")},
	{"Bearer, scope missing", func(w *world) request {
		return bearer("POST", "/orders", w.issuer.Sign(Audience, map[string]any{"scope": "read:orders"}))
	}, answer{http.StatusForbidden, []string{
		`Bearer error="insufficient_scope", error_description="the access token lacks a scope that is needed", scope="write:orders"`, dpopAlgs,
	}, []string{`"error":"insufficient_scope"`}}},
	{"Bearer, scope granted", func(w *world) request {
		return bearer("POST", "/orders", w.issuer.Sign(Audience, map[string]any{"scope": "read:orders write:orders"}))
	}, accepted("Bearer")},
	{"two Authorization lines", func(w *world) request {
		token := w.issuer.Sign(Audience, nil)
		return request{"GET", "/orders", []string{"Authorization", "Bearer " + token, "Authorization", "Bearer " + token}}
	}, answer{http.StatusBadRequest, []string{
		`Bearer error="invalid_request", error_description="several credentials were sent"`, dpopAlgs,
	}, []string{`"error":"invalid_request"`}}},

	{"DPoP", func(w *world) request { return w.proven("GET", "/orders", "GET", w.api+"/orders") }, accepted("DPoP")},
	{"DPoP, query", func(w *world) request { return w.proven("GET", "/orders?page=2&q=a%20b", "GET", w.api+"/orders") }, accepted("DPoP")},
	{"DPoP, escaped path", func(w *world) request { return w.proven("GET", "/orders/a%20b", "GET", w.api+"/orders/a%20b") }, accepted("DPoP")},
	{"DPoP, upper case path", func(w *world) request { return w.proven("GET", "/orders/Ab", "GET", w.api+"/orders/ab") },
		refused("DPoP", "invalid_dpop_proof", "the DPoP proof is for another URL")},
	{"DPoP, forwarding headers of anybody", func(w *world) request {
		r := w.proven("GET", "/orders", "GET", "https://elsewhere.example.com/orders")
		r.headers = append(r.headers, "X-Forwarded-Host", "elsewhere.example.com", "X-Forwarded-Proto", "https")
		return r
	}, refused("DPoP", "invalid_dpop_proof", "the DPoP proof is for another URL")},
	{"DPoP, forwarded host of anybody", func(w *world) request {
		r := w.proven("GET", "/orders", "GET", "http://elsewhere.example.com/orders")
		r.headers = append(r.headers, "X-Forwarded-Host", "elsewhere.example.com")
		return r
	}, refused("DPoP", "invalid_dpop_proof", "the DPoP proof is for another URL")},
	{"DPoP, proof for another method", func(w *world) request { return w.proven("GET", "/orders", "POST", w.api+"/orders") },
		refused("DPoP", "invalid_dpop_proof", "the DPoP proof is for another method")},
	{"DPoP, proof missing", func(w *world) request {
		return request{"GET", "/orders", []string{"Authorization", "DPoP " + w.bound(nil)}}
	}, answer{http.StatusUnauthorized, []string{dpopAlgs, bearerRealm}, nil}},
	{"DPoP, two proofs", func(w *world) request {
		r := w.proven("GET", "/orders", "GET", w.api+"/orders")
		r.headers = append(r.headers, "DPoP", r.headers[len(r.headers)-1])
		return r
	}, refused("DPoP", "invalid_dpop_proof", "several DPoP proofs were sent")},
	{"DPoP, proof of another key", func(w *world) request {
		token := w.bound(nil)
		return request{"GET", "/orders", []string{
			"Authorization", "DPoP " + token, "DPoP", w.thief.Proof("GET", w.api+"/orders", token),
		}}
	}, refused("DPoP", "invalid_token", "the access token is bound to another DPoP key")},
	{"DPoP, scope missing", func(w *world) request { return w.proven("POST", "/orders", "POST", w.api+"/orders") },
		answer{http.StatusForbidden, []string{
			`DPoP error="insufficient_scope", error_description="the access token lacks a scope that is needed", scope="write:orders", algs="ES256"`,
			bearerRealm,
		}, []string{`"error":"insufficient_scope"`}}},
}
