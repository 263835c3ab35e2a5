module github.com/portcullis-go/portcullis/cacheadapter/memcache

go 1.26.0

require (
	github.com/bradfitz/gomemcache v0.0.0-20260422231931-4d751bb6e37c
	github.com/portcullis-go/portcullis v0.1.0
)

require github.com/go-jose/go-jose/v4 v4.1.4 // indirect

replace github.com/portcullis-go/portcullis => ../..
