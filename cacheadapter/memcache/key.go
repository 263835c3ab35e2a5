package memcache

import (
	"crypto/sha256"
	"encoding/base64"
)

// maxKey is the limit of memcached.
const maxKey = 250

// name returns the key in memcached. The mark after the prefix tells keys that
// are used as they are from hashes of those that cannot be.
func name(prefix, key string) string {
	if len(prefix)+1+len(key) <= maxKey && visible(key) {
		return prefix + "=" + key
	}
	sum := sha256.Sum256([]byte(key))
	return prefix + "#" + base64.RawURLEncoding.EncodeToString(sum[:])
}

// visible reports whether text is visible ASCII. Other characters are legal in
// the protocol, but the client splits answers at every space that Unicode has,
// and replaces what is not UTF-8.
func visible(text string) bool {
	for i := range len(text) {
		if text[i] <= ' ' || text[i] >= 0x7f {
			return false
		}
	}
	return true
}
