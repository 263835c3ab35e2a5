package strangers

import (
	"os"
	"testing"

	"github.com/portcullis-go/portcullis/conformance"
)

// record writes a report into the folder that conformancetable reads.
func record(t *testing.T, r conformance.Report) {
	t.Helper()
	dir := os.Getenv("PORTCULLIS_REPORTS")
	if dir == "" {
		return
	}
	file, err := os.CreateTemp(dir, "stranger-*.json")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	if err := r.WriteJSON(file); err != nil {
		t.Error(err)
	}
}
