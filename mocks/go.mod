module github.com/portcullis-go/portcullis/mocks

go 1.26.0
