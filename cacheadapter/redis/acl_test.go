package redis_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/portcullis-go/portcullis/cacheadapter/redis"
	"github.com/portcullis-go/portcullis/cacheadapter/redis/internal/redistest"
)

// acl is the line of docs/plug-in-a-cache.md: what the user of a Store may do.
// The docs say what a Cluster needs besides.
var acl = strings.Fields("on >secret resetkeys ~orders-api|* resetchannels -@all +get +set +del +scan +unlink +eval +pttl")

const aclCluster = "+cluster|slots"

// TestACL: a user with the line of the docs can do all that a Store does, and
// without any part of it cannot.
func TestACL(t *testing.T) {
	server := redistest.Start(t)
	try := func(rules []string) map[string]error {
		server.Do("ACL", "DELUSER", "portcullis")
		server.Do("SET", "orders-api|c|held", "v") // for Clear
		setUser(t, server, rules)
		client := server.Client(func(o *goredis.Options) { o.Username, o.Password = "portcullis", "secret" })
		defer client.Close()
		return everyCall(t.Context(), newStore(t, client, redis.Config{Prefix: "orders-api"}))
	}
	for op, err := range try(acl) {
		if err != nil {
			t.Errorf("%s with the whole line = %v", op, err)
		}
	}
	for i, rule := range acl {
		if !strings.HasPrefix(rule, "+") && !strings.HasPrefix(rule, "~") {
			continue
		}
		var failed int
		for op, err := range try(slices.Delete(slices.Clone(acl), i, i+1)) {
			if err == nil {
				continue
			}
			failed++
			// What a script may not do is an ordinary error of the script.
			if !strings.Contains(err.Error(), "NOPERM") && !(op == "Revoke" && strings.Contains(err.Error(), "answered ERR")) {
				t.Errorf("%s without %s = %v; want NOPERM", op, rule, err)
			}
		}
		if failed == 0 {
			t.Errorf("the line is not the least: all works without %s", rule)
		}
	}
	// Other keys are out of reach.
	try(acl)
	client := server.Client(func(o *goredis.Options) { o.Username, o.Password = "portcullis", "secret" })
	for op, err := range everyCall(t.Context(), newStore(t, client, redis.Config{Prefix: "orders-api-2"})) {
		if op != "Clear" && err == nil { // which finds no keys of its own
			t.Errorf("%s under another prefix = nil; want NOPERM", op)
		}
	}
}

// TestACLOfCluster does the same with what a Cluster needs besides.
func TestACLOfCluster(t *testing.T) {
	cluster := redistest.StartCluster(t)
	for _, server := range cluster.Servers {
		setUser(t, server, append(slices.Clone(acl), aclCluster))
	}
	client := cluster.Client(func(o *goredis.ClusterOptions) { o.Username, o.Password = "portcullis", "secret" })
	store := newStore(t, client, redis.Config{Prefix: "orders-api"})
	for i := range 100 {
		if err := store.Set(t.Context(), fmt.Sprint("held", i), nil, time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // before and after the client knows the masters
		for op, err := range everyCall(t.Context(), store) {
			if err != nil {
				t.Errorf("%s = %v", op, err)
			}
		}
	}
}

func setUser(t *testing.T, server *redistest.Server, rules []string) {
	t.Helper()
	args := []any{"ACL", "SETUSER", "portcullis"}
	for _, rule := range rules {
		args = append(args, rule)
	}
	server.Do(args...)
}
