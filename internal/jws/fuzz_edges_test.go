package jws_test

import (
	"errors"
	"testing"

	"github.com/portcullis-go/portcullis/internal/jws"
)

// TestEdgesOfTheCompactForm: "e30" is {} and "AA" one octet; of the last
// character of either some bits do not count and must be zero.
func TestEdgesOfTheCompactForm(t *testing.T) {
	for compact, want := range map[string]error{
		"e30.e30.AA": nil, "e31.e30.AA": jws.ErrCompact, "e30.e31.AA": jws.ErrCompact, "e30.e30.AB": jws.ErrCompact,
		"e3*.e30.AA": jws.ErrCompact, "e30.e3*.AA": jws.ErrCompact, "e30.e30.A*": jws.ErrCompact, "e30.e30.A": jws.ErrCompact, "e30.e30.": jws.ErrCompact,
		"e30.e30.AA.": jws.ErrCompact, "e30.e30..AA": jws.ErrCompact, "e30..AA": jws.ErrCompact, ".e30.AA": jws.ErrCompact, "e30.e30": jws.ErrCompact, "e30": jws.ErrCompact, "": jws.ErrCompact,
		"e30\n.e30.AA": jws.ErrCompact, "e30.e30\n.AA": jws.ErrCompact, "e30.e30.AA\n": jws.ErrCompact, "e30.e30.A\r\nA": jws.ErrCompact,
		"W10.e30.AA": jws.ErrHeader, "e30.W10.AA": jws.ErrPayload,
	} {
		got, err := jws.Parse(compact, nil, nil)
		if !errors.Is(err, want) || (err == nil) != (want == nil) {
			t.Errorf("Parse(%q): %v; want %v", compact, err, want)
		}
		if err == nil && (got.SigningInput != "e30.e30" || len(got.Signature) != 1 || got.Header == nil || got.Payload != "{}") {
			t.Errorf("Parse(%q) = %+v", compact, got)
		}
	}
}
