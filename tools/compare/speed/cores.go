package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// cores returns two cores of which this process may use each, as taskset knows
// them, or none where that cannot be told.
func cores() (one, other string) {
	if _, err := exec.LookPath("taskset"); err != nil {
		return "", ""
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return "", ""
	}
	for line := range strings.Lines(string(status)) {
		if list, ok := strings.CutPrefix(line, "Cpus_allowed_list:"); ok {
			if all := parseCores(strings.TrimSpace(list)); len(all) >= 2 {
				return strconv.Itoa(all[0]), strconv.Itoa(all[1])
			}
		}
	}
	return "", ""
}

// parseCores reads a list such as "0-3,8", and returns its first two cores.
func parseCores(list string) (all []int) {
	for part := range strings.SplitSeq(list, ",") {
		first, last, isRange := strings.Cut(part, "-")
		from, err := strconv.Atoi(first)
		if err != nil {
			return nil
		}
		to := from
		if isRange {
			if to, err = strconv.Atoi(last); err != nil {
				return nil
			}
		}
		for n := from; n <= to && len(all) < 2; n++ {
			all = append(all, n)
		}
	}
	return all
}

// onCore returns a command that runs this program once more, with one thread of
// Go code, and on one core if it is not "".
func onCore(ctx context.Context, core string, args ...string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("this program cannot be found: %w", err)
	}
	cmd := exec.CommandContext(ctx, self, args...)
	if core != "" {
		cmd = exec.CommandContext(ctx, "taskset", append([]string{"-c", core, self}, args...)...)
	}
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	cmd.Stderr = os.Stderr
	return cmd, nil
}
