package conformance

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/portcullis-go/portcullis/verifier"
)

// signingInput looks like one of a token.
const signingInput = "eyJhbGciOiJYIn0.eyJpc3MiOiJodHRwczovL2EuZXhhbXBsZS8ifQ"

func cloneMembers(members map[string][]byte) map[string][]byte {
	all := maps.Clone(members)
	for name, octets := range all {
		all[name] = bytes.Clone(octets)
	}
	return all
}

func algorithmSpec(c *algorithmCase) error {
	first := c.algorithm.Spec()
	for range 3 {
		if next := c.algorithm.Spec(); !reflect.DeepEqual(first, next) {
			return fmt.Errorf("Spec = %+v, then %+v; want the same", first, next)
		}
	}
	return nil
}

// algorithmOwnSpec writes into a Spec.
func algorithmOwnSpec(c *algorithmCase) error {
	before := fmt.Sprintf("%+v", c.algorithm.Spec())
	given := c.algorithm.Spec()
	defer copy(given.Members, slices.Clone(given.Members)) // as it was, if it is everybody's
	for i := range given.Members {
		given.Members[i] = verifier.KeyMember{Name: "other", MinSize: 1, MaxSize: 1}
	}
	if now := fmt.Sprintf("%+v", c.algorithm.Spec()); now != before {
		return fmt.Errorf("Spec after the caller wrote into an earlier one = %s; want %s", now, before)
	}
	return nil
}

func algorithmNew(c *algorithmCase) error {
	name := c.algorithm.Spec().Name
	v, err := verifier.New(verifier.Config{
		Domain: "a.example", Audience: "https://api.example", SignatureAlgorithms: []verifier.SignatureAlgorithm{c.algorithm},
		Algorithms: []string{name}, DPoP: verifier.DPoPConfig{Algorithms: []string{name}},
	})
	if err != nil {
		return fmt.Errorf("verifier.New with the algorithm = %w; want a Verifier", err)
	}
	return v.Close()
}

// inputs are of lengths around those of buffers, and of any octets.
func inputs() []string {
	list := []string{signingInput, "", ".", "\x00", "\xff\xfe", string(randomBytes(300))}
	for _, n := range []int{63, 64, 65, 127, 128, 1023, 2047, 2048, 2049, 4096, 70_000, 1 << 20} {
		list = append(list, strings.Repeat("x", n))
	}
	return list
}

func algorithmAccepts(c *algorithmCase) error {
	key, err := c.key()
	if err != nil {
		return err
	}
	for _, input := range inputs() {
		signature, err := key.sign(input)
		if err != nil {
			return err
		}
		if !key.verify(input, signature) {
			return fmt.Errorf("Verify of a good signature over %d octets = false; want true", len(input))
		}
	}
	return nil
}

// pair returns a key and a good signature over signingInput.
func (c *algorithmCase) pair() (key *algorithmKey, signature []byte, err error) {
	if key, err = c.key(); err != nil {
		return nil, nil, err
	}
	if signature, err = key.sign(signingInput); err != nil {
		return nil, nil, err
	}
	if !key.verify(signingInput, signature) {
		return nil, nil, errors.New("Verify of a good signature = false; want true")
	}
	return key, signature, nil
}

func algorithmOtherKey(c *algorithmCase) error {
	one, signature, err := c.pair()
	if err != nil {
		return err
	}
	two, other, err := c.pair()
	if err != nil {
		return err
	}
	if reflect.DeepEqual(one.private.Members, two.private.Members) {
		return errors.New("the harness's NewKey gives one key twice; want a new one on each call")
	}
	if one.verify(signingInput, other) || two.verify(signingInput, signature) {
		return errors.New("Verify of another key's signature = true; want false")
	}
	return nil
}

func algorithmOtherInput(c *algorithmCase) error {
	key, signature, err := c.pair()
	if err != nil {
		return err
	}
	others := []string{"", signingInput + "x", signingInput + "\x00", "x" + signingInput, signingInput + signingInput, strings.ToUpper(signingInput)}
	for i := range signingInput {
		others = append(others, signingInput[:i]+"~"+signingInput[i+1:], signingInput[:i], signingInput[i+1:])
	}
	for _, other := range others {
		if other != signingInput && key.verify(other, signature) {
			return fmt.Errorf("Verify of a signature over another input (%d octets) = true; want false", len(other))
		}
	}
	return nil
}

