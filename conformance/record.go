package conformance

import (
	"fmt"
	"os"
	"strings"
)

// RecordVariable names the environment variable that Record reads.
const RecordVariable = "PORTCULLIS_REPORTS"

// Record writes the report on a subject, such as "redis (Cluster)", as a JSON
// file into the folder that the environment variable PORTCULLIS_REPORTS names,
// for a program that makes one table of the runs of several packages. Without
// the variable it does nothing.
func (r Report) Record(subject string) error {
	dir := os.Getenv(RecordVariable)
	if dir == "" {
		return nil
	}
	file, err := os.CreateTemp(dir, slug(subject)+"-*.json")
	if err != nil {
		return fmt.Errorf("conformance: report: %w", err)
	}
	r.Subject = subject
	if err := r.WriteJSON(file); err != nil {
		_ = file.Close()
		return fmt.Errorf("conformance: report: %w", err)
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
