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