// algorithmLongInput changes an input far behind its beginning.
func algorithmLongInput(c *algorithmCase) error {
	key, err := c.key()
	if err != nil {
		return err
	}
	for _, n := range []int{130, 2100, 5000, 70_000, 1<<20 - 1} {
		input := strings.Repeat("x", n)
		signature, err := key.sign(input)
		if err != nil {
			return err
		}
		for _, at := range []int{n / 2, n - 2, n - 1} {
			if key.verify(input[:at]+"y"+input[at+1:], signature) {
				return fmt.Errorf("Verify of a signature over %d octets of which number %d was changed = true; want false", n, at)
			}
		}
		if key.verify(input[:n-1], signature) || key.verify(input+"x", signature) {
			return fmt.Errorf("Verify of a signature over %d octets, one less or more = true; want false", n)
		}
	}
	for _, pair := range [][2]string{{"\xff", "\xfe"}, {"a\x00b", "a\x00c"}, {"\u00e9", "e\u0301"}} {
		signature, err := key.sign(pair[0])
		if err != nil {
			return err
		}
		if key.verify(pair[1], signature) {
			return fmt.Errorf("Verify over %q of a signature over %q = true; want false", pair[1], pair[0])
		}
	}
	return nil
}

// maxChanges is how many changes of a long signature are tried.
const maxChanges = 300

func algorithmChanged(c *algorithmCase) error {
	key, signature, err := c.pair()
	if err != nil {
		return err
	}
	bits := 8 * len(signature)
	step := max(1, bits/maxChanges) | 1 // odd: all bits of an octet get their turn
	for bit := 0; bit < bits; bit += step {
		changed := bytes.Clone(signature)
		changed[bit/8] ^= 1 << (bit % 8)
		if key.verify(signingInput, changed) {
			return fmt.Errorf("Verify of a signature with bit %d of %d changed = true; want false", bit, bits)
		}
	}
	for _, fill := range []byte{0, 0xff} { // of the last octets, where flags and lengths are
		for n := 1; n <= min(64, len(signature)/2); n++ {
			changed := bytes.Clone(signature)
			for i := range n {
				changed[len(changed)-1-i] = fill
			}
			if !bytes.Equal(changed, signature) && key.verify(signingInput, changed) {
				return fmt.Errorf("Verify of a signature with its last %d octets %#x = true; want false", n, fill)
			}
		}
	}
	return nil
}

func algorithmLengths(c *algorithmCase) error {
	key, signature, err := c.pair()
	if err != nil {
		return err
	}
	size := len(signature)
	var others [][]byte
	for n := 0; n < size; n += max(1, size/maxChanges) {
		others = append(others, signature[:n], signature[size-n:])
	}
	others = append(others, signature[:size-1], signature[1:],
		slices.Concat([]byte{0}, signature), slices.Concat(signature, signature))
	for n := 1; n <= 64; n *= 2 {
		others = append(others, slices.Concat(signature, make([]byte, n)), slices.Concat(signature, randomBytes(n)))
	}
	for _, other := range others {
		if key.verify(signingInput, other) {
			return fmt.Errorf("Verify of a signature of %d octets made %d = true; want false", size, len(other))
		}
	}
	return nil
}

func algorithmVectors(c *algorithmCase) error {
	if len(c.h.Vectors) == 0 {
		return skip("the harness has no Vectors")
	}
	for i, v := range c.h.Vectors {
		key, err := c.prepare(v.Members)
		got := err == nil && key != nil && c.ask(key, v.Input, v.Signature)
		if got != v.Valid {
			return fmt.Errorf("vector %d (%s): Verify = %v, PrepareKey's error %v; want %v", i, v.Name, got, err, v.Valid)
		}
	}
	return nil
}

func algorithmAlike(c *algorithmCase) error {
	key, signature, err := c.pair()
	if err != nil {
		return err
	}
	for range 3 {
		again, err := c.prepare(key.private.Members)
		if err != nil || again == nil {
			return fmt.Errorf("PrepareKey of a key that was prepared before = %v, %v; want a key", again, err)
		}
		for _, k := range []verifier.SignatureKey{key.prepared, again} {
			if !c.ask(k, signingInput, signature) || c.ask(k, "x"+signingInput, signature) {
				return errors.New("Verify of a key that was prepared again differs from the first; want equal answers")
			}
		}
	}
	return nil
}

// algorithmRemembers prepares more keys than a table holds, and goes back to the
// first one. Two of them are enough.
func algorithmRemembers(c *algorithmCase) error {
	first, signature, err := c.pair()
	if err != nil {
		return err
	}
	second, other, err := c.pair()
	if err != nil {
		return err
	}
	for i := range 300 {
		key, signature := first, signature
		if i%2 == 0 {
			key, signature = second, other
		}
		prepared, err := c.prepare(key.private.Members)
		if err != nil || prepared == nil {
			return fmt.Errorf("PrepareKey number %d = %v, %v; want a key", i, prepared, err)
		}
		if !c.ask(prepared, signingInput, signature) {
			return fmt.Errorf("Verify with key number %d = false; want true", i)
		}
	}
	if !first.verify(signingInput, signature) || !second.verify(signingInput, other) {
		return errors.New("Verify with a key of long ago = false, after 300 others were prepared; want true")
	}
	return nil
}

