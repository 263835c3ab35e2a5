module github.com/portcullis-go/portcullis/examples/connect

go 1.26.0

require (
	connectrpc.com/connect v1.20.0
	github.com/portcullis-go/portcullis v0.1.0
	google.golang.org/protobuf v1.36.12
)

require github.com/go-jose/go-jose/v4 v4.1.4 // indirect

replace github.com/portcullis-go/portcullis => ../..
