module github.com/portcullis-go/portcullis/examples/otter

go 1.26.0

require (
	github.com/maypok86/otter/v2 v2.4.0
	github.com/portcullis-go/portcullis v0.1.0
)

require github.com/go-jose/go-jose/v4 v4.1.4 // indirect

replace github.com/portcullis-go/portcullis => ../..
