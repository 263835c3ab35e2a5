package providers_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/portcullis-go/portcullis/providers"
	"github.com/portcullis-go/portcullis/resolver"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/reason"
)

// entraWorld publishes what all tenants of Microsoft Entra ID share, and returns what
// signs for a tenant.
func entraWorld(w *world) func(tenant string) string {
	const name, jwks = "https://login.microsoftonline.com/{tenantid}/v2.0", "https://login.microsoftonline.com/common/discovery/v2.0/keys"
	k := newKey("x5t-1", "RS256")
	w.publish("https://login.microsoftonline.com/common/v2.0"+wellKnown, metadata(name, jwks))
	w.publish(jwks, keySet(k.jwk(object{"alg": nil, "issuer": name})))
	return func(tenant string) string {
		return k.sign(jwt, object{"iss": strings.ReplaceAll(name, "{tenantid}", tenant), "aud": "api", "tid": tenant, "azp": "web", "scp": "Orders.Read", "ver": "2.0", "sub": "s"}).text()
	}
}

func guid(n int) string { return fmt.Sprintf("%08d-2222-3333-4444-555555555555", n) }

// TestManyTenants: the documents of all tenants are one, and a refused tenant costs
// nothing.
func TestManyTenants(t *testing.T) {
	w := newWorld(t)
	sign := entraWorld(w)
	asked := 0
	r, err := providers.EntraTenants(func(_ context.Context, tenant string) (bool, error) {
		asked++
		return !strings.HasPrefix(tenant, "9"), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	v, err := verifier.New(verifier.Config{Domains: r, Audience: "api", Doer: w.client()})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if _, err := v.VerifyAccessToken(t.Context(), sign("9"+guid(1)[1:])); reasonOf(err) != reason.IssuerNotAllowed || w.requests("") != 0 {
		t.Errorf("a refused tenant: %s and %d requests; want %s and none", outcome(err), w.requests(""), reason.IssuerNotAllowed)
	}
	for range 4 {
		for n := range 150 {
			if _, err := v.VerifyAccessToken(t.Context(), sign(guid(n))); err != nil {
				t.Fatalf("tenant %d: %s", n, outcome(err))
			}
		}
	}
	metadata, keys := w.requests(wellKnown), w.requests("/keys")
	t.Logf("150 tenants, 600 requests: %d metadata and %d key fetches, %d questions about tenants", metadata, keys, asked)
	if metadata != 1 || keys != 1 || w.requests("") != 2 || asked != 601 {
		t.Errorf("%d metadata, %d key fetches, %d questions; want 1, 1 and 601", metadata, keys, asked)
	}
}

// TestTenantsBesideOthers: tenants of Entra, one Keycloak and one list in a Chain.
func TestTenantsBesideOthers(t *testing.T) {
	w := newWorld(t)
	sign := entraWorld(w)
	k := newKey("kc", "RS256")
	w.issuer(realm, realm+"/certs", k.jwk(nil))
	tenants, err := providers.EntraTenants(allowed)
	if err != nil {
		t.Fatal(err)
	}
	v, err := verifier.New(verifier.Config{
		Domains: resolver.Chain(tenants, resolver.Static(realm)), Issuers: issuers(providers.Keycloak("https://sso.shop.example", "Shop")), Audience: "api", Doer: w.client(),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	for what, c := range map[string]struct {
		token string
		want  verifier.Reason
	}{
		"a tenant":            {sign(tenantID), ""},
		"another tenant":      {sign(guid(7)), reason.IssuerNotAllowed},
		"the realm":           {k.sign(jwt, object{"iss": realm, "aud": "api", "typ": "Bearer"}).text(), ""},
		"its rules":           {k.sign(jwt, object{"iss": realm, "aud": "api", "typ": "ID"}).text(), reason.ClaimValue},
		"another realm":       {k.sign(jwt, object{"iss": realm + "2", "aud": "api", "typ": "Bearer"}).text(), reason.IssuerNotAllowed},
		"a key of the tenant": {k.sign(jwt, object{"iss": "https://login.microsoftonline.com/" + tenantID + "/v2.0", "aud": "api", "tid": tenantID, "azp": "web"}).text(), reason.KeyUnknown},
	} {
		if _, err := v.VerifyAccessToken(t.Context(), c.token); reasonOf(err) != c.want {
			t.Errorf("%s: %s; want %s", what, outcome(err), wanted(c.want))
		}
	}
}
