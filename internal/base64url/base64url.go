// Package base64url decodes the base64url text of tokens and keys (RFC 7515,
// Section 2), of which each octet string has exactly one: no padding, no line
// breaks, and zero in the bits that do not count (RFC 4648, Sections 3.2, 3.3 and
// 3.5). Two texts for one value would make two tokens of one.
//
// The standard library's strict decoder skips line breaks, and takes twice the
// time: decoding is most of what a verification costs beside the signature check.
package base64url

import "encoding/binary"

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// foreign marks the characters that are not in the alphabet.
const foreign = 1 << 31

// values holds the six bits of a character, shifted for each of the four places
// that it can have in a group of three octets.
var values = func() (values [4][256]uint32) {
	for place := range values {
		for c := range values[place] {
			values[place][c] = foreign
		}
		for v, c := range []byte(alphabet) {
			values[place][c] = uint32(v) << (18 - 6*place)
		}
	}
	return values
}()

// Decode returns the octets that text stands for, in space where they fit there,
// or else in new memory; ok is false where text is not the one text of some octets.
// No octets have the text "".
func Decode(space []byte, text string) (octets []byte, ok bool) {
	size := len(text)/4*3 + len(text)%4*3/4
	if size > len(space) {
		space = make([]byte, size)
	}
	n, seen := 0, uint32(0)
	for len(text) >= 8 && n+8 <= len(space) { // 6 octets, and 2 that the next ones overwrite
		first := values[0][text[0]] | values[1][text[1]] | values[2][text[2]] | values[3][text[3]]
		second := values[0][text[4]] | values[1][text[5]] | values[2][text[6]] | values[3][text[7]]
		seen |= first | second
		binary.BigEndian.PutUint64(space[n:], uint64(first)<<40|uint64(second)<<16)
		text = text[8:]
		n += 6
	}
	for ; len(text) >= 4; n += 3 {
		group := values[0][text[0]] | values[1][text[1]] | values[2][text[2]] | values[3][text[3]]
		seen |= group
		space[n], space[n+1], space[n+2] = byte(group>>16), byte(group>>8), byte(group)
		text = text[4:]
	}
	spare := uint32(0) // bits that do not count
	switch len(text) {
	case 1:
		return nil, false
	case 2:
		group := values[0][text[0]] | values[1][text[1]]
		seen |= group
		space[n] = byte(group >> 16)
		spare = group & 0xffff
	case 3:
		group := values[0][text[0]] | values[1][text[1]] | values[2][text[2]]
		seen |= group
		space[n], space[n+1] = byte(group>>16), byte(group>>8)
		spare = group & 0xff
	}
	if seen&foreign != 0 || spare != 0 {
		return nil, false
	}
	return space[:size], true
}
