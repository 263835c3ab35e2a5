module github.com/portcullis-go/portcullis

go 1.26.0

require github.com/go-jose/go-jose/v4 v4.1.4

require golang.org/x/sync v0.25.0
