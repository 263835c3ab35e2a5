// Package memory is a cache and replay store over a memory backend.
package memory
