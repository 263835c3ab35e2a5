package providers_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/portcullis-go/portcullis/providers"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/reason"
)

// documented returns the set-ups of the page whose tokens are JWTs and accepted.
func documented() []setup {
	return slices.DeleteFunc(slices.Concat(hosted, selfHosted, microsoft, clouds, workloads), func(s setup) bool { return s.refused != "" })
}

// find returns a set-up by its name.
func find(t *testing.T, name string) setup {
	t.Helper()
	for _, s := range documented() {
		if s.name() == name {
			return s
		}
	}
	t.Fatalf("no set-up is called %q", name)
	return setup{}
}

// TestNoSetupLetsInWhatNobodyShould changes one thing of every accepted token.
func TestNoSetupLetsInWhatNobodyShould(t *testing.T) {
	for _, s := range documented() {
		t.Run(s.name(), func(t *testing.T) {
			w := newWorld(t)
			good := s.issue(w)
			v := s.verifier(t, w)
			for what, c := range map[string]struct {
				header, payload object
				key             *key
				want            []verifier.Reason
			}{
				"as it is":              {want: []verifier.Reason{""}},
				"another audience":      {payload: object{"aud": "https://other.example"}, want: []verifier.Reason{reason.Audience}},
				"another issuer":        {payload: object{"iss": "https://other.example/"}, want: []verifier.Reason{reason.IssuerNotAllowed}},
				"the issuer, longer":    {payload: object{"iss": longer(good)}, want: []verifier.Reason{reason.IssuerNotAllowed, reason.IssuerMalformed, reason.IssuerMissing}},
				"the issuer, upper":     {payload: object{"iss": strings.ToUpper(longer(good))}, want: []verifier.Reason{reason.IssuerNotAllowed, reason.IssuerMalformed, reason.IssuerMissing}},
				"expired":               {payload: object{"exp": now() - 10}, want: []verifier.Reason{reason.Expired}},
				"without end":           {payload: object{"exp": nil}, want: []verifier.Reason{reason.ClaimMissing}},
				"a logout token":        {header: object{"typ": "logout+jwt"}, want: []verifier.Reason{reason.TokenType}},
				"a proof":               {header: object{"typ": "dpop+jwt"}, want: []verifier.Reason{reason.TokenType}},
				"a key binding":         {header: object{"typ": "kb+jwt"}, want: []verifier.Reason{reason.TokenType}},
				"the key of another":    {key: thief(good.key), want: []verifier.Reason{reason.Signature}},
				"an algorithm of a MAC": {header: object{"alg": "HS256"}, want: []verifier.Reason{reason.Algorithm}},
			} {
				changed := sent{key: good.key, header: with(good.header, c.header), payload: with(good.payload, c.payload)}
				if c.key != nil {
					changed.key = c.key
				}
				if _, err := v.VerifyRequest(t.Context(), bearer(changed.text())); !slices.Contains(c.want, reasonOf(err)) {
					t.Errorf("%s: %s; want %q", what, outcome(err), c.want)
				}
			}
		})
	}
}

func longer(s sent) string {
	iss, _ := s.payload["iss"].(string)
	return iss + "/x"
}

// thief is a key of the same kind.
func thief(k *key) *key {
	if k.alg == "RS256" {
		return &key{k.id, k.alg, rsaKey(2)}
	}
	return newKey(k.id, k.alg)
}

