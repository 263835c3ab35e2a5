module github.com/portcullis-go/portcullis/examples/valkey

go 1.26.0

require (
	github.com/portcullis-go/portcullis v0.1.0
	github.com/valkey-io/valkey-go v1.0.79
)

require (
	github.com/go-jose/go-jose/v4 v4.1.4 // indirect
	golang.org/x/sys v0.47.0 // indirect
)

replace github.com/portcullis-go/portcullis => ../..
