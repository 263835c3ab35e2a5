//go:build unix

package faulttest

import (
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// TestHalt: what keeps a processor busy stands still at once.
func TestHalt(t *testing.T) {
	cmd := exec.Command("sh", "-c", "while :; do :; done")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	pattern := filepath.Join("/proc", strconv.Itoa(cmd.Process.Pid), "task", "*", "stat")
	if files, _ := filepath.Glob(pattern); len(files) == 0 {
		return // nothing here tells
	}
	if standStill(pattern) {
		t.Error("a process that runs stands still")
	}
	Halt(cmd.Process)
	if !standStill(pattern) {
		t.Error("a halted process runs")
	}
	_ = cmd.Process.Signal(syscall.SIGCONT)
}
