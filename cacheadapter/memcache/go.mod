module github.com/portcullis-go/portcullis/cacheadapter/memcache

go 1.26.0

require (
	github.com/bradfitz/gomemcache v0.0.0-20190913173617-a41fca850d0b
	github.com/portcullis-go/portcullis v0.1.0
)

require github.com/go-jose/go-jose/v4 v4.1.4 // indirect

replace github.com/portcullis-go/portcullis => ../..
