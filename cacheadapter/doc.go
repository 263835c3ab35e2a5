// Package cacheadapter holds decorators that work over any cache, and the
// guide for authors of adapters.
package cacheadapter
