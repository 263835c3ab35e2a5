// Package recorded replays recorded vectors in the tests of this module: what a
// request was, what the network answered and when, and what came out. It reads
// the vectors strictly, plays them against any [Subject], compares what came
// out with the recording, and holds the differences that are meant against a
// list that states the outcome of each.
//
// A vector that is only half understood proves nothing. So unknown members,
// operations and arguments are errors, numbers keep their digits, bodies are
// served byte by byte, and what a step sets up ends with it unless the format
// says otherwise.
package recorded

// The files, by what they do:
//
//   - vector.go: a recorded vector, as it is in its file
//   - world.go: the servers and the clock of a vector
//   - play.go: a vector, played, and what came out of it
//   - compare.go: what came out, against what was recorded
//   - differences.go: differences on purpose, each with the outcome that it wants
