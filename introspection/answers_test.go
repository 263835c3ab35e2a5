package introspection_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/portcullis-go/portcullis/exchange"
	"github.com/portcullis-go/portcullis/introspection"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/reason"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

const (
	accepted    = verifier.Reason("")
	undecidable = reason.Introspection
	jkt         = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
)

// claims are the members of a good answer; each pair replaces one, or adds it. A
// value of "" removes the member.
func claims(pairs ...string) string {
	names := []string{"active", "iss", "sub", "aud", "iat", "exp", "scope", "client_id", "token_type"}
	values := map[string]string{
		"active": "true", "iss": `"https://id.example.com/"`, "sub": `"user-1"`, "aud": `"https://api.example.com/"`, "iat": "1777636800", "exp": "1777640400",
		"scope": `"read write"`, "client_id": `"client-1"`, "token_type": `"Bearer"`,
	}
	for i := 0; i < len(pairs); i += 2 {
		if _, known := values[pairs[i]]; !known {
			names = append(names, pairs[i])
		}
		values[pairs[i]] = pairs[i+1]
	}
	var members []string
	for _, name := range names {
		if values[name] != "" {
			members = append(members, fmt.Sprintf("%q:%s", name, values[name]))
		}
	}
	return "{" + strings.Join(members, ",") + "}"
}

