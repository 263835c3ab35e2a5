// Package memcache is a cache and replay store over a memcache backend.
package memcache
