module github.com/portcullis-go/portcullis/cacheadapter/redis

go 1.26.0