var answers = []struct {
	name   string
	status int
	body   string
	want   verifier.Reason
}{
	{"good", 200, claims(), accepted},
	{"good, with white space around it", 200, " \r\n\t" + claims() + "\n", accepted},
	{"members that nobody knows", 200, claims("x", `{"y":[1,2,{"z":null}]}`), accepted},
	{"without iss", 200, claims("iss", ""), accepted},
	{"without sub", 200, claims("sub", ""), accepted},
	{"without scope", 200, claims("scope", ""), accepted},
	{"without client_id", 200, claims("client_id", ""), accepted},
	{"without token_type", 200, claims("token_type", ""), accepted},
	{"aud is a list", 200, claims("aud", `["https://other.example.com/","https://api.example.com/"]`), accepted},
	{"exp with a fraction", 200, claims("exp", "1777640400.5"), accepted},
	{"nbf is now", 200, claims("nbf", "1777636800"), accepted},
	{"token_type in lower case", 200, claims("token_type", `"bearer"`), accepted},
	{"token_type access_token", 200, claims("token_type", `"access_token"`), accepted},
	{"token_use access_token", 200, claims("token_use", `"access_token"`), accepted},
	{"typ Bearer", 200, claims("typ", `"Bearer"`), accepted},
	{"typ at+jwt", 200, claims("typ", `"application/at+jwt"`), accepted},
	{"iss without the slash", 200, claims("iss", `"https://id.example.com"`), accepted},
	{"scope is a list", 200, claims("scope", `["read","write"]`), accepted},

	{"not active", 200, `{"active":false}`, reason.TokenInactive},
	{"not active, and tells all the same", 200, claims("active", "false"), reason.TokenInactive},
	{"another issuer", 200, claims("iss", `"https://evil.example.com/"`), reason.IssuerMismatch},
	{"iss in another case", 200, claims("iss", `"https://ID.example.com/"`), reason.IssuerMismatch},
	{"iss is empty", 200, claims("iss", `""`), reason.IssuerMissing},
	{"iss is null", 200, claims("iss", "null"), reason.IssuerMissing},
	{"iss is a number", 200, claims("iss", "7"), reason.IssuerMissing},
	{"without aud", 200, claims("aud", ""), reason.ClaimMissing},
	{"AUD is not aud", 200, claims("aud", "", "AUD", `"https://api.example.com/"`), reason.ClaimMissing},
	{"another aud", 200, claims("aud", `"https://other.example.com/"`), reason.Audience},
	{"aud with another end", 200, claims("aud", `"https://api.example.com"`), reason.Audience},
	{"aud is an empty list", 200, claims("aud", "[]"), reason.Audience},
	{"aud is null", 200, claims("aud", "null"), reason.ClaimMalformed},
	{"aud is a list with a number", 200, claims("aud", `["https://api.example.com/",1]`), reason.ClaimMalformed},
	{"without exp", 200, claims("exp", ""), reason.ClaimMissing},
	{"exp is text", 200, claims("exp", `"1777640400"`), reason.ClaimMalformed},
	{"exp is null", 200, claims("exp", "null"), reason.ClaimMalformed},
	{"expired, and active all the same", 200, claims("exp", "1777636799"), reason.Expired},
	{"exp is now", 200, claims("exp", "1777636800"), reason.Expired},
	{"exp is negative", 200, claims("exp", "-1"), reason.Expired},
	{"nbf is later", 200, claims("nbf", "1777636801"), reason.NotYetValid},
	{"nbf is text", 200, claims("nbf", `"0"`), reason.ClaimMalformed},
	{"without iat", 200, claims("iat", ""), reason.ClaimMissing},
	{"iat is text", 200, claims("iat", `"x"`), reason.ClaimMalformed},
	{"sub is a number", 200, claims("sub", "1"), reason.ClaimMalformed},
	{"scope is a number", 200, claims("scope", "1"), reason.ClaimMalformed},
	{"scope is a list with a blank in it", 200, claims("scope", `["read admin"]`), reason.ClaimMalformed},
	{"client_id is a list", 200, claims("client_id", `["client-1"]`), reason.ClaimMalformed},
	{"refresh token, by token_type", 200, claims("token_type", `"refresh_token"`), reason.TokenType},
	{"refresh token, by token_use", 200, claims("token_use", `"refresh_token"`), reason.TokenType},
	{"refresh token, by typ", 200, claims("typ", `"Refresh"`), reason.TokenType},
	{"offline token", 200, claims("typ", `"Offline"`), reason.TokenType},
	{"ID token", 200, claims("typ", `"ID"`), reason.TokenType},
	{"ID token, by token_use", 200, claims("token_use", `"id"`), reason.TokenType},
	{"MAC token", 200, claims("token_type", `"mac"`), reason.TokenType},
	{"token_type N_A", 200, claims("token_type", `"N_A"`), reason.TokenType},
	{"token_type is null", 200, claims("token_type", "null"), reason.TokenType},
	{"token_type is a list", 200, claims("token_type", `["Bearer"]`), reason.TokenType},
	{"bound to a key", 200, claims("cnf", `{"jkt":"`+jkt+`"}`, "token_type", `"DPoP"`), reason.BoundTokenAsBearer},
	{"bound to a key, and says Bearer", 200, claims("cnf", `{"jkt":"`+jkt+`"}`), reason.BoundTokenAsBearer},
	{"DPoP without a key", 200, claims("token_type", `"DPoP"`), reason.Confirmation},
	{"bound to a certificate", 200, claims("cnf", `{"x5t#S256":"`+jkt+`"}`), reason.CertificateMissing},
	{"cnf that is not understood", 200, claims("cnf", `{"kid":"1"}`), reason.Confirmation},
	{"cnf is null", 200, claims("cnf", "null"), reason.Confirmation},
	{"cnf is a list", 200, claims("cnf", "[]"), reason.Confirmation},
	{"jkt is too short", 200, claims("cnf", `{"jkt":"abc"}`), reason.Confirmation},

	{"active is text", 200, claims("active", `"true"`), undecidable},
	{"active is a number", 200, claims("active", "1"), undecidable},
	{"active is null", 200, claims("active", "null"), undecidable},
	{"without active", 200, claims("active", ""), undecidable},
	{"ACTIVE is not active", 200, claims("active", "", "ACTIVE", "true"), undecidable},
	{"active twice", 200, `{"active":false,"active":true}`, undecidable},
	{"aud twice", 200, strings.Replace(claims(), `"sub"`, `"aud":"x","sub"`, 1), undecidable},
	{"empty object", 200, "{}", undecidable},
	{"empty body", 200, "", undecidable},
	{"null", 200, "null", undecidable},
	{"true", 200, "true", undecidable},
	{"a list", 200, "[" + claims() + "]", undecidable},
	{"two objects", 200, claims() + claims(), undecidable},
	{"text after it", 200, claims() + "x", undecidable},
	{"cut off", 200, claims()[:60], undecidable},
	{"a comma too much", 200, `{"active":true,}`, undecidable},
	{"not UTF-8", 200, claims("x", "\"\xff\""), undecidable},
	{"half a surrogate pair", 200, claims("x", `"\ud800"`), undecidable},
	{"HTML", 200, "<html>active</html>", undecidable},
	{"deeply nested", 200, claims("x", strings.Repeat("[", 10_000)+strings.Repeat("]", 10_000)), undecidable},
	{"more than 64 KiB", 200, claims("x", `"`+strings.Repeat("a", 64<<10)+`"`), undecidable},
	{"more than 1 MiB", 200, claims("x", `"`+strings.Repeat("a", 1<<20)+`"`), undecidable},
	{"status 201", 201, claims(), undecidable},
	{"status 203", 203, claims(), undecidable},
	{"status 204", 204, "", undecidable},
	{"status 302", 302, claims(), undecidable},
	{"status 400", 400, `{"error":"invalid_request"}`, undecidable},
	{"status 400 with an answer", 400, `{"active":false}`, undecidable},
	{"client is not known", 401, `{"error":"invalid_client"}`, undecidable},
	{"client is not allowed", 403, `{"active":false}`, undecidable},
	{"no such endpoint", 404, `{"active":false}`, undecidable},
	{"too many requests", 429, "", undecidable},
	{"server error", 500, `{"active":false}`, undecidable},
	{"server is down", 503, "", undecidable},
}

