// Package redis is a cache and replay store over a redis backend.
package redis
