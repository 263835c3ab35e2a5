// Package ratio measures what an adapter costs beside the bare client: both do
// the same in turns, in one process and one run, so that what else the machine
// does counts little.
package ratio
