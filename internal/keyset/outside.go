package keyset

import (
	"errors"
	"slices"
	"strings"
)

// MaxMember is how many octets a member of a key for an outside algorithm may
// have.
const MaxMember = 16 << 10

// Outside is an algorithm whose signatures code from outside of this module
// checks: one that the standard library lacks, or one that it has, to be
// checked faster.
type Outside struct {
	// Name is the "alg" of tokens.
	Name string
	// KeyType and Curve are the "kty" and "crv" of keys; Curve is "" for a type
	// without curves.
	KeyType, Curve string
	// NamedByKey: the "alg" of a key is required and belongs to its thumbprint,
	// as for the key type AKP (RFC 9964).
	NamedByKey bool
	// Members hold the public key, in base64url.
	Members []Member
	// Prepare reads a key from the octets of its members, which it may keep.
	Prepare func(members map[string][]byte) (Prepared, error)
}

// Member is the name of a member and the least and the most octets it has.
type Member struct {
	Name     string
	Min, Max int
}

// Prepared checks signatures with one key.
type Prepared interface {
	Verify(input string, signature []byte) bool
}

// What is wrong with an outside algorithm.
var (
	// ErrName: the name is empty, too long, has other characters than letters,
	// digits, "-", "_" and ".", is symmetric or "none", or is the name of
	// another algorithm but for its case.
	ErrName = errors.New("keyset: not a name of an asymmetric algorithm")
	// ErrTwice: two outside algorithms have one name.
	ErrTwice = errors.New("keyset: two algorithms of one name")
	// ErrKeyType: the key type is symmetric, or another one than the standard
	// algorithm of that name has, or one whose keys the standard library reads.
	ErrKeyType = errors.New("keyset: not a key type for the algorithm")
	// ErrMembers: the members are none or too many, private or reserved, without
	// bounds, or others than those of an algorithm with the same keys.
	ErrMembers = errors.New("keyset: not the members of a public key")
)

// Algorithms are the algorithms that can be allowed. The zero value and nil
// stand for those of the standard library alone.
type Algorithms struct {
	all   []Algorithm
	slots int // how many are from outside
}

// Add makes an outside algorithm known. All of them are added before ByName is
// called first.
func (s *Algorithms) Add(o Outside) error {
	if s.all == nil {
		s.all = slices.Clone(algorithms[:])
	}
	o.Members = slices.Clone(o.Members)
	if err := o.checkMembers(); err != nil {
		return err
	}
	a, err := s.place(&o)
	if err != nil {
		return err
	}
	a.outside, a.slot = &o, s.slots
	s.slots++
	return nil
}

// place returns the algorithm of that name, a new one if there is none.
func (s *Algorithms) place(o *Outside) (*Algorithm, error) {
	for i := range s.all {
		a := &s.all[i]
		switch {
		case a.Name != o.Name && strings.EqualFold(a.Name, o.Name):
			return nil, ErrName
		case a.Name != o.Name:
			if a.scheme == schemeOutside && !a.outside.agrees(o) {
				return nil, ErrMembers
			}
		case a.outside != nil:
			return nil, ErrTwice
		case a.kty != o.KeyType || a.crv != o.Curve:
			return nil, ErrKeyType
		case o.NamedByKey || !sameMembers(o.Members, publicMembers(a.kty)):
			return nil, ErrMembers
		default:
			return a, nil
		}
	}
	if !legalName(o.Name) {
		return nil, ErrName
	}
	if !o.newKeyType() {
		return nil, ErrKeyType
	}
	s.all = append(s.all, Algorithm{Name: o.Name, kty: o.KeyType, crv: o.Curve})
	return &s.all[len(s.all)-1], nil
}

// OnlyOutside reports whether the standard library lacks the algorithm.
func (a *Algorithm) OnlyOutside() bool { return a.scheme == schemeOutside }

// agrees reports whether two algorithms with the same keys read them alike. A
// key would have two thumbprints otherwise.
func (o *Outside) agrees(other *Outside) bool {
	switch {
	case o.KeyType != other.KeyType || o.Curve != "" && other.Curve != "" && o.Curve != other.Curve:
		return true // other keys
	case o.Curve != other.Curve || o.NamedByKey != other.NamedByKey:
		return false
	default:
		return o.NamedByKey || slices.Equal(o.Members, other.Members)
	}
}

// newKeyType reports whether the keys are ones that the standard library does
// not read.
func (o *Outside) newKeyType() bool {
	if !legalText(o.KeyType) || o.Curve != "" && !legalText(o.Curve) {
		return false
	}
	switch o.KeyType {
	case "RSA", "oct":
		return false
	case "EC", "OKP":
		return o.Curve != "" && !slices.ContainsFunc(algorithms[:], func(a Algorithm) bool { return a.crv == o.Curve })
	default:
		return true
	}
}

// publicMembers are the names of the members that make up a public key (RFC
// 7518, Sections 6.2.1 and 6.3.1; RFC 8037, Section 2).
func publicMembers(kty string) []string {
	switch kty {
	case "RSA":
		return []string{"e", "n"}
	case "EC":
		return []string{"x", "y"}
	default:
		return []string{"x"}
	}
}

func sameMembers(members []Member, names []string) bool {
	return len(members) == len(names) && !slices.ContainsFunc(members, func(m Member) bool { return !slices.Contains(names, m.Name) })
}

// legalName refuses what is no name of an asymmetric algorithm. The name goes
// into challenges and thumbprints.
func legalName(name string) bool {
	for _, refused := range [...]string{"none", "HS256", "HS384", "HS512"} {
		if strings.EqualFold(name, refused) {
			return false
		}
	}
	return legalText(name)
}

// legalText takes up to 64 characters that need no escape in JSON, in a
// quoted-string and in a list.
func legalText(text string) bool {
	for i := range len(text) {
		c := text[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return text != "" && len(text) <= 64
}

// reserved are members that mean something for every key (RFC 7517, Section
// 4), or name its curve.
var reserved = [...]string{"kty", "use", "key_ops", "alg", "kid", "crv", "x5u", "x5c", "x5t"}

// maxMembers is how many members may make up a key.
const maxMembers = 4

func (o *Outside) checkMembers() error {
	if len(o.Members) == 0 || len(o.Members) > maxMembers {
		return ErrMembers
	}
	for i, m := range o.Members {
		if !legalText(m.Name) || slices.Contains(reserved[:], m.Name) || slices.Contains(privateMembers[:], m.Name) ||
			m.Min < 1 || m.Max < m.Min || m.Max > MaxMember ||
			slices.ContainsFunc(o.Members[:i], func(other Member) bool { return other.Name == m.Name }) {
			return ErrMembers
		}
	}
	return nil
}

// ByName returns the algorithm of exactly this name, or nil.
func (s *Algorithms) ByName(name string) *Algorithm {
	all := s.list()
	for i := range all {
		if all[i].Name == name {
			return &all[i]
		}
	}
	return nil
}

// Names returns the names of all algorithms, in a fixed order.
func (s *Algorithms) Names() []string {
	all := s.list()
	names := make([]string, len(all))
	for i := range all {
		names[i] = all[i].Name
	}
	return names
}

func (s *Algorithms) list() []Algorithm {
	if s == nil || s.all == nil {
		return algorithms[:]
	}
	return s.all
}
