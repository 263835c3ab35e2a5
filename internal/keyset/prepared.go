package keyset

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"math/big"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/portcullis-go/portcullis/internal/base64url"
	"github.com/portcullis-go/portcullis/internal/foreign"
	"github.com/portcullis-go/portcullis/internal/strictjson"
)

// outsideKey is what outside algorithms made of a key.
type outsideKey struct {
	members    map[string][]byte              // of a key that the standard library does not read
	thumbprint string                         // of such a key
	slots      []atomic.Pointer[preparedSlot] // by Algorithm.slot
}

// preparedSlot holds a prepared key; nil when the algorithm refused it.
type preparedSlot struct{ key Prepared }

// Verify checks signature over input with the key, which must fit the
// algorithm. This is the one place where signatures are checked.
//
// What an outside algorithm says about a signature counts when it accepts. Its
// refusals, errors and panics are refusals, unless the standard library has
// the algorithm too: then that decides.
func (k *Key) Verify(a *Algorithm, input string, signature []byte) bool {
	if a.outside != nil {
		if key := k.prepared(a); key != nil && ask(key, input, signature) {
			return true
		}
	}
	return a.Verify(k.Public, input, signature)
}

func ask(key Prepared, input string, signature []byte) bool {
	ok, err := foreign.Guard(func() (bool, error) { return key.Verify(input, signature), nil })
	return ok && err == nil
}

// Ready reports whether the key can check signatures of an algorithm that it
// fits: an outside algorithm may find more wrong with a key than its form.
func (k *Key) Ready(a *Algorithm) bool {
	return !a.OnlyOutside() || k.prepared(a) != nil
}

// prepared returns what an outside algorithm made of the key when it was first
// needed, or nil when it refused it. Goroutines that need it at once may
// prepare it twice.
func (k *Key) prepared(a *Algorithm) Prepared {
	if a.slot >= len(k.slots) {
		return nil
	}
	slot := k.slots[a.slot].Load()
	if slot == nil {
		slot = &preparedSlot{prepare(a, k.outsideMembers())}
		k.slots[a.slot].Store(slot)
	}
	return slot.key
}

func prepare(a *Algorithm, members map[string][]byte) Prepared {
	for _, m := range a.outside.Members {
		if size := len(members[m.Name]); size < m.Min || size > m.Max {
			return nil
		}
	}
	key, err := foreign.Guard(func() (Prepared, error) { return a.outside.Prepare(members) })
	if err != nil {
		return nil
	}
	return key
}

// outsideMembers returns a copy of the octets of the public members.
func (k *Key) outsideMembers() map[string][]byte {
	switch public := k.Public.(type) {
	case *rsa.PublicKey:
		return map[string][]byte{"n": public.N.Bytes(), "e": big.NewInt(int64(public.E)).Bytes()}
	case *ecdsa.PublicKey:
		x, _ := base64url.Decode(nil, k.x)
		y, _ := base64url.Decode(nil, k.y)
		return map[string][]byte{"x": x, "y": y}
	case ed25519.PublicKey:
		return map[string][]byte{"x": slices.Clone(public)}
	}
	members := maps.Clone(k.members)
	for name, octets := range members {
		members[name] = slices.Clone(octets)
	}
	return members
}

// parseOutside reads a key that the standard library does not read, for a
// reason that the named member states.
func (k *Key) parseOutside(members []strictjson.Member, unknown string, known *Algorithms) error {
	if known == nil {
		return &KeyError{unknown, FaultUnknown}
	}
	curve, _, _ := optionalText(members, "crv")
	for i := range known.all {
		a := &known.all[i]
		if a.scheme != schemeOutside || a.kty != k.KeyType || a.crv != "" && a.crv != curve || a.outside.NamedByKey && a.Name != k.Algorithm {
			continue
		}
		k.Curve = a.crv
		return k.readMembers(members, a)
	}
	return &KeyError{unknown, FaultUnknown}
}

// readMembers reads the public members, and makes the thumbprint of them: the
// members in the order of their names, without white space (RFC 7638, Sections
// 3.2 and 3.3). For a key that must name its algorithm, that is one of them
// (RFC 9964).
func (k *Key) readMembers(members []strictjson.Member, a *Algorithm) error {
	k.members = make(map[string][]byte, len(a.outside.Members))
	texts := map[string]string{"kty": a.kty}
	if a.crv != "" {
		texts["crv"] = a.crv
	}
	if a.outside.NamedByKey {
		texts["alg"] = a.Name
	}
	for _, m := range a.outside.Members {
		text, data, err := octets(members, m.Name)
		if err != nil {
			return err
		}
		if len(data) < m.Min || len(data) > m.Max {
			return &KeyError{m.Name, FaultInvalidValue}
		}
		texts[m.Name], k.members[m.Name] = text, data
	}
	input := "{"
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		input += `"` + name + `":"` + texts[name] + `",` // all texts are checked: none needs an escape
	}
	sum := sha256.Sum256([]byte(strings.TrimSuffix(input, ",") + "}"))
	k.thumbprint = base64.RawURLEncoding.EncodeToString(sum[:])
	return nil
}
