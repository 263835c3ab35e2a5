package conformance_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/portcullis-go/portcullis/conformance"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

func TestRecord(t *testing.T) {
	report := conformance.Report{Results: []conformance.Result{{Interface: "Cache", Check: "miss", Rule: "A rule.", Status: conformance.Passed}}}
	t.Setenv(conformance.RecordVariable, "")
	report.Record(t, "x") // nowhere
	dir := t.TempDir()
	t.Setenv(conformance.RecordVariable, dir)
	for range 2 { // the same subject again is a file of its own
		report.Record(t, "redis (../Cluster)")
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
	if err := verifiertest.Run(func(tb testing.TB) { report.Record(tb, "x") }); err == nil {
		t.Error("a folder that is not there: no error")
	}
}
