package providers

import "github.com/portcullis-go/portcullis/verifier"

// Google is Google's ID tokens, as Cloud Run and other services send them to one
// another, and as Sign in with Google gives them to web clients: iss is
// "https://accounts.google.com" or, in some, without the scheme. Everybody can have
// such a token: Config.Audience must be this API's own, and the email claim or sub says
// who it is. Source: Google Identity docs, "Verify the Google ID token on your server
// side"; Cloud Run docs, "Service-to-service authentication".
func Google() verifier.Issuer {
	return verifier.Issuer{
		Name:           "https://accounts.google.com",
		Aliases:        []string{"accounts.google.com"},
		Keys:           verifier.KeysDiscovery("www.googleapis.com"),
		RequiredClaims: []string{"sub"},
	}
}

// GoogleIAP is Identity-Aware Proxy. Its token comes in the header
// X-Goog-IAP-JWT-Assertion, not in Authorization (verifier.TokenSource). The audience is
// "/projects/NUMBER/global/backendServices/ID" or "/projects/NUMBER/apps/ID". Source:
// Google Cloud docs, "Securing your app with signed headers".
func GoogleIAP(audience string) verifier.Issuer {
	return verifier.Issuer{
		Name:       "https://cloud.google.com/iap",
		Keys:       verifier.KeysURL("https://www.gstatic.com/iap/verify/public_key-jwk"),
		Algorithms: []string{"ES256"},
		Audiences:  []string{audience},
	}
}

// GoogleServiceAccount is a service account that signs its own tokens, by its e-mail
// address, which is iss and sub. Source: Google Cloud docs, "Authenticate with a
// self-signed JWT"; ESPv2 docs, "Authentication between services".
func GoogleServiceAccount(email string) verifier.Issuer {
	return verifier.Issuer{
		Name:           email,
		Keys:           verifier.KeysURL("https://www.googleapis.com/service_accounts/v1/jwk/" + email),
		RequiredValues: map[string][]string{"sub": {email}},
	}
}

// Firebase is the users of a Firebase project, which is the audience of their ID
// tokens. The session cookies of Firebase have another issuer and are refused. Source:
// Firebase docs, "Verify ID tokens using a third-party JWT library".
func Firebase(project string) verifier.Issuer {
	return verifier.Issuer{
		Name:           "https://securetoken.google.com/" + project,
		Keys:           verifier.KeysDiscovery("www.googleapis.com"),
		Audiences:      []string{project},
		RequiredClaims: []string{"sub", "auth_time"},
	}
}
