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

// suite is a set of tests of another package that measure something themselves,
// and print their rows: what they measure is not open to this module, or needs
// clients and servers that this module does not have.
type suite struct {
	name    string
	module  string // its folder
	pkg     string // in the module
	pattern string // of the tests
}

// suites of the adapters start their servers themselves, which must be
// installed (make servers).
var suites = []suite{
	{"Redis", "cacheadapter/redis", ".", "^TestTarget"},
	{"memcached", "cacheadapter/memcache", ".", "^TestTarget"},
	{"cold issuers", ".", "./internal/lifecycle", "^TestBudgetColdIssuersAtAFullStore$"},
	{"memory per issuer", ".", "./internal/keys", "^TestMemoryPerIssuer$"},
}

// run returns the rows that the tests print.
func (s suite) run(ctx context.Context) ([]target, error) {
	cmd := exec.CommandContext(ctx, "go", "test", "-count=1", "-timeout", "10m", "-run", s.pattern, "-v", s.pkg)
	cmd.Dir = filepath.Join("..", "..", filepath.FromSlash(s.module))
	cmd.Env = append(os.Environ(), "GOWORK=off", "PORTCULLIS_TARGETS=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, out)
	}
	return parseTargets(out)
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
		rows = append(rows, target{cells[0], cells[1], cells[2], cells[3] == verdict(true)})
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("no rows in %q", out)
	}
	return rows, nil
}
