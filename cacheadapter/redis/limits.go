package redis

const (
	// maxDrains is how many batches of one server are under way at most. With
	// two, 16 callers behind a network take 2.8 times as long as with the bare
	// client: they wait for the round trips of others. With 16, batches are small
	// on loopback. 8 are good in both places.
	maxDrains = 8
	// maxCommands and maxBytes bound a batch.
	maxCommands = 256
	maxBytes    = 128 << 10
	// answerSize is what an answer to Get counts for in them. Its true size is
	// not known beforehand.
	answerSize = 4 << 10
)

// limits bound what a line sends.
type limits struct {
	drains   int // batches under way
	entries  int // of them, batches of cache entries: the rest is for proofs
	commands int // in a batch
}

// limitsOf never exceeds the pool of connections, so that no batch waits for
// one that another batch of ours has.
func limitsOf(poolSize, maxActive int) limits {
	drains := max(1, min(maxDrains, poolSize))
	if maxActive > 0 {
		drains = min(drains, maxActive)
	}
	return limits{drains: drains, entries: max(1, drains-max(1, drains/4)), commands: maxCommands}
}

// singly sends each call by itself as soon as it comes.
func singly(inFlight int) limits { return limits{drains: inFlight, entries: inFlight, commands: 1} }
