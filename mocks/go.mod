module github.com/portcullis-go/portcullis/mocks

go 1.26.0

require (
	github.com/portcullis-go/portcullis v0.1.0
	go.uber.org/mock v0.6.0
)

require (
	github.com/go-jose/go-jose/v4 v4.1.4 // indirect
	golang.org/x/mod v0.27.0 // indirect
	golang.org/x/sync v0.25.0 // indirect
	golang.org/x/tools v0.36.0 // indirect
)

replace github.com/portcullis-go/portcullis => ../

tool go.uber.org/mock/mockgen
