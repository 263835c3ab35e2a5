package seal_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/portcullis-go/portcullis/internal/seal"
)

func sealer(t *testing.T, purpose string, keys ...[]byte) *seal.Sealer {
	t.Helper()
	s, err := seal.New(purpose, keys...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func key(b byte) []byte { return bytes.Repeat([]byte{b}, seal.KeySize) }

func TestOpen(t *testing.T) {
	sealed := sealer(t, "tests", key(1)).Seal([]byte("secret value"), "place")
	if bytes.Contains(sealed, []byte("secret")) {
		t.Errorf("Seal left the value readable: %q", sealed)
	}
	if len(sealed) != len("secret value")+seal.Overhead {
		t.Errorf("Seal added %d bytes; want Overhead", len(sealed)-len("secret value"))
	}
	changed := bytes.Clone(sealed)
	changed[len(changed)-1] ^= 1
	otherVersion := bytes.Clone(sealed)
	otherVersion[0]++
	tests := []struct {
		name   string
		s      *seal.Sealer
		sealed []byte
		place  string
		want   error
	}{
		{"same", sealer(t, "tests", key(1)), sealed, "place", nil},
		{"rotated", sealer(t, "tests", key(2), key(1)), sealed, "place", nil},
		{"other key", sealer(t, "tests", key(2)), sealed, "place", seal.ErrUnknownKey},
		{"other purpose", sealer(t, "other", key(1)), sealed, "place", seal.ErrUnknownKey},
		{"other place", sealer(t, "tests", key(1)), sealed, "place2", seal.ErrForged},
		{"changed", sealer(t, "tests", key(1)), changed, "place", seal.ErrForged},
		{"other version", sealer(t, "tests", key(1)), otherVersion, "place", seal.ErrMalformed},
		{"short", sealer(t, "tests", key(1)), sealed[:10], "place", seal.ErrMalformed},
		{"empty", sealer(t, "tests", key(1)), nil, "place", seal.ErrMalformed},
	}
	for _, test := range tests {
		got, err := test.s.Open(test.sealed, test.place)
		if !errors.Is(err, test.want) || err == nil && string(got) != "secret value" {
			t.Errorf("%s: Open() = %q, %v; want %v", test.name, got, err, test.want)
		}
	}
	s := sealer(t, "tests", key(1))
	if got, err := s.Open(s.Seal(nil, "place"), "place"); err != nil || len(got) != 0 {
		t.Errorf("Open of an empty value = %q, %v; want it", got, err)
	}
}

func TestSealNeverRepeats(t *testing.T) {
	s := sealer(t, "tests", key(1))
	if a, b := s.Seal([]byte("v"), "p"), s.Seal([]byte("v"), "p"); bytes.Equal(a, b) {
		t.Error("two seals of a value are equal")
	}
}

func TestKeys(t *testing.T) {
	for _, keys := range [][][]byte{nil, {nil}, {key(1)[:16]}, {key(1), append(key(2), 0)}, {key(0)}, {key(1), key(1)}} {
		if _, err := seal.New("tests", keys...); !errors.Is(err, seal.ErrKeys) {
			t.Errorf("New(%d keys) = %v; want ErrKeys", len(keys), err)
		}
	}
}
