package main

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

const audience = "https://api.example.com"

// demo runs the issuer, the API and the requests.
func demo(out io.Writer) (err error) {
	failure := verifiertest.Run(func(t testing.TB) { err = demonstrate(t, out) })
	return errors.Join(failure, err)
}

func demonstrate(t testing.TB, out io.Writer) error {
	fmt.Fprintln(out, "go run has compiled the program, which takes up to a minute the first time. It now starts an issuer and two protected APIs")
	fmt.Fprintln(out, "on this machine, sends them requests, and compares every answer with the expected one. Nothing leaves this machine.")
	fmt.Fprintln(out)
	issuer := verifiertest.NewIssuer(t)

	tokens, err := newTokens(issuer)
	if err != nil {
		return err
	}
	defer tokens.Close()
	cfg := issuer.Config(audience)
	tokens.configure(&cfg)
	v, err := verifier.New(cfg)
	if err != nil {
		return err
	}
	defer v.Close()
	server := httptest.NewServer(api(v))
	defer server.Close()

	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		return err
	}
	nonces, err := verifier.NewNonceSource(verifier.NonceConfig{Secrets: [][]byte{secret}})
	if err != nil {
		return err
	}
	strict := issuer.Config(audience)
	strict.DPoP = verifier.DPoPConfig{Mode: verifier.DPoPRequired, Nonces: nonces}
	vn, err := verifier.New(strict)
	if err != nil {
		return err
	}
	defer vn.Close()
	nonceServer := httptest.NewServer(api(vn))
	defer nonceServer.Close()

	d := &demonstration{t: t, issuer: issuer, api: server.URL + "/orders", nonceAPI: nonceServer.URL + "/orders"}
	rows := slices.Concat(d.bearer(), d.tokens(tokens), d.dpop())
	fmt.Fprintf(out, "issuer %s   API %s\n\n", issuer.URL(), server.URL)
	table := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "REQUEST\tSTATUS\tERROR\tWHY")
	expected, full := 0, ""
	for _, row := range rows {
		a, err := send(row.request)
		if err != nil {
			return err
		}
		mark := ""
		if a.status == row.status && a.code == row.code {
			expected++
		} else {
			mark = strings.TrimRight(fmt.Sprintf("   <- expected %d %s", row.status, row.code), " ")
		}
		fmt.Fprintf(table, "%s\t%d\t%s\t%s%s\n", row.name, a.status, a.code, a.why, mark)
		if full == "" && a.code != "" {
			full = "What the client sees of \"" + row.name + "\":\n\n" + a.head()
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(out, "\n%s\nThe two APIs asked the issuer %d times for metadata and %d times for keys.\n\n%d of %d as expected\n",
		full, issuer.Requests().Discovery, issuer.Requests().JWKS, expected, len(rows))
	if expected < len(rows) {
		return fmt.Errorf("%d answers were not as expected", len(rows)-expected)
	}
	return nil
}

// row is a request and the answer that it should get.
type row struct {
	name    string
	status  int
	code    string // the error of the challenge, or ""
	request *http.Request
}

type demonstration struct {
	t             testing.TB
	issuer        *verifiertest.Issuer
	api, nonceAPI string
}

func (d *demonstration) request(method, url string) *http.Request {
	r, err := http.NewRequestWithContext(d.t.Context(), method, url, nil)
	if err != nil {
		d.t.Fatalf("%v", err)
	}
	return r
}

func (d *demonstration) with(method, token string) *http.Request {
	r := d.request(method, d.api)
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

// bearer are the requests with Bearer tokens (RFC 6750).
func (d *demonstration) bearer() []row {
	past := time.Now().Add(-2 * time.Hour).Unix()
	good := d.issuer.Sign(audience, map[string]any{"scope": "read:orders"})
	forged := good[:strings.LastIndexByte(good, '.')+1] + strings.Repeat("A", 342)
	other := verifiertest.NewIssuer(d.t)
	twice := d.with("GET", good)
	twice.Header.Add("Authorization", "Bearer "+good)
	return []row{
		{"Bearer, good token", 200, "", d.with("GET", good)},
		{"Bearer, scope missing", 403, "insufficient_scope", d.with("POST", good)},
		{"Bearer, scope granted", 200, "", d.with("POST", d.issuer.Sign(audience, map[string]any{"scope": "write:orders"}))},
		{"no credentials", 401, "", d.request("GET", d.api)},
		{"two Authorization headers", 400, "invalid_request", twice},
		{"Bearer, neither JWT nor known", 401, "invalid_token", d.with("GET", "opaque-token")},
		{"Bearer, expired", 401, "invalid_token", d.with("GET", d.issuer.Sign(audience, map[string]any{"exp": past}))},
		{"Bearer, other audience", 401, "invalid_token", d.with("GET", d.issuer.Sign("https://other.example.com", nil))},
		{"Bearer, forged signature", 401, "invalid_token", d.with("GET", forged)},
		{"Bearer, issuer not allowed", 401, "invalid_token", d.with("GET", other.Sign(audience, nil))},
		{"Bearer, another kind of JWT", 401, "invalid_token", d.with("GET", d.issuer.SignWith(map[string]any{"typ": "logout+jwt"}, d.issuer.Claims(audience, nil)))},
	}
}

// dpop are the requests with DPoP-bound tokens (RFC 9449).
func (d *demonstration) dpop() []row {
	client, thief := verifiertest.NewDPoPClient(d.t, nil, ""), verifiertest.NewDPoPClient(d.t, nil, "")
	bound := d.issuer.Sign(audience, map[string]any{"cnf": client.Confirmation()})
	proven := func(url, proof string) *http.Request {
		r := d.request("GET", url)
		r.Header.Set("Authorization", "DPoP "+bound)
		r.Header.Set("DPoP", proof)
		return r
	}
	once := client.Proof("GET", d.api, bound)
	withNonce := d.request("GET", d.nonceAPI)
	resp, err := client.Do(http.DefaultClient, d.request("GET", d.nonceAPI), bound)
	if err != nil {
		d.t.Fatalf("%v", err)
	}
	_ = resp.Body.Close()
	nonce := resp.Header.Get("DPoP-Nonce")
	withNonce.Header.Set("Authorization", "DPoP "+bound)
	withNonce.Header.Set("DPoP", client.ProofWith("GET", d.nonceAPI, bound, nil, map[string]any{"nonce": nonce}))
	return []row{
		{"DPoP, good proof", 200, "", proven(d.api, once)},
		{"DPoP, the same proof again", 401, "invalid_dpop_proof", proven(d.api, once)},
		{"DPoP, proof of another key", 401, "invalid_token", proven(d.api, thief.Proof("GET", d.api, bound))},
		{"DPoP, proof for another URL", 401, "invalid_dpop_proof", proven(d.api, client.Proof("GET", d.api+"/1", bound))},
		{"DPoP, proof for another method", 401, "invalid_dpop_proof", proven(d.api, client.Proof("POST", d.api, bound))},
		{"DPoP, proof missing", 401, "", proven(d.api, "")},
		{"bound token as Bearer", 401, "invalid_token", d.with("GET", bound)},
		{"DPoP, nonce demanded", 401, "use_dpop_nonce", proven(d.nonceAPI, client.Proof("GET", d.nonceAPI, bound))},
		{"DPoP, with that nonce", 200, "", withNonce},
	}
}

// answer is what the server had to say.
type answer struct {
	status     int
	challenges []string
	code, why  string // of the challenge, or what was accepted
}

// parameter finds the parameters of our own challenges.
var parameter = regexp.MustCompile(`(error|error_description)="([^"]*)"`)

func send(r *http.Request) (a answer, err error) {
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return a, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	if err != nil {
		return a, err
	}
	a.status, a.challenges = resp.StatusCode, resp.Header.Values("WWW-Authenticate")
	var shown struct{ Subject, Scheme, Message string }
	if err := json.Unmarshal(body, &shown); err != nil {
		return a, err
	}
	a.why = shown.Message
	if a.status == http.StatusOK {
		a.why = "accepted: " + shown.Subject + " by " + shown.Scheme
	}
	for _, found := range parameter.FindAllStringSubmatch(strings.Join(a.challenges, "\n"), -1) {
		if found[1] == "error" {
			a.code = found[2]
		} else {
			a.why = found[2]
		}
	}
	return a, nil
}

// head is the head of the response, as far as it matters here.
func (a *answer) head() string {
	text := fmt.Sprintf("  HTTP/1.1 %d %s\n", a.status, http.StatusText(a.status))
	for _, c := range a.challenges {
		text += "  WWW-Authenticate: " + c + "\n"
	}
	return text
}
