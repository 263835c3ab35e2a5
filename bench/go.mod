module github.com/portcullis-go/portcullis/bench

go 1.26.0
