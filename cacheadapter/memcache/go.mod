module github.com/portcullis-go/portcullis/cacheadapter/memcache

go 1.26.0
