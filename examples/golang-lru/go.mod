module github.com/portcullis-go/portcullis/examples/golang-lru

go 1.26.0

require (
	github.com/hashicorp/golang-lru/v2 v2.0.7
	github.com/portcullis-go/portcullis v0.1.0
)

require github.com/go-jose/go-jose/v4 v4.1.4 // indirect

replace github.com/portcullis-go/portcullis => ../..
