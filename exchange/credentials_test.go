package exchange_test

import (
	"context"

	"github.com/portcullis-go/portcullis/exchange"
)

// constant is a Credential that does not change.
func constant(text string) exchange.Credential {
	return func(context.Context) (string, error) { return text, nil }
}
