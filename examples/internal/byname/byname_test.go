package byname_test

import (
	"strings"
	"testing"

	"github.com/portcullis-go/portcullis/examples/internal/byname"
	"github.com/portcullis-go/portcullis/verifier"
)

func TestMake(t *testing.T) {
	for _, c := range []struct {
		name, iss, allow string
		want             string // the call
		first            string // Issuer.Name
	}{
		{"auth0", "https://shop.eu.auth0.com/", "", `providers.Auth0("shop.eu.auth0.com")`, "shop.eu.auth0.com"},
		{"Okta", "https://shop.okta.com/oauth2/default", "", `providers.Okta("shop.okta.com", "default")`, "https://shop.okta.com/oauth2/default"},
		{"entra", "https://login.microsoftonline.com/3f1b/v2.0", "", `providers.Entra("3f1b")`, "https://login.microsoftonline.com/3f1b/v2.0"},
		{"entra-v1", "https://sts.windows.net/3f1b/", "", `providers.EntraV1("3f1b")`, "https://sts.windows.net/3f1b/"},
		{"entra-b2c", "https://contoso.b2clogin.com/3f1b/v2.0/", "B2C_1_signin", `providers.EntraB2C("contoso", "3f1b", "B2C_1_signin")`, "https://contoso.b2clogin.com/3f1b/v2.0/"},
		{"adfs", "http://adfs.shop.example/adfs/services/trust", "", `providers.ADFS("adfs.shop.example")`, "http://adfs.shop.example/adfs/services/trust"},
		{"cognito", "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab", "one,two", `providers.Cognito("eu-west-1", "eu-west-1_Ab", "one", "two")`, "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab"},
		{"google", "", "", `providers.Google()`, "https://accounts.google.com"},
		{"google", "accounts.google.com", "", `providers.Google()`, "https://accounts.google.com"},
		{"github-actions", "", "shop", `providers.GitHubActions("shop")`, "https://token.actions.githubusercontent.com"},
		{"workos", "", "client_7", `providers.WorkOS("client_7")`, "https://api.workos.com"},
		{"stytch", "stytch.com/project-test-7", "", `providers.Stytch("project-test-7")`, "stytch.com/project-test-7"},
		{"keycloak", "https://sso.shop.example/realms/Shop", "", `providers.Keycloak("https://sso.shop.example", "Shop")`, "https://sso.shop.example/realms/Shop"},
		{"keycloak", "https://sso.shop.example/auth/realms/Shop", "", `providers.Keycloak("https://sso.shop.example/auth", "Shop")`, "https://sso.shop.example/auth/realms/Shop"},
		{"keycloak", "http://localhost:8080/realms/dev", "web", `providers.KeycloakClients("http://localhost:8080", "dev", "web")`, "http://localhost:8080/realms/dev"},
		{"fusionauth", "acme.com", "https://auth.shop.example", `providers.FusionAuth("https://auth.shop.example", "acme.com")`, "https://auth.shop.example"},
		{"spiffe", "shop.example", "https://spire.shop.example/bundle", `providers.SPIFFE("shop.example", "https://spire.shop.example/bundle")`, "spiffe://shop.example"},
		{"oracle-idcs", "", "idcs-7.identity.oraclecloud.com", `providers.OracleIDCS("idcs-7.identity.oraclecloud.com", nil)`, "https://identity.oraclecloud.com/"},
	} {
		in := byname.Input{Issuer: c.iss, Audiences: []string{"api"}}
		if c.allow != "" {
			in.Allow = strings.Split(c.allow, ",")
		}
		got, err := byname.Make(c.name, in)
		if err != nil || got.String() != c.want || got.Issuer.Name != c.first {
			t.Errorf("Make(%q, %q) = %s, %q, %v; want %s, %q", c.name, c.iss, got, got.Issuer.Name, err, c.want, c.first)
		}
	}
}

