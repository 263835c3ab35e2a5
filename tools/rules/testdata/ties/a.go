// Package ties has three files that use each other.
//
// # Files
//
//   - a.go: the first one
//   - b.go: the second one, after c.go in the text
//
// # Other things
//
//   - c.go: not in the list
package ties

type thing struct{ field int }

func (t thing) method() int { return t.field }
