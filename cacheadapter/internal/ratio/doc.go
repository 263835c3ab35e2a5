// Package ratio measures what an adapter costs beside the bare client: both do
// the same in turns, in one process and one run, so that what else the machine
// does counts little.
package ratio

// The files, by what they do:
//
//   - ratio.go: Measure, and the rows that tell
//   - delay.go: a proxy that delays, in a process of its own
//   - cancelled.go: how long a cancelled call takes
//   - cpu_unix.go, cpu_other.go: the processor time of this process
//   - sleep_linux.go, sleep_other.go: sleeping for an exact time
