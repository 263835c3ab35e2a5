package keyset

import (
	"errors"

	"github.com/portcullis-go/portcullis/internal/strictjson"
)

// MaxKeys is how many keys a set may hold.
const MaxKeys = 500

// maxCandidates bounds how many signatures one token can make us check when
// several keys share a kid.
const maxCandidates = 4

// What is wrong with a key set.
var (
	// ErrDocument: not a strict JSON object with an array "keys" of objects.
	ErrDocument = errors.New("keyset: not a JSON Web Key Set")
	// ErrTooMany: more than MaxKeys keys.
	ErrTooMany = errors.New("keyset: too many keys")
	// ErrNoUsable: a well-formed set without a key that could check a
	// signature.
	ErrNoUsable = errors.New("keyset: no usable key")
)

// Set is an immutable set of keys of one issuer.
type Set struct {
	keys []*Key
	byID map[string][]*Key
}

// Parse reads a key set. Keys of unknown type, for other uses, weak, private
// or malformed ones are skipped (RFC 7517, Section 5): one odd key does not
// spoil the others. Keys of types that outside algorithms read are kept when
// known has such an algorithm.
func Parse(document []byte, known *Algorithms) (*Set, error) {
	members, err := strictjson.Parse(string(document), nil)
	if err != nil {
		return nil, ErrDocument
	}
	entries, ok := strictjson.Find(members, "keys").Elements(nil)
	if !ok {
		return nil, ErrDocument
	}
	if len(entries) > MaxKeys {
		return nil, ErrTooMany
	}
	set := &Set{byID: make(map[string][]*Key, len(entries))}
	for _, entry := range entries {
		jwk, ok := entry.Members(nil)
		if !ok || !ForSignatures(jwk) {
			continue
		}
		key, err := ParseKey(jwk, known)
		if err != nil {
			continue
		}
		set.keys = append(set.keys, key)
		if key.HasID {
			set.byID[key.ID] = append(set.byID[key.ID], key)
		}
	}
	if len(set.keys) == 0 {
		return nil, ErrNoUsable
	}
	return set, nil
}

// HasID reports whether a key of the set has this kid.
func (s *Set) HasID(kid string) bool { return len(s.byID[kid]) > 0 }

// Len returns how many usable keys the set has.
func (s *Set) Len() int { return len(s.keys) }

// Candidates appends to dst the keys that may have signed a token with this
// kid and algorithm. Several keys may share a kid: those that fit by type,
// curve and alg are all candidates, a few at the most. A token without kid has
// a candidate only when exactly one key of the set fits it.
func (s *Set) Candidates(dst []*Key, kid string, hasKID bool, a *Algorithm) []*Key {
	keys := s.keys
	if hasKID {
		keys = s.byID[kid]
	}
	for _, key := range keys {
		if key.Fits(a) && key.Ready(a) {
			dst = append(dst, key)
		}
	}
	if !hasKID && len(dst) != 1 {
		return dst[:0]
	}
	return dst[:min(len(dst), maxCandidates)]
}

// SameKeys reports whether two sets decide alike about every token: whether
// they hold the same keys under the same names. Order counts among keys that
// share a kid, which are tried one after another, up to a bound.
func (s *Set) SameKeys(other *Set) bool {
	if other == nil || len(s.keys) != len(other.keys) {
		return false
	}
	type identity struct {
		id         string
		hasID      bool
		algorithm  string
		thumbprint string
		place      int // among the keys of its kid
	}
	seen := make(map[identity]int, len(s.keys))
	count := func(set *Set, step int) {
		places := make(map[string]int, len(set.byID))
		for _, key := range set.keys {
			i := identity{key.ID, key.HasID, key.Algorithm, key.Thumbprint(), 0}
			if key.HasID {
				i.place = places[key.ID]
				places[key.ID]++
			}
			seen[i] += step
		}
	}
	count(s, 1)
	count(other, -1)
	for _, n := range seen {
		if n != 0 {
			return false
		}
	}
	return true
}
