package mocks_test

import (
	"fmt"
	"testing"

	"go.uber.org/mock/gomock"

	"github.com/portcullis-go/portcullis/mocks"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// Three tokens, one fetch. In a test, t is the test's own and Run is not
// needed.
func ExampleMockKeyFetcher() {
	err := verifiertest.Run(func(t testing.TB) {
		issuer := verifiertest.NewIssuer(t, verifiertest.WithURL("https://login.example.com/"))
		fetcher := mocks.NewMockKeyFetcher(gomock.NewController(t))
		fetcher.EXPECT().
			FetchKeys(gomock.Any(), verifier.KeyRequest{Issuer: issuer.URL()}).
			Return(verifier.KeySet{Issuer: issuer.URL(), JWKS: issuer.JWKS()}, nil).
			Times(1)

		v, err := verifier.New(verifier.Config{
			Issuers:  []verifier.Issuer{{Name: issuer.Domain(), Keys: verifier.KeysFrom(fetcher)}},
			Audience: "https://api.example.com",
		})
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		for range 3 {
			token, err := v.VerifyAccessToken(t.Context(), issuer.Sign("https://api.example.com", nil))
			if err != nil {
				t.Fatal(err)
			}
			fmt.Println(token.Subject)
		}
	})
	fmt.Println(err)
	// Output:
	// user-1
	// user-1
	// user-1
	// <nil>
}
