// Package redis keeps cache entries, replay records and revocations in Redis, through
// go-redis: a single server, Sentinel or Cluster.
//
//	client := goredis.NewUniversalClient(&goredis.UniversalOptions{Addrs: addrs})
//	store, err := redis.New(client, redis.Config{Prefix: "orders-api"})
//	...
//	cfg.Cache, cfg.DPoP.ReplayStore, cfg.Lease = store, store, store
//
// A [Store] is a verifier.Cache, a verifier.ReplayStore, a verifier.Clearer and a
// verifier.RevocationStore (for the List of package verifier/revocation). The client is the caller's: its options, its close. The
// package imports nothing but go-redis and the standard library.
//
// # Servers
//
// Redis 4 or later; the tests run on 7.0. The user of the client needs the
// commands GET, SET and DEL on the keys under the prefix, for Clear SCAN and
// UNLINK, for Revoke EVAL and PTTL, and with a Cluster CLUSTER SLOTS. docs/plug-in-a-cache.md has the ACL
// line.
//
// As a cache any configuration does. As a replay store, what the server may
// forget can be replayed, and as a revocation store, a token that it forgets is good
// again:
//
//   - maxmemory-policy noeviction: a full server then refuses new proofs (503)
//     instead of forgetting old ones.
//   - appendonly yes, appendfsync always: what was acknowledged survives a
//     crash. With everysec, the last second or two may be lost.
//   - Replication is asynchronous: a fail-over loses what the new master had
//     not received. min-replicas-to-write and min-replicas-max-lag narrow that
//     window; nothing closes it.
//   - A replay store must not be a Ring: while a shard is away, its keys go to
//     another one, which does not know them.
//
// docs/adapters-under-fault.md has what was measured.
//
// # The client's options
//
// New refuses, with a [*ClientOptionError], options with which the contracts
// cannot be kept:
//
//   - ReadOnly, RouteByLatency and RouteRandomly send reads to replicas, which
//     are behind: a Get misses what was just written, and an Add cannot
//     recognise its own record.
//   - ClientSideCache and ClientSideCacheConfig answer reads from a copy that
//     can be behind the server.
//   - A ReadTimeout or WriteTimeout that is switched off lets a call of a server
//     that hangs keep its place for ever.
//
// New cannot see the options of a client of another type, such as one that
// wraps a client, nor FailoverOptions.ReplicaOnly, with which every write
// fails. These are the caller's to set well:
//
//   - DialerRetries and MaxRetries: by default a client of this version tries
//     for more than a second before it says that nothing listens at an address.
//   - PoolSize: batches never outnumber it. Less than 4 is slow behind a
//     network.
//   - Hooks must not panic. The Store turns a panic into an error of each call
//     that it met. go-redis runs the hooks of a Cluster's nodes in goroutines
//     of its own, where a panic ends the process.
//
// # Pipelines
//
// Calls that wait at the same time are sent in pipelines: up to 256 commands or
// 128 KiB, up to 8 batches at once and no more than the pool has connections. A
// call alone is sent alone. Replay records and cache entries are in separate
// batches, and some of the 8 are for records only, so that large entries do not
// delay proofs. In a Cluster each master has its own batches, so that one that
// hangs delays its own keys only; the calls of a Ring and of a client of an
// unknown type are sent one by one. A batch that hangs holds the calls in it
// until the client's timeouts end it. A caller whose context ends is gone at
// once. Hooks see a call that is alone under its caller's context, and a batch
// under none of them.
//
// go-redis has a pipeliner of its own since v9.22 (AsyncAutoPipeline). It is
// marked as experimental, and costs a single caller more.
//
// # Time
//
// Redis counts in milliseconds; a ttl is rounded up to them.
//
// # Client version
//
// go.mod asks for v9.23.0 of October 2026. Earlier releases lack options that
// New looks at.
package redis

// The files, by what they do:
//
//   - store.go: Store, Config and New
//   - client.go: options of clients that are refused
//   - cache.go, clear.go, replay.go, revocation.go: the methods of each interface
//   - call.go: one call: its place among those in flight, its hand-over, its wait
//   - line.go: a queue of calls, and the goroutines that send it in batches
//   - lines.go: which queue a key's server has: one, or one for each Cluster node
//   - limits.go: how large batches are, and how many are under way
//   - errors.go: errors without keys and values
