package redis

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	goredis "github.com/redis/go-redis/v9"
)

// lines are the ways to the servers behind a client: one to a single server,
// one to each master of a Cluster, so that a master that hangs does not hold
// the calls of the others. What a client of another type does with a pipeline
// is not known, so its calls are sent one by one.
type lines struct {
	client goredis.UniversalClient
	limits limits
	leave  func()
	whole  *line // what is sent without a known server

	cluster *goredis.ClusterClient // nil: whole is the only one
	mapped  atomic.Bool            // the client knows which server has which key
	nodes   sync.Map               // *goredis.Client -> *line
	making  sync.Mutex
}

func newLines(client goredis.UniversalClient, inFlight int, leave func()) *lines {
	ls := &lines{client: client, leave: leave}
	whole := singly(inFlight)
	switch client := client.(type) {
	case *goredis.Client:
		whole = limitsOf(client.Options().PoolSize, client.Options().MaxActiveConns)
	case *goredis.ClusterClient:
		ls.cluster = client
		ls.limits = limitsOf(client.Options().PoolSize, client.Options().MaxActiveConns)
	}
	ls.whole = ls.newLine(whole)
	return ls
}

func (ls *lines) newLine(limits limits) *line {
	return &line{client: ls.client, limits: limits, leave: ls.leave, sent: ls.sent}
}

// sent: a command that was answered has made the client look where the keys are.
func (ls *lines) sent(err error) {
	if ls.cluster != nil && (err == nil || errors.Is(err, goredis.Nil)) {
		ls.mapped.Store(true)
	}
}

// of returns the line of a key.
func (ls *lines) of(key string) *line {
	if !ls.mapped.Load() {
		return ls.whole
	}
	// It answers from memory here, and does not wait for a server.
	node, err := ls.cluster.MasterForKey(context.Background(), key)
	if err != nil {
		return ls.whole
	}
	if found, ok := ls.nodes.Load(node); ok {
		return found.(*line)
	}
	return ls.add(node)
}

// add makes the line of a server, and drops the idle ones: the servers of a
// Cluster come and go.
func (ls *lines) add(node *goredis.Client) *line {
	ls.making.Lock()
	defer ls.making.Unlock()
	if found, ok := ls.nodes.Load(node); ok {
		return found.(*line)
	}
	ls.nodes.Range(func(other, found any) bool {
		if found.(*line).idle() {
			ls.nodes.Delete(other)
		}
		return true
	})
	made := ls.newLine(ls.limits)
	ls.nodes.Store(node, made)
	return made
}

// idle reports whether nothing is sent. A call that comes a moment later is
// sent all the same, if perhaps beside those of a new line to the server.
func (l *line) idle() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.drains == 0
}
