package strangers

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/redis/rueidis"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// rueidisBackend sends all commands of a process over one connection.
type rueidisBackend struct{ client rueidis.Client }

func (r rueidisBackend) get(ctx context.Context, key string) ([]byte, error) {
	value, err := r.client.Do(ctx, r.client.B().Get().Key(key).Build()).AsBytes()
	if rueidis.IsRedisNil(err) {
		return nil, nil
	}
	return bytes.Clone(value), err
}

// milliseconds of a ttl, rounded up. Redis adds them to its clock, which must
// not overflow.
func milliseconds(ttl time.Duration) time.Duration {
	return min(ttl+time.Millisecond-1, 200*365*24*time.Hour).Truncate(time.Millisecond)
}

func (r rueidisBackend) put(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	ttl = min(ttl, 100*365*24*time.Hour)
	return r.client.Do(ctx, r.client.B().Set().Key(key).Value(rueidis.BinaryString(value)).Px(milliseconds(ttl)).Build()).Error()
}

func (r rueidisBackend) remove(ctx context.Context, key string) error {
	return r.client.Do(ctx, r.client.B().Del().Key(key).Build()).Error()
}

// swap needs no old value: Redis has removed what has expired.
func (r rueidisBackend) swap(ctx context.Context, key string, _, value []byte, ttl time.Duration) (bool, error) {
	ttl = min(ttl, 100*365*24*time.Hour)
	err := r.client.Do(ctx, r.client.B().Set().Key(key).Value(rueidis.BinaryString(value)).Nx().Px(milliseconds(ttl)).Build()).Error()
	if rueidis.IsRedisNil(err) {
		return false, nil
	}
	return err == nil, err
}

func (r rueidisBackend) clear(ctx context.Context, prefix string) error {
	for cursor := uint64(0); ; { // the prefix is hexadecimal: no pattern in it
		page, err := r.client.Do(ctx, r.client.B().Scan().Cursor(cursor).Match(prefix+"*").Count(1000).Build()).AsScanEntry()
		if err != nil {
			return err
		}
		if len(page.Elements) > 0 {
			if err := r.client.Do(ctx, r.client.B().Unlink().Key(page.Elements...).Build()).Error(); err != nil {
				return err
			}
		}
		if cursor = page.Cursor; cursor == 0 {
			return nil
		}
	}
}

// natsBackend is a bucket. A bucket has one ttl for all keys, so that nothing of
// it ends by itself: an operator must give the bucket a ttl, or sweep.
type natsBackend struct {
	kv     jetstream.KeyValue
	stream jetstream.Stream
}

func (n natsBackend) read(ctx context.Context, key string) (value []byte, revision uint64, err error) {
	entry, err := n.kv.Get(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	return entry.Value(), entry.Revision(), nil
}

func (n natsBackend) get(ctx context.Context, key string) ([]byte, error) {
	value, _, err := n.read(ctx, key)
	return value, err
}

func (n natsBackend) put(ctx context.Context, key string, value []byte, _ time.Duration) error {
	_, err := n.kv.Put(ctx, key, value)
	return err
}

func (n natsBackend) remove(ctx context.Context, key string) error { return n.kv.Purge(ctx, key) }

func (n natsBackend) swap(ctx context.Context, key string, old, value []byte, _ time.Duration) (bool, error) {
	now, revision, err := n.read(ctx, key)
	if err != nil || !bytes.Equal(now, old) {
		return false, err
	}
	if revision == 0 {
		_, err = n.kv.Create(ctx, key, value)
	} else {
		_, err = n.kv.Update(ctx, key, value, revision)
	}
	var refused *jetstream.APIError
	if errors.Is(err, jetstream.ErrKeyExists) || errors.As(err, &refused) && refused.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence {
		return false, nil
	}
	return err == nil, err
}

func (n natsBackend) clear(ctx context.Context, prefix string) error {
	return n.stream.Purge(ctx, jetstream.WithPurgeSubject("$KV."+n.kv.Bucket()+"."+strings.TrimSuffix(prefix, ".")+".>"))
}

// etcdBackend gives every key a lease of its own, in whole seconds.
type etcdBackend struct{ client *clientv3.Client }

func (e etcdBackend) get(ctx context.Context, key string) ([]byte, error) {
	value, _, err := e.read(ctx, key)
	return value, err
}

func (e etcdBackend) read(ctx context.Context, key string) (value []byte, revision int64, err error) {
	answer, err := e.client.Get(ctx, key)
	if err != nil || len(answer.Kvs) == 0 {
		return nil, 0, err
	}
	return answer.Kvs[0].Value, answer.Kvs[0].ModRevision, nil
}

// lease rounds up, and stays below the longest that etcd takes.
func (e etcdBackend) lease(ctx context.Context, ttl time.Duration) (clientv3.OpOption, error) {
	const longest = 9_000_000_000
	lease, err := e.client.Grant(ctx, min(int64(ttl/time.Second)+2, longest))
	if err != nil {
		return nil, err
	}
	return clientv3.WithLease(lease.ID), nil
}

func (e etcdBackend) put(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	lease, err := e.lease(ctx, ttl)
	if err == nil {
		_, err = e.client.Put(ctx, key, string(value), lease)
	}
	return err
}

func (e etcdBackend) remove(ctx context.Context, key string) error {
	_, err := e.client.Delete(ctx, key)
	return err
}

func (e etcdBackend) swap(ctx context.Context, key string, old, value []byte, ttl time.Duration) (bool, error) {
	now, revision, err := e.read(ctx, key)
	if err != nil || !bytes.Equal(now, old) {
		return false, err
	}
	lease, err := e.lease(ctx, ttl)
	if err != nil {
		return false, err
	}
	same := clientv3.Compare(clientv3.ModRevision(key), "=", revision)
	answer, err := e.client.Txn(ctx).If(same).Then(clientv3.OpPut(key, string(value), lease)).Commit()
	return err == nil && answer.Succeeded, err
}

func (e etcdBackend) clear(ctx context.Context, prefix string) error {
	_, err := e.client.Delete(ctx, prefix, clientv3.WithPrefix())
	return err
}
