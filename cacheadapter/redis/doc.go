// Package redis keeps cache entries and replay records in Redis, through
// go-redis: a single server, Sentinel or Cluster.
//
//	client := goredis.NewUniversalClient(&goredis.UniversalOptions{Addrs: addrs})
//	store, err := redis.New(client, redis.Options{Prefix: "orders-api"})
//	...
//	cfg.Cache, cfg.DPoP.ReplayStore, cfg.Lease = store, store, store
//
// A [Store] is a verifier.Cache, a verifier.ReplayStore and a
// verifier.Clearer. The client is the caller's: its options, its close. The
// package imports nothing but go-redis and the standard library.
//
// # Servers
//
// Redis 4 or later; the tests run on 7.0. The user of the client needs the
// commands GET, SET, DEL, and for Clear SCAN and UNLINK.
//
// As a cache any configuration does. As a replay store, what the server may
// forget can be replayed:
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
// # Time
//
// Redis counts in milliseconds; a ttl is rounded up to them.
//
// # Client version
//
// go.mod asks for v9.5.5, the oldest release that no advisory covers: earlier
// ones of 9.5, and 9.6.0 to 9.6.2 and 9.7.0 to 9.7.1, can mix up answers
// (CVE-2025-29923), and 9.5.3 and 9.5.4 are retracted. Later ones work too.
package redis
