package providers

import (
	"strings"

	"github.com/portcullis-go/portcullis/verifier"
)

// Cognito is the access tokens of an Amazon Cognito user pool, by its ID
// ("eu-west-1_AbCdEf123"), for these app clients. They have no aud: client_id takes its
// place, so every API of the same app clients accepts the token. ID tokens are refused
// by token_use. Groups are Token.Permissions. Source: Amazon Cognito Developer Guide,
// "Verifying JSON web tokens".
//
// A client that asks for a resource gets tokens with an aud: such a token must have one
// of Config's audiences.
func Cognito(region, pool string, clients ...string) verifier.Issuer {
	return verifier.Issuer{
		Name:           "https://cognito-idp." + region + ".amazonaws.com/" + pool,
		NoAudience:     verifier.AudienceRule{Claim: "client_id", Values: clients},
		RequiredValues: map[string][]string{"token_use": {"access"}},
		Claims:         verifier.ClaimNames{Permissions: []string{"cognito:groups"}},
	}
}

// EKS is the service accounts of an Amazon EKS cluster, by the URL of its OpenID
// provider ("https://oidc.eks.eu-west-1.amazonaws.com/id/..."), as pods present them to
// services outside of the cluster. Source: Amazon EKS User Guide, "IAM roles for
// service accounts".
func EKS(url string) verifier.Issuer {
	return verifier.Issuer{Name: strings.TrimSuffix(url, "/"), RequiredClaims: []string{"sub", "kubernetes.io"}}
}