func TestMakeRefuses(t *testing.T) {
	for _, c := range []struct{ name, iss, says string }{
		{"nobody", "https://x.example", "known are: "},
		{"keycloak", "https://sso.shop.example", "{base}/realms/{realm}"},
		{"keycloak", "https://sso.shop.example/realms/", "{base}/realms/{realm}"},
		{"keycloak", "https://sso.shop.example/realms/a/b", "{base}/realms/{realm}"},
		{"entra", "https://login.microsoftonline.com/a/b/v2.0", "{tenant}"},
		{"cognito", "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab", "-allow: app clients"},
		{"auth0", "https://evil.example/.auth0.com/", "auth0.com"},
	} {
		if got, err := byname.Make(c.name, byname.Input{Issuer: c.iss}); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("Make(%q, %q) = %s, %v; want an error with %q", c.name, c.iss, got, err, c.says)
		}
	}
}

// TestGuess: a token's iss tells the provider, and its claims the rest.
func TestGuess(t *testing.T) {
	claims := map[string]string{"client_id": "app", "tfp": "B2C_1_x", "repository_owner": "shop", "namespace_path": "shop", "azp": "web"}
	for iss, want := range map[string]string{
		"https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab": `providers.Cognito("eu-west-1", "eu-west-1_Ab", "app")`,
		"https://sso.shop.example/realms/Shop":                     `providers.Keycloak("https://sso.shop.example", "Shop")`,
		"https://sts.windows.net/3f1b/":                            `providers.EntraV1("3f1b")`,
		"https://api.workos.com":                                   `providers.WorkOS("...")`,
		"accounts.google.com":                                      `providers.Google()`,
		"https://token.actions.githubusercontent.com":              `providers.GitHubActions("shop")`,
		"https://sso.shop.example":                                 "",
		"acme.com":                                                 "",
		"":                                                         "",
	} {
		_, call, ok := byname.Guess(iss, []string{"api"}, func(name string) string { return claims[name] })
		if ok != (want != "") || call.String() != want {
			t.Errorf("Guess(%q) = %s, %v; want %q", iss, call, ok, want)
		}
	}
}

// TestAllCanBeUsed: what Make returns is accepted by New.
func TestAllCanBeUsed(t *testing.T) {
	issuers := map[string]string{
		"auth0": "https://shop.auth0.com/", "okta": "https://shop.okta.com/oauth2/default", "entra": "https://login.microsoftonline.com/3f1b/v2.0",
		"entra-v1": "https://sts.windows.net/3f1b/", "entra-external-id": "https://3f1b.ciamlogin.com/3f1b/v2.0", "entra-b2c": "https://contoso.b2clogin.com/3f1b/v2.0/",
		"adfs": "http://adfs.example/adfs/services/trust", "cognito": "https://cognito-idp.eu-west-1.amazonaws.com/p", "eks": "https://oidc.eks.eu.amazonaws.com/id/A",
		"firebase": "https://securetoken.google.com/p", "cloudflare-access": "https://shop.cloudflareaccess.com", "stytch": "stytch.com/project-live-7",
		"supabase": "https://a.supabase.co/auth/v1", "keycloak": "https://sso.example/realms/a", "uaa": "https://uaa.example/oauth/token",
		"logto": "https://a.logto.app/oidc", "sap-ias": "a.accounts.ondemand.com", "descope": "P2", "google-service-account": "a@b.iam.gserviceaccount.com", "spiffe": "shop.example",
	}
	for _, name := range byname.Names() {
		in := byname.Input{Issuer: issuers[name], Allow: []string{"x.example"}, Audiences: []string{"api"}}
		switch name { // a URL where one is asked for, and names that have no default
		case "fusionauth", "spiffe":
			in.Allow = []string{"https://x.example/bundle"}
		}
		if _, err := byname.Make(name, in); err != nil && in.Issuer == "" {
			in.Issuer = "https://idp.example"
		}
		made, err := byname.Make(name, in)
		if err != nil {
			t.Errorf("Make(%q) = %v", name, err)
			continue
		}
		v, err := verifier.New(verifier.Config{Audience: "api", Issuers: []verifier.Issuer{made.Issuer}})
		if err != nil {
			t.Errorf("%s: New = %v", name, err)
			continue
		}
		_ = v.Close()
	}
}
