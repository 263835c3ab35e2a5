module github.com/portcullis-go/portcullis/cacheadapter/memory

go 1.26.0

require (
	github.com/allegro/bigcache/v3 v3.1.0
	github.com/portcullis-go/portcullis v0.1.0
)

require github.com/go-jose/go-jose/v4 v4.1.4 // indirect

replace github.com/portcullis-go/portcullis => ../..
