package conformance

import "strings"

// collisions are pairs of keys that a weak hash takes for one: a hash that is
// short, or made for speed, or broken. They were computed beforehand. The first
// ones are equal behind any prefix, and all but the last ones before any
// ending.
func collisions(prefix string) [][2]string {
	anywhere := [][2]string{
		{"c0a9414c103b2a13", "5da595f4c2baaf22"}, // CRC-32
		{"d5b2f193dfa051e4", "cac226581eb29c97"}, // CRC-32C
		{"aca", "bab"},                           // Adler-32, and sums
		{"Aa", "BB"},                             // h*31+b, as in Java
		{"bA", "ab"},                             // h*33+b, of Bernstein
		{"xy", "yx"},                             // XOR, and sums
	}
	alone := [][2]string{
		{"key-0549599", "key-0712382"}, // FNV-1, 32 bits
		{"key-0062789", "key-0279192"}, // FNV-1a, 32 bits
		{"liquid", "costarring"},       // FNV-1a, 32 bits
	}
	cut := [][2]string{
		{"key-0006104", "key-0056921"}, // the first 4 bytes of MD5
		{"key-0021668", "key-0141919"}, // of SHA-1
		{"key-0017382", "key-0039181"}, // of SHA-256
	}
	var pairs [][2]string
	for _, pair := range anywhere {
		pairs = append(pairs, [2]string{prefix + pair[0], prefix + pair[1]})
	}
	pairs = append(pairs, alone...)
	for _, pair := range pairs[:len(pairs):len(pairs)] {
		for _, ending := range []string{strings.Repeat("k", 300), " with spaces\n"} {
			pairs = append(pairs, [2]string{pair[0] + ending, pair[1] + ending})
		}
	}
	return append(pairs, cut...)
}
