// Package docs_test holds the documentation to what the repository is: every
// Go block compiles, every command exists, every link leads somewhere.
package docs_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const root = "../.."

// page is a Markdown file, taken apart.
type page struct {
	path   string // from the root, with slashes
	prose  []line // outside of code blocks
	blocks []block
}

type line struct {
	number int
	text   string
}

// block is a fenced code block. Its first line of text has the number first.
type block struct {
	page   string
	first  int
	info   string // what stands behind the fence
	source string
}

// language is the first word behind the fence.
func (b *block) language() string {
	word, _, _ := strings.Cut(b.info, " ")
	return word
}

// problem is one thing that is wrong with a page.
type problem struct {
	page string
	line int
	text string
}

func (p problem) String() string { return fmt.Sprintf("%s:%d: %s", p.page, p.line, p.text) }

// pages reads the Markdown files below a folder of the repository.
func pages(t *testing.T, folder string) []page {
	t.Helper()
	var all []page
	err := filepath.WalkDir(filepath.Join(root, filepath.FromSlash(folder)), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" && !strings.Contains(folder, "testdata")) {
			return fs.SkipDir
		}
		if d.IsDir() || filepath.Ext(path) != ".md" {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		all = append(all, parse(filepath.ToSlash(name), string(data)))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// parse takes a page apart. A block that is not closed ends with the page, as
// CommonMark has it.
func parse(path, text string) page {
	p := page{path: path}
	var open *block
	var fence, indent string
	for i, l := range strings.Split(text, "\n") {
		l = strings.TrimSuffix(l, "\r")
		trimmed := strings.TrimLeft(l, " ")
		if open == nil {
			if mark := fenceOf(trimmed); mark != "" {
				fence, indent = mark, l[:len(l)-len(trimmed)]
				open = &block{page: path, first: i + 2, info: strings.TrimSpace(trimmed[len(mark):])}
				continue
			}
			p.prose = append(p.prose, line{i + 1, l})
			continue
		}
		if mark := fenceOf(trimmed); strings.HasPrefix(mark, fence) && strings.TrimSpace(trimmed[len(mark):]) == "" {
			p.blocks = append(p.blocks, *open)
			open = nil
			continue
		}
		open.source += strings.TrimPrefix(l, indent) + "\n"
	}
	if open != nil {
		p.blocks = append(p.blocks, *open)
	}
	return p
}

// fenceOf returns the fence that a line begins with, or "".
func fenceOf(text string) string {
	for _, c := range []string{"`", "~"} {
		rest := strings.TrimLeft(text, c)
		if n := len(text) - len(rest); n >= 3 && (c == "~" || !strings.Contains(rest, "`")) {
			return text[:n]
		}
	}
	return ""
}
