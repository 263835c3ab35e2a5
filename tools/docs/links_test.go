package docs_test

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// TestLinks: what a page links to inside the repository is there, and so is
// the heading.
func TestLinks(t *testing.T) {
	for _, p := range checkLinks(t, pages(t, ".")) {
		t.Error(p)
	}
}

func TestBrokenLinksAreFound(t *testing.T) {
	problems := checkLinks(t, pages(t, "tools/docs/testdata"))
	want := []string{
		"links.md:6: absent.md does not exist",
		"links.md:7: #absent is no heading of tools/docs/testdata/links.md",
		"links.md:8: good.md#absent is no heading of tools/docs/testdata/good.md",
		"links.md:9: ../../../../outside.md leads out of the repository",
		"links.md:10: image.png does not exist",
		"links.md:11: reference.md does not exist",
		"links.md:12: /go.mod leads out of the repository",
	}
	for _, w := range want {
		if !slices.ContainsFunc(problems, func(p problem) bool { return strings.HasSuffix(p.String(), w) }) {
			t.Errorf("not reported: %s", w)
		}
	}
	if len(problems) != len(want) {
		t.Errorf("reported: %v; want %d", problems, len(want))
	}
}

var (
	codeSpan  = regexp.MustCompile("`[^`]*`")
	inline    = regexp.MustCompile(`\]\(\s*<?([^)\s>]+)`)
	reference = regexp.MustCompile(`^ {0,3}\[[^\]]+\]:\s*<?([^\s>]+)`)
	attribute = regexp.MustCompile(`(?:src|href)="([^"]+)"`)
	external  = regexp.MustCompile(`^[a-z][a-z0-9+.-]*:`)
)

func checkLinks(t *testing.T, all []page) (problems []problem) {
	t.Helper()
	headings := make(map[string]map[string]bool)
	for _, p := range all {
		headings[p.path] = anchors(p)
	}
	for _, p := range all {
		for _, l := range p.prose {
			text := codeSpan.ReplaceAllString(l.text, "")
			for _, pattern := range []*regexp.Regexp{inline, reference, attribute} {
				for _, match := range pattern.FindAllStringSubmatch(text, -1) {
					if fault := checkLink(p.path, match[1], headings); fault != "" {
						problems = append(problems, problem{p.path, l.number, match[1] + " " + fault})
					}
				}
			}
		}
	}
	return problems
}

func checkLink(from, link string, headings map[string]map[string]bool) (fault string) {
	if external.MatchString(link) {
		return ""
	}
	file, anchor, _ := strings.Cut(link, "#")
	target := from
	if file != "" {
		target = path.Join(path.Dir(from), file)
	}
	if path.IsAbs(file) || target == ".." || strings.HasPrefix(target, "../") {
		return "leads out of the repository"
	}
	if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(target))); err != nil {
		return "does not exist"
	}
	if known, ok := headings[target]; ok && anchor != "" && !known[anchor] {
		return "is no heading of " + target
	}
	return ""
}

var (
	heading  = regexp.MustCompile(`^ {0,3}#{1,6}\s+(.*?)\s*#*$`)
	named    = regexp.MustCompile(`<a (?:id|name)="([^"]+)"`)
	linkText = regexp.MustCompile(`!?\[([^\]]*)\]\([^)]*\)`)
)

// anchors are the names that headings get where Markdown is shown.
func anchors(p page) map[string]bool {
	known := make(map[string]bool)
	for _, l := range p.prose {
		for _, match := range named.FindAllStringSubmatch(l.text, -1) {
			known[match[1]] = true
		}
		match := heading.FindStringSubmatch(l.text)
		if match == nil {
			continue
		}
		name := slug(linkText.ReplaceAllString(match[1], "$1"))
		unique := name
		for i := 1; known[unique]; i++ {
			unique = fmt.Sprintf("%s-%d", name, i)
		}
		known[unique] = true
	}
	return known
}

func slug(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-', r == '_', unicode.IsLetter(r), unicode.IsDigit(r):
			return unicode.ToLower(r)
		default:
			return -1
		}
	}, text)
}

func TestSlug(t *testing.T) {
	for text, want := range map[string]string{
		"Two commands":             "two-commands",
		"`Config.Cache`, and TTLs": "configcache-and-ttls",
		"Keys & outages":           "keys--outages",
		"RFC 9449, Section 4.3":    "rfc-9449-section-43",
		"snake_case - Übung":       "snake_case---übung",
	} {
		if got := slug(text); got != want {
			t.Errorf("slug(%q) = %q; want %q", text, got, want)
		}
	}
}

// registries are the hosts of package registries. Pages name packages; where
// those come from is the reader's configuration.
var registries = regexp.MustCompile(`(?i)\b(?:(?:proxy|sum|index)\.golang\.org|goproxy\.[a-z]+|registry(?:-\d+)?\.[a-z0-9.-]+\.[a-z]+|(?:www\.|files\.)?pypi\.org|pythonhosted\.org|npmjs\.(?:com|org)|crates\.io|rubygems\.org|hub\.docker\.com|ghcr\.io|quay\.io|repo\d*\.maven\.[a-z.]+)\b`)

func checkRegistries(all []page) (problems []problem) {
	for _, p := range all {
		lines := p.prose
		for _, b := range p.blocks {
			for i, text := range strings.Split(b.source, "\n") {
				lines = append(lines, line{b.first + i, text})
			}
		}
		for _, l := range lines {
			if registries.MatchString(l.text) {
				problems = append(problems, problem{p.path, l.number, "names the host of a package registry"})
			}
		}
	}
	return problems
}

func TestNoRegistryIsNamed(t *testing.T) {
	for _, p := range checkRegistries(pages(t, ".")) {
		t.Error(p)
	}
	bad := parse("x.md", "a\nsee https://crates"+".io/x\n```sh\nGOPROXY=https://proxy"+".golang.org make test\n```\nregistry of files.example\n")
	if got := checkRegistries([]page{bad}); len(got) != 2 || got[0].line != 2 || got[1].line != 4 {
		t.Errorf("reported: %v; want lines 2 and 4", got)
	}
}
