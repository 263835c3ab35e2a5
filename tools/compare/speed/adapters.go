package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// adapters are the modules whose TestTargets compares an adapter with the bare
// client of its server. They start the servers themselves, which must be
// installed (make servers).
var adapters = []string{"cacheadapter/redis", "cacheadapter/memcache"}

// adapterTargets measures the adapters in their own modules, so that this one
// needs no clients. Each line of theirs is a row of the budget.
func adapterTargets(ctx context.Context) ([]target, error) {
	var all []target
	for _, module := range adapters {
		cmd := exec.CommandContext(ctx, "go", "test", "-count=1", "-timeout", "10m", "-run", "^TestTargets$", "-v", ".")
		cmd.Dir = filepath.Join("..", "..", filepath.FromSlash(module))
		cmd.Env = append(os.Environ(), "GOWORK=off", "PORTCULLIS_TARGETS=1")
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("%s: %w\n%s", module, err, out)
		}
		rows, err := parseTargets(out)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", module, err)
		}
		all = append(all, rows...)
	}
	return all, nil
}

// parseTargets reads lines such as "| what | 0.47 | <= 0.60 | met |" and leaves
// out the others.
func parseTargets(out []byte) ([]target, error) {
	var rows []target
	for line := range strings.Lines(string(bytes.TrimSpace(out))) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "| ") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		if len(cells) != 4 || cells[3] != verdict(true) && cells[3] != verdict(false) {
			return nil, fmt.Errorf("%q is no row", line)
		}
		rows = append(rows, target{cells[0] + ", to the bare client", cells[1], cells[2], cells[3] == verdict(true)})
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("no rows in %q", out)
	}
	return rows, nil
}
