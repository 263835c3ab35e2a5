package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/portcullis-go/portcullis/verifier/reason"
)

func TestThePageIsCurrent(t *testing.T) {
	page, err := os.ReadFile("../../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(page, document(reason.Catalogue())) {
		t.Error("docs/errors.md is out of date: run make generate")
	}
}

func TestEveryReasonHasItsRow(t *testing.T) {
	page := string(document(reason.Catalogue()))
	for _, r := range reason.Catalogue() {
		if got := strings.Count(page, "\n| `"+string(r.Reason)+"` |"); got != 1 {
			t.Errorf("%s has %d rows; want 1", r.Reason, got)
		}
		if r.Advice == "" || r.Description == "" || r.Status == 0 {
			t.Errorf("%s has an empty column", r.Reason)
		}
	}
	// One table each: the catalogue keeps families together.
	for _, family := range []string{"The credentials of the request", "The access token", "The DPoP proof", "Authorization", "Could not decide", "Mistakes of the calling program"} {
		if got := strings.Count(page, "\n## "+family+"\n"); got != 1 {
			t.Errorf("%d sections %q; want 1", got, family)
		}
	}
}
