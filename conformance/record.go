package conformance

import (
	"os"
	"strings"
	"testing"
)

// RecordVariable names the environment variable that Record reads.
const RecordVariable = "PORTCULLIS_REPORTS"

// Record writes the report on a subject, such as "redis (Cluster)", as a JSON
// file into the folder that the environment variable PORTCULLIS_REPORTS names,
// for a program that makes one table of the runs of several packages. Without
// the variable it does nothing; what goes wrong fails the test.
func (r Report) Record(t testing.TB, subject string) {
	t.Helper()
	if dir := os.Getenv(RecordVariable); dir != "" {
		if err := r.write(dir, subject); err != nil {
			t.Errorf("conformance: report: %v", err)
		}
	}
}

func (r Report) write(dir, subject string) error {
	file, err := os.CreateTemp(dir, slug(subject)+"-*.json")
	if err != nil {
		return err
	}
	r.Subject = subject
	if err := r.WriteJSON(file); err != nil {
		_ = file.Close()
		return err
	}
	return file.Close()
}

// slug makes a text fit for a file name.
func slug(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, text)
}
