module github.com/portcullis-go/portcullis/integration/fastrsa

go 1.26.0

require (
	filippo.io/bigmod v0.1.0
	github.com/portcullis-go/portcullis v0.1.0
)

require (
	github.com/go-jose/go-jose/v4 v4.1.4 // indirect
	golang.org/x/sys v0.50.0 // indirect
)

replace github.com/portcullis-go/portcullis => ../..
