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
	byID map[string][]*Key // nil for a set of few keys, which are looked through

	skipped []Skipped
}

// Parse reads a key set. Keys of unknown type, for other uses, weak, private
// or malformed ones are skipped (RFC 7517, Section 5): one odd key does not
// spoil the others, not even one with a member twice. Skipped says which. Of
// the document itself only "keys" is read, which must be there once. Keys of
// types that only outside algorithms read are kept if known has such an
// algorithm.
//
// The error matches ErrDocument, ErrTooMany or ErrNoUsable; in the last case it
// is an *UnusableError.
func Parse(document []byte, known *Algorithms) (*Set, error) { return ParseFor(document, "", known) }

// ParseFor is Parse for sets whose keys for signatures have another value of
// "use" than "sig", which each of them must have then; "" stands for "sig" or no
// such member.
func ParseFor(document []byte, use string, known *Algorithms) (*Set, error) {
	members, err := strictjson.ParseDocument(string(document), nil)
	if err != nil {
		return nil, ErrDocument
	}
	keys, once := strictjson.One(members, "keys")
	entries, ok := keys.Elements(nil)
	if !once || !ok {
		return nil, ErrDocument
	}
	if len(entries) > MaxKeys {
		return nil, ErrTooMany
	}
	set := &Set{}
	for i, entry := range entries {
		jwk, key, err := parseEntry(entry, use, known)
		if err != nil {
			if len(set.skipped) < maxSkipped {
				set.skipped = append(set.skipped, skip(i, jwk, err))
			}
			continue
		}
		set.keys = append(set.keys, key)
	}
	if len(set.keys) == 0 {
		return nil, &UnusableError{Skipped: set.skipped}
	}
	set.index()
	return set, nil
}

// fewKeys is up to how many keys are looked through one by one. An issuer has
// two or three; a map of them would take as much memory as the keys.
const fewKeys = 8

// index makes the keys of a large set findable by their kids.
func (s *Set) index() {
	if len(s.keys) <= fewKeys {
		return
	}
	s.byID = make(map[string][]*Key, len(s.keys))
	for _, key := range s.keys {
		if key.HasID {
			s.byID[key.ID] = append(s.byID[key.ID], key)
		}
	}
}

// parseEntry reads one key of a set. With an error it returns the members as
// far as they can be read, to describe the key by.
func parseEntry(entry strictjson.Value, use string, known *Algorithms) (jwk []strictjson.Member, key *Key, err error) {
	jwk, ok := entry.Members(nil)
	if !ok {
		jwk, _ = entry.DocumentMembers(nil)
		return jwk, nil, unreadable(jwk)
	}
	if err := checkUse(jwk, use); err != nil {
		return jwk, nil, err
	}
	key, err = ParseKey(jwk, known)
	return jwk, key, err
}

// Skipped returns the keys of the document that are not used, 16 at the most,
// for operators. The slice must not be changed.
func (s *Set) Skipped() []Skipped { return s.skipped }

// HasID reports whether a key of the set has this kid.
func (s *Set) HasID(kid string) bool {
	for _, key := range s.named(kid) {
		if key.HasID && key.ID == kid {
			return true
		}
	}
	return false
}

// named returns the keys among which those with a kid are: of a large set, those.
func (s *Set) named(kid string) []*Key {
	if s.byID != nil {
		return s.byID[kid]
	}
	return s.keys
}

// Len returns how many usable keys the set has.
func (s *Set) Len() int { return len(s.keys) }

// Size is about how many bytes of memory the set takes.
func (s *Set) Size() int {
	size := 128
	for _, key := range s.keys {
		size += 1024
		for _, octets := range key.members {
			size += 3 * len(octets) // here, prepared, and what preparing adds
		}
	}
	return size
}

// Candidates appends to dst the keys that may have signed a token with this
// kid and algorithm. Several keys may share a kid: those that fit by type,
// curve and alg are all candidates, a few at the most. A token without kid has
// a candidate only when exactly one key of the set fits it.
func (s *Set) Candidates(dst []*Key, kid string, hasKID bool, a *Algorithm) []*Key {
	keys := s.keys
	if hasKID {
		keys = s.named(kid)
	}
	for _, key := range keys {
		if hasKID && (!key.HasID || key.ID != kid) {
			continue
		}
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
	if other == nil {
		return false
	}
	type identity struct {
		id         string
		hasID      bool
		algorithm  string
		issuer     string
		thumbprint string
		place      int // among the keys of its kid
	}
	seen := make(map[identity]int, len(s.keys))
	count := func(set *Set, step int) {
		places := make(map[string]int, len(set.keys))
		for _, key := range set.keys {
			i := identity{id: key.ID, hasID: key.HasID, algorithm: key.Algorithm, issuer: key.Issuer, thumbprint: key.Thumbprint()}
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
