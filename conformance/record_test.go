package conformance_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/portcullis-go/portcullis/conformance"
)

func TestRecord(t *testing.T) {
	report := conformance.Report{Results: []conformance.Result{{Interface: "Cache", Check: "miss", Rule: "A rule.", Status: conformance.Passed}}}
	t.Setenv(conformance.RecordVariable, "")
	if err := report.Record("x"); err != nil {
		t.Errorf("without a folder: %v", err)
	}
	dir := t.TempDir()
	t.Setenv(conformance.RecordVariable, dir)
	for range 2 { // the same subject again is a file of its own
		if err := report.Record("redis (../Cluster)"); err != nil {
			t.Fatal(err)
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) != 2 {
		t.Fatalf("files %q, %v; want two in the folder", files, err)
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	var got conformance.Report
	if err := json.Unmarshal(data, &got); err != nil || got.Subject != "redis (../Cluster)" || len(got.Results) != 1 || got.Results[0] != report.Results[0] {
		t.Errorf("report %+v, %v; want what was recorded", got, err)
	}
	t.Setenv(conformance.RecordVariable, filepath.Join(dir, "missing"))
	if err := report.Record("x"); err == nil {
		t.Error("a folder that is not there: no error")
	}
}
