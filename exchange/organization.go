package exchange

import (
	"strings"

	"github.com/portcullis-go/portcullis/internal/jws"
	"github.com/portcullis-go/portcullis/internal/strictjson"
)

// checkOrganization demands that the tokens returned are of the organization
// asked for: an id ("org_...") is compared with org_id exactly, a name with
// org_name without case, as names are lower-cased at Auth0.
//
// The access token is for another audience, so its signature is not this
// client's to verify; both tokens came straight from the issuer over TLS
// (OpenID Connect Core 1.0, Section 3.1.3.7, item 6). A token that states
// another organization refuses the answer, and at least one must state the
// right one.
func checkOrganization(want string, t *Tokens) error {
	if want == "" {
		return nil
	}
	found := false
	for _, token := range []string{t.IDToken, t.AccessToken} {
		stated, ok := organizationOf(token, want)
		if ok && !matches(stated, want) {
			return invalidResponse(codeInvalidResponse, "a token of another organization", ErrOrganization)
		}
		found = found || ok
	}
	if !found {
		return invalidResponse(codeInvalidResponse, "no token states the organization", ErrOrganization)
	}
	return nil
}

func isOrganizationID(text string) bool { return strings.HasPrefix(text, "org_") }

// organizationOf returns the claim that an organization is compared with; ok is
// false when the token is not a JWT or has no such claim. A claim that is not
// text is "", which matches nothing.
func organizationOf(token, want string) (stated string, ok bool) {
	parsed, err := jws.Parse(token, nil, nil)
	if err != nil {
		return "", false
	}
	claim := "org_name"
	if isOrganizationID(want) {
		claim = "org_id"
	}
	value := strictjson.Find(parsed.Members, claim)
	stated, _ = value.Text()
	return stated, value.Kind() != strictjson.Invalid
}

func matches(stated, want string) bool {
	if isOrganizationID(want) {
		return stated == want
	}
	return strings.EqualFold(stated, want)
}
