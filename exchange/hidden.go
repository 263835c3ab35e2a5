package exchange

import "github.com/portcullis-go/portcullis/internal/redact"

// hidden is embedded in whatever holds tokens or secrets. It is an alias, so
// that the documentation of this package does not list its methods with each
// type.
type hidden = redact.Contents
