package resolver

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/portcullis-go/portcullis/verifier"
)

// checkIssuers says what is wrong with issuers in themselves, as verifier.New would for
// Config.Issuers. What depends on the rest of a configuration, such as hosts that may be
// asked over http, keys for encrypted tokens and further algorithms, is left to it.
func checkIssuers(field string, issuers []verifier.Issuer) error {
	list := slices.Clone(issuers)
	for i := range list {
		if err := list[i].Keys.Check(); err != nil {
			return fmt.Errorf("resolver: the keys of %s: %w", field, err)
		}
		list[i].Keys, list[i].Encryption = verifier.KeysStatic([]byte(`{"keys":[]}`)), verifier.EncryptionRule{}
		list[i].Algorithms = slices.DeleteFunc(slices.Clone(list[i].Algorithms), further)
	}
	v, err := verifier.New(verifier.Config{Audience: "any", Issuers: list})
	if err == nil {
		return v.Close()
	}
	var first *verifier.ConfigError
	if !errors.As(err, &first) {
		return fmt.Errorf("resolver: %s: %w", field, err)
	}
	if len(issuers) == 1 {
		field += "." + strings.TrimPrefix(first.Field, "Issuers[0].")
	} else {
		field += strings.TrimPrefix(first.Field, "Issuers")
	}
	return fmt.Errorf("resolver: %s %s", field, strings.TrimSpace(first.Value+" "+first.Problem))
}

// further: Config.SignatureAlgorithms may have the algorithm. No configuration has
// one without a public key.
func further(algorithm string) bool {
	return algorithm != "none" && !strings.HasPrefix(algorithm, "HS")
}