// TestRefusals: what each constructor keeps out beside that. Every row changes one token
// of the provider into another of its tokens.
func TestRefusals(t *testing.T) {
	const other = "11111111-2222-3333-4444-555555555555"
	tested := make(map[string]bool)
	for _, c := range []struct {
		setup, what     string
		header, payload object
		want            verifier.Reason
		claim           string
	}{
		{"Auth0", "another tenant", nil, object{"iss": "https://shop.us.auth0.com/"}, reason.IssuerNotAllowed, ""},
		{"Auth0", "an ID token", nil, object{"aud": "web"}, reason.Audience, ""},
		{"Auth0-custom-domain", "another tenant", nil, object{"iss": "https://other.eu.auth0.com/"}, reason.IssuerNotAllowed, ""},
		{"Okta", "another server", nil, object{"iss": "https://shop.okta.com/oauth2/aus7"}, reason.IssuerNotAllowed, ""},
		{"Okta", "the organisation's server", nil, object{"iss": "https://shop.okta.com"}, reason.IssuerNotAllowed, ""},
		{"Okta", "an ID token", nil, object{"aud": "0oa7"}, reason.Audience, ""},
		{"Okta", "an ID token for a client of this name", nil, object{"cid": nil}, reason.ClaimMissing, "cid"},
		{"Clerk", "another origin", nil, object{"azp": "https://evil.example"}, reason.Audience, ""},
		{"Clerk", "no origin", nil, object{"azp": nil}, reason.ClaimMissing, "azp"},
		{"Clerk", "a token of a template", nil, object{"sid": nil}, reason.ClaimMissing, "sid"},
		{"WorkOS-AuthKit", "another application", nil, object{"iss": "https://api.workos.com/user_management/client_8"}, reason.IssuerNotAllowed, ""},
		{"WorkOS-AuthKit", "no session", nil, object{"sid": nil}, reason.ClaimMissing, "sid"},
		{"WorkOS-AuthKit-one-organization", "another organization", nil, object{"org_id": "org_8"}, reason.Audience, ""},
		{"WorkOS-AuthKit-one-organization", "no organization", nil, object{"org_id": nil}, reason.ClaimMissing, "org_id"},
		{"Stytch", "another project", nil, object{"iss": "stytch.com/project-test-8", "aud": []string{"project-test-8"}}, reason.IssuerMalformed, ""},
		{"Descope", "another project", nil, object{"iss": "P2other"}, reason.IssuerNotAllowed, ""},
		{"Descope", "a refresh token", nil, object{"drn": "DSR"}, reason.ClaimValue, "drn"},
		{"Supabase", "another project", nil, object{"iss": "https://other.supabase.co/auth/v1"}, reason.IssuerNotAllowed, ""},
		{"Supabase", "the key of a service", nil, object{"role": "service_role"}, reason.ClaimValue, "role"},
		{"SAP-Cloud-Identity-Services", "another tenant", nil, object{"iss": "other.accounts.ondemand.com"}, reason.IssuerNotAllowed, ""},
		{"SAP-Cloud-Identity-Services", "another client", nil, object{"aud": "web"}, reason.Audience, ""},
		{"Oracle-IDCS", "an ID token", nil, object{"tok_type": "IT"}, reason.ClaimValue, "tok_type"},
		{"Cloudflare-Access", "another team", nil, object{"iss": "https://other.cloudflareaccess.com"}, reason.IssuerNotAllowed, ""},
		{"Cloudflare-Access", "the session of the team", nil, object{"type": "org"}, reason.ClaimValue, "type"},
		{"Keycloak-with-an-audience-mapper", "another realm", nil, object{"iss": "https://sso.shop.example/realms/shop"}, reason.IssuerNotAllowed, ""},
		{"Keycloak-with-an-audience-mapper", "an ID token for the API", nil, object{"typ": "ID"}, reason.ClaimValue, "typ"},
		{"Keycloak-with-an-audience-mapper", "a refresh token", nil, object{"typ": "Refresh"}, reason.ClaimValue, "typ"},
		{"Keycloak-with-an-audience-mapper", "no audience", nil, object{"aud": nil}, reason.ClaimMissing, "aud"},
		{"Keycloak-without-one", "another client", nil, object{"azp": "other"}, reason.Audience, ""},
		{"Keycloak-without-one", "an ID token", nil, object{"typ": "ID", "aud": "batch"}, reason.Audience, ""},
		{"Keycloak-without-one", "an offline token", nil, object{"typ": "Offline"}, reason.ClaimValue, "typ"},
		{"Duende-IdentityServer", "an ID token for a client of this name", jwt, object{"client_id": nil}, reason.ClaimMissing, "client_id"},
		{"IdentityServer4-up-to-version-3", "no exp", nil, object{"exp": nil}, reason.ClaimMissing, "exp"},
		{"Cloud-Foundry-UAA", "a refresh token", nil, object{"scope": nil, "granted_scopes": []string{"orders.read"}}, reason.ClaimMissing, "scope"},
		{"PingFederate", "another client", nil, object{"client_id": "other"}, reason.Audience, ""},
		{"PingFederate", "no client", nil, object{"client_id": nil}, reason.ClaimMissing, "client_id"},
		{"Ory-Hydra-no-audience-asked-for", "another client", nil, object{"client_id": "other"}, reason.Audience, ""},
		{"FusionAuth", "another issuer of the server", nil, object{"iss": "other.com"}, reason.IssuerNotAllowed, ""},
		{"Logto", "another tenant", nil, object{"iss": "https://other.logto.app/oidc"}, reason.IssuerNotAllowed, ""},
		{"OpenAuth", "another mode", nil, object{"mode": "refresh"}, reason.ClaimValue, "mode"},
		{"OpenAuth", "another client", nil, object{"aud": "other"}, reason.Audience, ""},
		{"SuperTokens", "another tenant", nil, object{"tId": "other"}, reason.Audience, ""},
		{"SuperTokens", "a JWT of the SDK", nil, object{"sessionHandle": nil}, reason.ClaimMissing, "sessionHandle"},
		{"Microsoft-Entra-ID-version-2", "another tenant", nil, object{"iss": "https://login.microsoftonline.com/" + other + "/v2.0"}, reason.IssuerNotAllowed, ""},
		{"Microsoft-Entra-ID-version-2", "version 1", nil, object{"iss": "https://sts.windows.net/" + tenantID + "/"}, reason.IssuerNotAllowed, ""},
		{"Microsoft-Entra-ID-version-2", "an ID token for the API", nil, object{"azp": nil}, reason.ClaimMissing, "azp"},
		{"Microsoft-Entra-ID-version-1", "another tenant", nil, object{"iss": "https://sts.windows.net/" + other + "/"}, reason.IssuerNotAllowed, ""},
		{"Microsoft-Entra-ID-version-1", "an ID token for the API", nil, object{"appid": nil}, reason.ClaimMissing, "appid"},
		{"Microsoft-Entra-ID-many-tenants", "another tenant", nil, object{"iss": "https://login.microsoftonline.com/" + other + "/v2.0", "tid": other}, reason.IssuerNotAllowed, ""},
		{"Microsoft-Entra-ID-many-tenants", "two tenants", nil, object{"tid": other}, reason.ClaimValue, "tid"},
		{"Microsoft-Entra-ID-many-tenants", "no tenant", nil, object{"tid": nil}, reason.ClaimMissing, "tid"},
		{"Microsoft-Entra-ID-many-tenants", "the name of all", nil, object{"iss": "https://login.microsoftonline.com/{tenantid}/v2.0"}, reason.IssuerNotAllowed, ""},
		{"Microsoft-Entra-ID-many-tenants", "an ID token for the API", nil, object{"azp": nil}, reason.ClaimMissing, "azp"},
		{"Microsoft-Entra-ID-many-tenants,-version-1", "another tenant", nil, object{"iss": "https://sts.windows.net/" + other + "/", "tid": other}, reason.IssuerNotAllowed, ""},
		{"Microsoft-Entra-External-ID", "another tenant", nil, object{"iss": "https://" + other + ".ciamlogin.com/" + other + "/v2.0"}, reason.IssuerNotAllowed, ""},
		{"Microsoft-Entra-External-ID", "an ID token for the API", nil, object{"azp": nil}, reason.ClaimMissing, "azp"},
		{"Azure-AD-B2C", "another policy", nil, object{"tfp": "B2C_1_profile"}, reason.ClaimValue, "tfp"},
		{"Azure-AD-B2C", "an ID token for the API", nil, object{"azp": nil}, reason.ClaimMissing, "azp"},
		{"Azure-AD-B2C-two-policies", "another policy", nil, object{"tfp": "B2C_1_profile"}, reason.ClaimValue, "tfp"},
		{"AD-FS", "an ID token", nil, object{"iss": "https://adfs.shop.example/adfs"}, reason.IssuerNotAllowed, ""},
		{"AD-FS", "https in the name", nil, object{"iss": "https://adfs.shop.example/adfs/services/trust"}, reason.IssuerNotAllowed, ""},
		{"Amazon-Cognito", "another client", nil, object{"client_id": "other"}, reason.Audience, ""},
		{"Amazon-Cognito", "another pool", nil, object{"iss": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Other0000"}, reason.IssuerNotAllowed, ""},
		{"Amazon-Cognito", "an ID token", nil, object{"token_use": "id", "aud": "app-client", "client_id": nil}, reason.Audience, ""},
		{"Amazon-Cognito", "an ID token without its aud", nil, object{"token_use": "id"}, reason.ClaimValue, "token_use"},
		{"Amazon-EKS", "another cluster", nil, object{"iss": strings.ToLower(eks)}, reason.IssuerNotAllowed, ""},
		{"Google-ID-tokens", "without a subject", nil, object{"sub": nil}, reason.ClaimMissing, "sub"},
		{"Google-IAP", "another service", nil, object{"aud": "/projects/7/global/backendServices/2"}, reason.Audience, ""},
		{"Google-service-account", "another account as sub", nil, object{"sub": "other@shop.iam.gserviceaccount.com"}, reason.ClaimValue, "sub"},
		{"Google-service-account", "another account", nil, object{"iss": "other@shop.iam.gserviceaccount.com"}, reason.IssuerMalformed, ""},
		{"Firebase", "another project", nil, object{"iss": "https://securetoken.google.com/other", "aud": "other"}, reason.IssuerNotAllowed, ""},
		{"Firebase", "a session cookie", nil, object{"iss": "https://session.firebase.google.com/shop-7"}, reason.IssuerNotAllowed, ""},
		{"Kubernetes", "no service account", nil, object{"kubernetes.io": nil}, reason.ClaimMissing, "kubernetes.io"},
		{"GitHub-Actions", "another owner", nil, object{"repository_owner": "evil"}, reason.ClaimValue, "repository_owner"},
		{"GitHub-Actions", "no owner", nil, object{"repository_owner": nil}, reason.ClaimMissing, "repository_owner"},
		{"GitLab-CI/CD", "another group", nil, object{"namespace_path": "evil"}, reason.ClaimValue, "namespace_path"},
		{"GitLab-CI/CD", "a subgroup", nil, object{"namespace_path": "shop/other"}, reason.ClaimValue, "namespace_path"},
		{"GitLab-CI/CD", "the ID token of a user", nil, object{"namespace_path": nil}, reason.ClaimMissing, "namespace_path"},
		{"SPIFFE-JWT-SVID", "another trust domain", nil, object{"sub": "spiffe://other.example/web"}, reason.IssuerMissing, ""},
		{"SPIFFE-JWT-SVID", "a longer trust domain", nil, object{"sub": "spiffe://shop.example.evil.example/web"}, reason.IssuerMissing, ""},
		{"SPIFFE-JWT-SVID", "the trust domain itself", nil, object{"sub": "spiffe://shop.example/"}, reason.IssuerMissing, ""},
		{"SPIFFE-JWT-SVID", "no subject", nil, object{"sub": nil}, reason.IssuerMissing, ""},
		{"Docker-registry", "another registry", nil, object{"aud": "other"}, reason.Audience, ""},
		{"Docker-registry", "no access", nil, object{"access": nil}, reason.ClaimMissing, "access"},
		{"WLCG", "another service", nil, object{"aud": "https://other.example"}, reason.Audience, ""},
		{"WLCG", "an ID token", nil, object{"wlcg.ver": nil}, reason.ClaimMissing, "wlcg.ver"},
		{"INDIGO-IAM-no-audience-asked-for", "another client", nil, object{"client_id": "c8"}, reason.Audience, ""},
		{"INDIGO-IAM-no-audience-asked-for", "an ID token", nil, object{"scope": nil}, reason.ClaimMissing, "scope"},
	} {
		tested[c.setup] = true
		t.Run(c.setup+"/"+c.what, func(t *testing.T) {
			s, w := find(t, c.setup), newWorld(t)
			good := s.issue(w)
			changed := sent{key: good.key, header: with(good.header, c.header), payload: with(good.payload, c.payload)}
			_, err := s.verify(t, w, changed.text())
			if reasonOf(err) != c.want || claimOf(err) != c.claim {
				t.Errorf("VerifyRequest = %s; want %s %s", outcome(err), c.want, c.claim)
			}
		})
	}
	for _, s := range documented() {
		if len(s.config.Issuers) > 0 && !tested[s.name()] && !strings.HasPrefix(s.name(), "Keycloak-") {
			t.Logf("%s has no row of its own", s.name())
		}
	}
}

func claimOf(err error) string {
	e, ok := err.(*verifier.Error)
	if !ok {
		return ""
	}
	return e.Claim
}

// TestKeysOfAnother: a key that the provider publishes for something else, or for
// another of its tenants, signs nothing.
func TestKeysOfAnother(t *testing.T) {
	for name, jwks := range map[string]string{
		"WorkOS-AuthKit":                         "https://api.workos.com/sso/jwks/client_8",
		"Stytch":                                 "https://test.stytch.com/v1/sessions/jwks/project-test-8",
		"Oracle-IDCS":                            "https://idcs-8.identity.oraclecloud.com/admin/v1/SigningCert/jwk",
		"Azure-AD-B2C":                           "https://contoso.b2clogin.com/contoso.onmicrosoft.com/b2c_1_other/discovery/v2.0/keys",
		"Google-service-account":                 "https://www.googleapis.com/service_accounts/v1/jwk/other@shop.iam.gserviceaccount.com",
		"Microsoft-Entra-ID-version-1":           "https://login.microsoftonline.com/other/discovery/keys",
		"Microsoft-Entra-External-ID":            "https://fabrikam.ciamlogin.com/" + tenantID + "/discovery/v2.0/keys",
		"Descope":                                "https://api.descope.com/P2other/.well-known/jwks.json",
		"Keycloak-an-inside-and-an-outside-name": realm + "/protocol/openid-connect/certs",
	} {
		t.Run(name, func(t *testing.T) {
			s, w := find(t, name), newWorld(t)
			good := s.issue(w)
			foreign := &key{"theirs", good.key.alg, rsaKey(2)}
			w.publish(jwks, keySet(foreign.jwk(nil)))
			_, err := s.verify(t, w, sent{key: foreign, header: with(good.header, object{"kid": "theirs"}), payload: good.payload}.text())
			if reasonOf(err) != reason.KeyUnknown || w.requests(strings.TrimPrefix(jwks, "https://")) > 0 {
				t.Errorf("VerifyRequest = %s, %d requests; want %s without a look at them", outcome(err), w.requests(jwks), reason.KeyUnknown)
			}
		})
	}
}

// TestForgottenArguments: a list that would let nobody in, or everybody, is told by New.
func TestForgottenArguments(t *testing.T) {
	for name, i := range map[string]verifier.Issuer{
		"Cognito":          providers.Cognito("eu-west-1", "eu-west-1_AbCdEf123"),
		"Clerk":            providers.Clerk("clerk.shop.example"),
		"KeycloakClients":  providers.KeycloakClients("https://sso.shop.example", "Shop"),
		"Hydra":            providers.Hydra("https://hydra.shop.example"),
		"PingFederate":     providers.PingFederate("https://sso.shop.example"),
		"IndigoIAM":        providers.IndigoIAM("https://iam.shop.example/"),
		"GitHubActions":    providers.GitHubActions(),
		"GitLab":           providers.GitLab("gitlab.com"),
		"EntraB2C":         providers.EntraB2C("contoso", tenantID),
		"DockerRegistry":   providers.DockerRegistry("auth.shop.example", "hub.shop.example", verifier.KeysFile("")),
		"SPIFFE":           providers.SPIFFE("", "https://spire.shop.example/bundle"),
		"Stytch":           providers.Stytch(""),
		"Firebase":         providers.Firebase(""),
		"CloudflareAccess": providers.CloudflareAccess("shop.cloudflareaccess.com", ""),
		"GoogleIAP":        providers.GoogleIAP(""),
		"Supabase":         providers.Supabase("shop example"),
		"ADFS":             providers.ADFS(""),
	} {
		v, err := verifier.New(verifier.Config{Audience: api, Issuers: issuers(i)})
		if err == nil {
			_ = v.Close()
			t.Errorf("%s: New accepts the issuer of forgotten arguments", name)
			continue
		}
		if !strings.Contains(err.Error(), "Issuers[0]") {
			t.Errorf("%s: New = %v; want the entry's name in it", name, err)
		}
	}
	if r, err := providers.EntraTenants(nil); err == nil {
		t.Errorf("EntraTenants(nil) = %v; want an error", r)
	}
}
