package wycheproof_test

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// The vectors, as a module, and the sum of what is in it (see "go help
// module-auth").
const (
	module = "github.com/c2sp/wycheproof@v0.0.0-20260902155932-3fa63dd0344a"
	sum    = "h1:pNbL2nztRsWfW/ispAwsvcDFxs9Id38uIsR2/Up5G2c="
)

// folder downloads the module unless it is there, and says where it is.
var folder = sync.OnceValues(func() (string, error) {
	cmd := exec.Command("go", "mod", "download", "-json", module)
	cmd.Dir, cmd.Env = os.TempDir(), append(os.Environ(), "GOWORK=off", "GOFLAGS=")
	out, err := cmd.Output()
	if err != nil && len(out) == 0 {
		return "", err
	}
	var info struct{ Dir, Sum, Error string }
	if err := json.Unmarshal(out, &info); err != nil {
		return "", err
	}
	if info.Error != "" || info.Sum != sum {
		return "", &sumError{info.Sum, info.Error}
	}
	return filepath.Join(info.Dir, "testvectors_v1"), nil
})

type sumError struct{ sum, problem string }

func (e *sumError) Error() string {
	return "got the module with the sum " + e.sum + "; want " + sum + " (" + e.problem + ")"
}

// octets are hexadecimal in the files.
type octets []byte

func (o *octets) UnmarshalText(text []byte) error {
	data, err := hex.DecodeString(string(text))
	*o = data
	return err
}

// vector is one signature, and whether it is good.
type vector struct {
	ID        int    `json:"tcId"`
	Comment   string `json:"comment"`
	Message   octets `json:"msg"`
	Context   octets `json:"ctx"`
	Signature octets `json:"sig"`
	Result    string `json:"result"` // valid, invalid, or acceptable
}

// load reads a file of vectors into groups, and checks how many there are.
func load[G any](t *testing.T, name string, count func(G) int) []G {
	t.Helper()
	dir, err := folder()
	if err != nil {
		t.Fatalf("%s: %v", module, err)
	}
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []G `json:"testGroups"`
		Count  int `json:"numberOfTests"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	total := 0
	for _, g := range file.Groups {
		total += count(g)
	}
	if total == 0 || total != file.Count {
		t.Fatalf("%s: read %d vectors; want %d", name, total, file.Count)
	}
	return file.Groups
}
