module github.com/portcullis-go/portcullis/tools/wycheproof

go 1.26.0

require (
	github.com/portcullis-go/portcullis/integration/fastrsa v0.1.0
	github.com/portcullis-go/portcullis/integration/mldsa v0.1.0
)

require (
	filippo.io/bigmod v0.1.0 // indirect
	filippo.io/mldsa v1.0.0 // indirect
	github.com/go-jose/go-jose/v4 v4.1.4 // indirect
	github.com/portcullis-go/portcullis v0.1.0 // indirect
	golang.org/x/sys v0.50.0 // indirect
)

replace (
	github.com/portcullis-go/portcullis => ../..
	github.com/portcullis-go/portcullis/integration/fastrsa => ../../integration/fastrsa
	github.com/portcullis-go/portcullis/integration/mldsa => ../../integration/mldsa
)