func algorithmKeeps(c *algorithmCase) error {
	key, signature, err := c.pair()
	if err != nil {
		return err
	}
	ours := bytes.Clone(signature)
	for range 3 {
		key.prepared.Verify(signingInput, ours)
		if !bytes.Equal(ours, signature) {
			return errors.New("Verify changed the signature that it was given; want it left alone")
		}
	}
	clear(ours)
	if !key.verify(signingInput, signature) {
		return errors.New("Verify = false after the caller used the memory of an earlier signature again; want true")
	}
	return nil
}

func algorithmConcurrent(c *algorithmCase) error {
	const callers, calls = 8, 20
	shared, signature, err := c.pair()
	if err != nil {
		return err
	}
	privates, signatures := make([]SigningKey, callers), make([][]byte, callers)
	for i := range callers { // the harness is not what is tested
		if privates[i], err = c.h.NewKey(c.env); err == nil {
			signatures[i], err = privates[i].Sign(signingInput)
		}
		if err != nil {
			return fmt.Errorf("the harness's NewKey or Sign = %w; want a key and a signature", err)
		}
	}
	return together(callers, func(i int) error {
		own, err := c.prepare(privates[i].Members)
		if err != nil || own == nil {
			return fmt.Errorf("PrepareKey by %d callers at once = %v, %v; want a key", callers, own, err)
		}
		for n := range calls {
			key, signature, input := shared.prepared, signature, signingInput
			if n%3 == 0 {
				key, signature = own, signatures[i]
			}
			want := (n+i)%2 == 0
			if !want {
				input = fmt.Sprint(i, n, input)
			}
			if got := c.ask(key, input, signature); got != want {
				return fmt.Errorf("Verify by %d callers at once = %v; want %v", callers, got, want)
			}
		}
		return nil
	})
}

// algorithmAnyKey prepares octets that are no key, each within its bounds. They
// may be refused now or later, and what is accepted with them is unknown; but
// not a signature of another key.
func algorithmAnyKey(c *algorithmCase) error {
	key, signature, err := c.pair()
	if err != nil {
		return err
	}
	spec := c.algorithm.Spec()
	fills := []func(n int) []byte{
		func(n int) []byte { return make([]byte, n) },
		func(n int) []byte { return bytes.Repeat([]byte{0xff}, n) },
		func(n int) []byte { return append(make([]byte, n-1), 1) },
		randomBytes, randomBytes, randomBytes,
	}
	for _, fill := range fills {
		for _, size := range []func(m verifier.KeyMember) int{
			func(m verifier.KeyMember) int { return m.MinSize },
			func(m verifier.KeyMember) int { return m.MaxSize },
			func(m verifier.KeyMember) int { return (m.MinSize + m.MaxSize) / 2 },
			func(m verifier.KeyMember) int { return len(key.private.Members[m.Name]) },
		} {
			all := make(map[string][]byte)
			for _, m := range spec.Members {
				all[m.Name] = fill(size(m))
				one := cloneMembers(key.private.Members)
				one[m.Name] = fill(size(m))
				if err := c.noKey(key, one, signature); err != nil {
					return err
				}
			}
			if err := c.noKey(key, all, signature); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *algorithmCase) noKey(key *algorithmKey, members map[string][]byte, signature []byte) error {
	if reflect.DeepEqual(members, key.private.Members) {
		return nil
	}
	prepared, err := c.prepare(members)
	if err != nil || prepared == nil {
		return nil
	}
	c.ask(prepared, signingInput, make([]byte, len(signature)))
	if c.ask(prepared, signingInput, signature) {
		return errors.New("Verify with a key of other octets = true; want false")
	}
	return nil
}

func algorithmAnySignature(c *algorithmCase) error {
	key, signature, err := c.pair()
	if err != nil {
		return err
	}
	sizes := []int{0, 1, 2, len(signature) - 1, len(signature), len(signature) + 1, 2 * len(signature), 1 << 16}
	for _, n := range sizes {
		for _, any := range [][]byte{make([]byte, n), bytes.Repeat([]byte{0xff}, n), bytes.Repeat([]byte{0x7f}, n), randomBytes(n), randomBytes(n)} {
			if key.verify(signingInput, any) {
				return fmt.Errorf("Verify of %d octets that nobody signed = true; want false", n)
			}
		}
	}
	if key.prepared.Verify("", nil) {
		return errors.New("Verify of no signature over nothing = true; want false")
	}
	return nil
}
