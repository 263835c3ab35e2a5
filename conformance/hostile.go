package conformance

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"hash/fnv"
	"strings"
)

// maxKey is the longest key that must work.
const maxKey = 64 << 10

// The kinds of keys that backends refuse or change.
func spaceKeys() []string { return []string{" ", "a b", " a", "a ", "a  b"} }
func controlKeys() []string {
	return []string{"\x00", "a\x00b", "a\tb", "a\nb", "a\r\nb", "a\r\n\r\nb", "\x7f", "a\x1b[0mb"}
}
func unicodeKeys() []string {
	return []string{"\u00fc", "\u65e5\u672c\u8a9e", "\U0001F511", "\ufeffa", "\ufffd", "\u202ea", "a\u00a0b", "a\u0085b", "\U0010FFFF"}
}
func patternKeys() []string {
	return []string{"*", "a?", "[ab]", "{a}", "a{b}c", "../a", "..", "/etc/a", "a\\b", "%00", "%s", "a%20b", "a'b", "a\"b", "a;b", "$a", "a:b", "a::b", "a,b", "a=b&c"}
}

// hostileKeys are all of them, and long ones.
func hostileKeys() []string {
	keys := append(spaceKeys(), controlKeys()...)
	keys = append(append(keys, unicodeKeys()...), patternKeys()...)
	return append(keys, strings.Repeat("k", 251), strings.Repeat("\u00e9", 2000))
}

// hashesOf are what an adapter could store a key under that its backend
// refuses.
func hashesOf(key string) []string {
	in := []byte(key)
	m, s1, s256, s512, s384 := md5.Sum(in), sha1.Sum(in), sha256.Sum256(in), sha512.Sum512(in), sha512.Sum384(in)
	f64, f64a, f128a := fnv.New64(), fnv.New64a(), fnv.New128a()
	for _, h := range []interface{ Write([]byte) (int, error) }{f64, f64a, f128a} {
		_, _ = h.Write(in)
	}
	digests := [][]byte{m[:], s1[:], s256[:], s512[:], s384[:], s256[:16], s256[:20], f64.Sum(nil), f64a.Sum(nil), f128a.Sum(nil)}
	var keys []string
	for _, d := range digests {
		keys = append(keys, hex.EncodeToString(d),
			base64.StdEncoding.EncodeToString(d), base64.RawStdEncoding.EncodeToString(d),
			base64.URLEncoding.EncodeToString(d), base64.RawURLEncoding.EncodeToString(d))
	}
	return append(keys, fmt.Sprint(f64.Sum64()), fmt.Sprint(f64a.Sum64()), fmt.Sprintf("%x", f64a.Sum64()), fmt.Sprintf("%08x", crc32.ChecksumIEEE(in)))
}

// lookAlikes are pairs of different keys that something along the way could
// take for one.
func caseKeys() [][2]string { return [][2]string{{"key", "KEY"}, {"key", "Key"}, {"\u00fc", "\u00dc"}} }
func blankKeys() [][2]string {
	return [][2]string{{"key", "key "}, {"a b", "ab"}, {"a b", "a  b"}, {"a b", "a\tb"}, {"key", "key\n"}, {"a b", "a\u00a0b"}}
}
func unicodeForms() [][2]string {
	return [][2]string{{"\u00e9", "e\u0301"}, {"\u212b", "\u00c5"}, {"\ufb01", "fi"}, {"\ufffd", "?"}, {"a\u200bb", "ab"}}
}
func nulKeys() [][2]string { return [][2]string{{"a\x00b", "a\x00c"}, {"a\x00b", "a"}} }
func escapeKeys() [][2]string {
	return [][2]string{
		{"a/b", "a_b"}, {"a:b", "a_b"}, {"a:b", "a/b"}, {"a b", "a_b"}, {"a b", "a+b"}, {"a b", "a%20b"}, {"a/b", "a%2Fb"}, {"a/b", "a%2fb"},
		{"a/./b", "a/b"}, {"/a/../b", "/b"}, {"a//b", "a/b"}, {"a.b", "a-b"}, {"a\\b", "a/b"}, {"a\nb", "a\\nb"}, {"*", "_"},
	}
}
func longKeys() [][2]string {
	var pairs [][2]string
	for _, n := range []int{32, 64, 128, 200, 250, 255, 512, 1024, 4096, 32 << 10, maxKey - 64} {
		body := strings.Repeat("k", n)
		pairs = append(pairs, [2]string{body + "a", body + "b"}, [2]string{"a" + body, "b" + body}, [2]string{body, body + "k"})
	}
	return pairs
}

// splitKeys are keys that run together when parts of them are joined without a
// mark, or cut at one.
func splitKeys() [][2]string {
	return [][2]string{
		{"a:b:c", "a:bc"}, {"ab:c", "a:bc"}, {"a.b.c", "a.b"}, {"a.b", "b.a"}, {"a,b", "a"}, {"a#b", "a"}, {"a?b", "a"}, {"a;b", "a"}, {"a@b", "a"},
		{"a=b", "a"}, {"a&b", "a"}, {"0", "00"}, {"1", "01"}, {"1", "1.0"}, {"a", "a\x01"}, {"ab", "ba"}, {"abc", "acb"}, {"1e3", "1000"}, {"k1", "k10"}, {"-1", "1"},
		{"raw:a", "a"}, {"hash:a", "a"}, {"h:a", "a"}, {"sha256:a", "a"}, {"k:a", "a"}, {"\"a\"", "a"}, {"'a'", "a"}, {"a/", "a"}, {"/a", "a"}, {"{a}", "a"}, {"a:", "a"}, {":a", "a"},
	}
}
