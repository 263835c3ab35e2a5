// Package lint pins the programs that check this repository, in a module of
// their own so that nobody else's versions are lifted by theirs.
package lint
