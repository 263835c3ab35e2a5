module github.com/portcullis-go/portcullis/tools/interop

go 1.26.0

replace github.com/portcullis-go/portcullis => ../..

require github.com/portcullis-go/portcullis v0.1.0

require github.com/go-jose/go-jose/v4 v4.1.4 // indirect
