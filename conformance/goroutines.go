package conformance

import (
	"bytes"
	"fmt"
	"reflect"
	"runtime/pprof"
	"strings"
	"time"
)

// label of the goroutines of a check.
const label = "portcullis-conformance"

// goroutines counts those that the check has started, directly or not, and
// that run a function of one package, or of any with "".
func (e *Env) goroutines(pkg string) int {
	var profile bytes.Buffer
	_ = pprof.Lookup("goroutine").WriteTo(&profile, 1) // to memory
	count := 0
	for group := range strings.SplitSeq(profile.String(), "\n\n") {
		n, lines := 0, strings.SplitN(group, "\n", 3)
		for _, line := range lines[:min(2, len(lines))] { // the first group has a heading
			if _, err := fmt.Sscanf(line, "%d @", &n); err == nil {
				break
			}
		}
		if !strings.Contains(group, e.id) || pkg != "" && !strings.Contains(root(group), "\t"+pkg+".") {
			continue
		}
		count += n
	}
	return count
}

// root is the line of the function that a goroutine was started with.
func root(group string) string {
	lines := strings.Split(strings.TrimSpace(group), "\n")
	return lines[len(lines)-1]
}

// packageOf is the package of an implementation, as functions are named.
func packageOf(implementation any) string {
	t := reflect.TypeOf(implementation)
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil || t.PkgPath() == "" {
		return "a package that is not known"
	}
	path, name := t.PkgPath(), ""
	if i := strings.LastIndex(path, "/"); i >= 0 {
		path, name = path[:i+1], path[i+1:]
	} else {
		path, name = "", path
	}
	return path + strings.ReplaceAll(name, ".", "%2e")
}

// settled waits until the number of goroutines is at most what is wanted, or
// does not get smaller any more, and returns it.
func (e *Env) settled(pkg string, want int) int {
	n := e.goroutines(pkg)
	for range 60 {
		if n <= want {
			break
		}
		time.Sleep(25 * time.Millisecond)
		n = e.goroutines(pkg)
	}
	return n
}
