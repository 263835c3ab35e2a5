module github.com/portcullis-go/portcullis/cacheadapter/redis

go 1.26.0

require (
	github.com/portcullis-go/portcullis v0.1.0
	github.com/redis/go-redis/v9 v9.5.5
)

require (
	github.com/cespare/xxhash/v2 v2.2.0 // indirect
	github.com/dgryski/go-rendezvous v0.0.0-20200823014737-9f7001d12a5f // indirect
	github.com/go-jose/go-jose/v4 v4.1.4 // indirect
)

replace github.com/portcullis-go/portcullis => ../..
