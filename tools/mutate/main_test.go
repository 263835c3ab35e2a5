package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDefaultFilesExist: a file that was renamed is not left out unnoticed.
func TestDefaultFilesExist(t *testing.T) {
	for _, file := range strings.Split(defaultFiles, ",") {
		if _, err := os.Stat(filepath.Join("..", "..", filepath.FromSlash(file))); err != nil {
			t.Error(err)
		}
	}
}
