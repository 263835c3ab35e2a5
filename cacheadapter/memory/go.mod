module github.com/portcullis-go/portcullis/cacheadapter/memory

go 1.26.0
