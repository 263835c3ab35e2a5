package redis

import (
	goredis "github.com/redis/go-redis/v9"
)

// ClientOptionError says that New refused a client because of one of its
// options. With that option the contracts of verifier.Cache and
// verifier.ReplayStore cannot be kept.
type ClientOptionError struct {
	// Option is the name of the field of the client's options, such as
	// "ReadOnly".
	Option string
	// Reason says what goes wrong with it.
	Reason string
}

// Error names the option and the reason.
func (e *ClientOptionError) Error() string {
	return "cacheadapter/redis: the client's option " + e.Option + " cannot be used: " + e.Reason
}

const (
	staleReplica = "reads go to replicas, which are behind: a read after a write can miss it"
	staleCopy    = "reads are answered from a copy in the process, which can be behind the server"
	endless      = "a call of a server that hangs would never end"
)

// checkClient refuses options that make a client unfit. Clients of other types
// do not show their options.
func checkClient(client goredis.UniversalClient) error {
	switch client := client.(type) {
	case *goredis.ClusterClient:
		o := client.Options()
		return firstOption(
			unfit{"RouteByLatency", o.RouteByLatency, staleReplica},
			unfit{"RouteRandomly", o.RouteRandomly, staleReplica},
			unfit{"ReadOnly", o.ReadOnly, staleReplica}, // last: the two above set it
			unfit{"ReadTimeout", o.ReadTimeout <= 0, endless},
			unfit{"WriteTimeout", o.WriteTimeout <= 0, endless},
		)
	case *goredis.Client:
		o := client.Options()
		return firstOption(
			unfit{"ClientSideCache", o.ClientSideCache != nil, staleCopy},
			unfit{"ClientSideCacheConfig", o.ClientSideCacheConfig != nil, staleCopy},
			unfit{"ReadTimeout", o.ReadTimeout <= 0, endless},
			unfit{"WriteTimeout", o.WriteTimeout <= 0, endless},
		)
	}
	return nil
}

// unfit is an option, whether the client has it set so that it is unfit, and
// why.
type unfit struct {
	option string
	is     bool
	reason string
}

func firstOption(all ...unfit) error {
	for _, o := range all {
		if o.is {
			return &ClientOptionError{Option: o.option, Reason: o.reason}
		}
	}
	return nil
}

const (
	// maxDrains is how many batches of one server are under way at most. Two
	// are best on loopback, and 2.8 times slower than none behind a network at
	// 16 callers, where a call then waits for the round trips of others.
	maxDrains = 16
	// maxCommands and maxBytes bound a batch.
	maxCommands = 256
	maxBytes    = 128 << 10
	// answerSize is what the answer to a Get is taken for in them: nobody
	// knows its size beforehand.
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
