package exchange

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash"
	"maps"
	"slices"
	"strings"
)

// keyPrefix keeps results apart from whatever else is in a shared cache, and
// from those of other versions.
const keyPrefix = "portcullis:exchange:1:"

// key is the name under which the result of a call is kept: a hash of all that
// shapes the answer, which is the issuer, the client, the way it authenticates
// and the key that results are bound to, and every parameter and header sent.
// Requests whose scopes differ in order alone are equal.
func (c *Client) key(k *call) string {
	h := keyHash{sha256.New()}
	h.texts(k.flow.name, k.issuer, c.clientID, c.auth.name(), c.thumbprint)
	h.fields(k.form)
	h.fields(k.header)
	return keyPrefix + base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// keyHash hashes lists of texts so that no two lists give the same input:
// lengths come before what they count.
type keyHash struct{ hash.Hash }

func (h keyHash) number(n int) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(n))
	h.Write(b[:])
}

func (h keyHash) texts(list ...string) {
	h.number(len(list))
	for _, text := range list {
		h.number(len(text))
		h.Write([]byte(text))
	}
}

func (h keyHash) fields(fields map[string][]string) {
	h.number(len(fields))
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		values := fields[name]
		if name == "scope" {
			values = scopes(values[0])
		}
		h.texts(name)
		h.texts(values...)
	}
}

// scopes returns the set of scopes in a text (RFC 6749, Section 3.3), sorted.
func scopes(text string) []string {
	list := strings.Split(text, " ")
	list = slices.DeleteFunc(list, func(s string) bool { return s == "" })
	slices.Sort(list)
	return slices.Compact(list)
}
