//go:build unix

package faulttest

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Halt stops a process where it is: connections stay, answers do not come. The
// signal alone is not enough: on a busy machine a thread of the process may go on
// for a moment, and answer. Halt returns when all stand still, as far as /proc
// tells; it waits for no longer than 5 s.
func Halt(process *os.Process) {
	_ = process.Signal(syscall.SIGSTOP)
	pattern := filepath.Join("/proc", strconv.Itoa(process.Pid), "task", "*", "stat")
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if standStill(pattern) {
			return
		}
	}
}

// standStill reports whether no thread runs of those that /proc has: each is
// stopped, or has ended.
func standStill(pattern string) bool {
	files, _ := filepath.Glob(pattern)
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		// The state stands behind the name, which is in brackets (proc(5)).
		if _, rest, ok := bytes.Cut(data[bytes.LastIndexByte(data, ')')+1:], []byte(" ")); ok && len(rest) > 0 && strings.IndexByte("TtZX", rest[0]) < 0 {
			return false
		}
	}
	return true
}
