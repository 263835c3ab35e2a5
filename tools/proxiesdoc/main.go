// Command proxiesdoc writes the table "your proxy, your settings" of
// docs/dpop-behind-proxies.md from the comments of the configurations under
// examples/proxies and examples/forward-auth:
//
//	go run ./tools/proxiesdoc docs/dpop-behind-proxies.md
//
// The same comments are the settings that the configurations are tested with.
package main

//go:generate go run . ../../docs/dpop-behind-proxies.md

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: proxiesdoc FILE")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "proxiesdoc:", err)
		os.Exit(1)
	}
}

func run(file string) error {
	page, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	root := filepath.Join(filepath.Dir(file), "..")
	all, err := read(root)
	if err != nil {
		return err
	}
	page, err = replace(page, table(all))
	if err != nil {
		return err
	}
	return os.WriteFile(file, page, 0o644)
}

// configuration is a file and what its comments say.
type configuration struct {
	// path from the root of the repository, with slashes.
	path string
	// What stands behind "# Proxy:" and so on. Lists have spaces between.
	proxy, checked, trusted, fields, certificate, forwardAuth, note string
	// sends are the header fields of requests that the proxy sends, those that
	// are checked by hand.
	sends []string
}

// read finds the configurations, sorted by their paths.
func read(root string) ([]configuration, error) {
	var files []string
	for _, pattern := range []string{"examples/proxies/*", "examples/forward-auth/*/*"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return nil, err
		}
		files = append(files, found...)
	}
	var all []configuration
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		name, err := filepath.Rel(root, file)
		if err != nil {
			return nil, err
		}
		c, err := parse(filepath.ToSlash(name), string(text))
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	slices.SortStableFunc(all, func(a, b configuration) int { return strings.Compare(path.Dir(b.path), path.Dir(a.path)) })
	return all, nil
}

func parse(name, text string) (configuration, error) {
	c := configuration{path: name}
	into := map[string]*string{
		"Proxy": &c.proxy, "Checked": &c.checked, "TrustedProxies": &c.trusted, "ProxyFields": &c.fields,
		"ClientCertificate": &c.certificate, "ForwardAuth": &c.forwardAuth, "Note": &c.note,
	}
	for line := range strings.Lines(text) {
		comment, found := strings.CutPrefix(line, "# ")
		key, value, _ := strings.Cut(comment, ": ")
		if !found {
			break
		}
		value = strings.TrimSpace(value)
		switch {
		case key == "Sends":
			c.sends = append(c.sends, value)
		case into[key] != nil:
			*into[key] = value
		}
	}
	for _, key := range []string{"Proxy", "Checked", "TrustedProxies", "ProxyFields", "ClientCertificate", "Note"} {
		if *into[key] == "" {
			return c, fmt.Errorf("%s has no line %q", name, "# "+key+": ...")
		}
	}
	if !strings.HasPrefix(c.checked, "run, ") && (!strings.HasPrefix(c.checked, "by hand, ") || len(c.sends) == 0) {
		return c, fmt.Errorf("%s is neither checked by a run nor by hand with a line \"# Sends: ...\"", name)
	}
	return c, nil
}

func table(all []configuration) string {
	var out strings.Builder
	out.WriteString("| your proxy | your settings | what to know | checked |\n|---|---|---|---|\n")
	for _, c := range all {
		settings := "`ProxyFields`: `" + strings.Join(strings.Fields(c.fields), "`, `") + "`; `ClientCertificate`: `" + c.certificate + "`"
		if c.forwardAuth != "" {
			settings = "`" + c.forwardAuth + "`; of the Verifier " + settings
		}
		fmt.Fprintf(&out, "| [%s](../%s) | %s | %s | %s |\n", c.proxy, c.path, settings, c.note, c.checked)
	}
	return out.String()
}

const begin, end = "<!-- proxies: begin, written by tools/proxiesdoc -->\n", "<!-- proxies: end -->\n"

var errMarkers = errors.New("the page has no place for the table")

func replace(page []byte, table string) ([]byte, error) {
	before, rest, found := bytes.Cut(page, []byte(begin))
	_, after, closed := bytes.Cut(rest, []byte(end))
	if !found || !closed {
		return nil, errMarkers
	}
	return bytes.Join([][]byte{before, []byte(begin), []byte(table), []byte(end), after}, nil), nil
}