func TestAnswers(t *testing.T) {
	if len(answers) < 60 {
		t.Fatalf("the table has %d answers; want 60 or more", len(answers))
	}
	for _, test := range answers {
		t.Run(test.name, func(t *testing.T) {
			token := "opaque_SECRET_" + strings.ReplaceAll(test.name, " ", "")
			token = strings.Map(func(r rune) rune {
				if r > '~' || strings.ContainsRune(",;", r) {
					return -1
				}
				return r
			}, token)
			asks := mustClient(t, introspection.Config{
				Domain: "id.example.com", Endpoint: "https://id.example.com/introspect", ClientID: "orders", Auth: exchange.ClientSecretPost("s3cret-s3cret"),
				Doer: &raw{status: test.status, body: test.body}, Clock: verifiertest.NewClock(start),
			})
			v, err := verifier.New(verifier.Config{Audience: api, Clock: verifiertest.NewClock(start), Issuers: []verifier.Issuer{
				{Name: "id.example.com", Opaque: verifier.OpaqueTokens{Introspector: asks}},
			}})
			if err != nil {
				t.Fatal(err)
			}
			defer v.Close()
			for range 2 { // from the endpoint, and perhaps from memory
				got, err := v.VerifyRequest(t.Context(), verifier.Request{Header: map[string][]string{"Authorization": {"Bearer " + token}}})
				var failure *verifier.Error
				errors.As(err, &failure)
				switch {
				case test.want == accepted && (err != nil || got.IssuerName != "https://id.example.com/"):
					t.Fatalf("VerifyRequest = %v, %v; want a token", got, err)
				case test.want != accepted && (failure == nil || failure.Reason != test.want):
					t.Fatalf("VerifyRequest = %v; want %s", err, test.want)
				case (test.want == undecidable) != errors.Is(err, verifier.ErrUnavailable):
					t.Fatalf("VerifyRequest = %v; an answer that says nothing must be 503, and any other not", err)
				}
				for e := err; e != nil; e = errors.Unwrap(e) {
					if strings.Contains(e.Error(), "SECRET") || strings.Contains(e.Error(), "s3cret") || strings.Contains(e.Error(), "evil") {
						t.Errorf("the error %q holds a secret", e)
					}
				}
			}
		})
	}
}

func FuzzAnswer(f *testing.F) {
	for _, a := range answers {
		if len(a.body) < 4096 {
			f.Add(a.body)
		}
	}
	f.Fuzz(func(t *testing.T, body string) {
		asks, err := introspection.New(introspection.Config{
			Domain: "id.example.com", Endpoint: "https://id.example.com/introspect", ClientID: "orders", Auth: exchange.ClientSecretPost("s3cret-s3cret"),
			Doer: &raw{status: 200, body: body}, Clock: verifiertest.NewClock(start),
		})
		if err != nil {
			t.Fatal(err)
		}
		defer asks.Close()
		v, err := verifier.New(verifier.Config{Audience: api, Clock: verifiertest.NewClock(start), Issuers: []verifier.Issuer{
			{Name: "id.example.com", Opaque: verifier.OpaqueTokens{Introspector: asks}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		token, err := v.VerifyAccessToken(t.Context(), "opaque")
		if err != nil {
			return
		}
		// What is accepted says so itself.
		var said struct {
			Active bool    `json:"active"`
			Exp    float64 `json:"exp"`
		}
		if err := token.Decode(&said); err != nil || !said.Active || said.Exp <= float64(start.Unix()) {
			t.Errorf("accepted %q", body)
		}
	})
}
