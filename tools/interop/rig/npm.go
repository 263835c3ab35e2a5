package rig

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// NPM returns a folder with the scripts of dir and the packages of its
// package-lock.json. Packages are installed once for each lock file, into the
// user's cache; tests of other packages wait meanwhile. Scripts of packages do not
// run.
func NPM(t testing.TB, dir string) string {
	t.Helper()
	lock, err := os.ReadFile(filepath.Join(dir, "package-lock.json"))
	if err != nil {
		t.Fatal(err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(lock)
	home := filepath.Join(cache, "portcullis-interop", hex.EncodeToString(sum[:8]))
	if err := os.MkdirAll(home, 0o755); err != nil {
		t.Fatal(err)
	}
	defer guard(t, filepath.Join(home, "lock"))()
	ready := filepath.Join(home, "ready")
	if _, err := os.Stat(ready); err != nil {
		for _, name := range []string{"package.json", "package-lock.json"} {
			copyFile(t, filepath.Join(dir, name), filepath.Join(home, name))
		}
		Run(t, 5*time.Minute, Command{Name: "npm", Args: []string{"ci", "--ignore-scripts", "--no-audit", "--no-fund"}, Dir: home})
		if err := os.WriteFile(ready, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// The scripts stand beside node_modules, where node looks for packages.
	work := t.TempDir()
	scripts, err := filepath.Glob(filepath.Join(dir, "*.mjs"))
	if err != nil {
		t.Fatal(err)
	}
	for _, script := range append(scripts, filepath.Join(dir, "package.json")) {
		copyFile(t, script, filepath.Join(work, filepath.Base(script)))
	}
	if err := os.Symlink(filepath.Join(home, "node_modules"), filepath.Join(work, "node_modules")); err != nil {
		t.Fatal(err)
	}
	return work
}

// guard locks a file against other processes and returns what unlocks it.
func guard(t testing.TB, path string) (unlock func()) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	return func() { _ = file.Close() }
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, data, 0o644); err != nil {
		t.Fatal(err)
	}
}
