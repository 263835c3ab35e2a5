module github.com/portcullis-go/portcullis/integration/mldsa

go 1.26.0

require (
	filippo.io/mldsa v1.0.0
	github.com/portcullis-go/portcullis v0.1.0
)

require github.com/go-jose/go-jose/v4 v4.1.4 // indirect

replace github.com/portcullis-go/portcullis => ../..
