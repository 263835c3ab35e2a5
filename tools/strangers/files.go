package strangers

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/badger/v4"
	"go.etcd.io/bbolt"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

// boltBackend waits for other writers without a context: see limited. BoltDB
// has no expiry, so that a sweep comes with every 50th write.
type boltBackend struct {
	db     *bbolt.DB
	writes *atomic.Int64
}

var bucket = []byte("strangers")

func newBolt(path string) (boltBackend, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoSync: true, Timeout: time.Second})
	if err != nil {
		return boltBackend{}, err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(bucket)
		return err
	})
	return boltBackend{db, new(atomic.Int64)}, err
}

func (b boltBackend) get(_ context.Context, key string) (value []byte, err error) {
	err = b.db.View(func(tx *bbolt.Tx) error {
		value = bytes.Clone(tx.Bucket(bucket).Get([]byte(key)))
		return nil
	})
	return value, err
}

func (b boltBackend) write(f func(*bbolt.Bucket) error) error {
	return b.db.Update(func(tx *bbolt.Tx) error {
		if b.writes.Add(1)%50 == 0 {
			if err := b.delete(tx, nil, func(value []byte) bool { _, live := open(value); return !live }); err != nil {
				return err
			}
		}
		return f(tx.Bucket(bucket))
	})
}

// delete removes keys with a prefix. Deleting under a cursor skips keys, so they
// are collected first.
func (boltBackend) delete(tx *bbolt.Tx, prefix []byte, gone func(value []byte) bool) error {
	var keys [][]byte
	cursor := tx.Bucket(bucket).Cursor()
	for k, v := cursor.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, v = cursor.Next() {
		if gone(v) {
			keys = append(keys, bytes.Clone(k))
		}
	}
	for _, k := range keys {
		if err := tx.Bucket(bucket).Delete(k); err != nil {
			return err
		}
	}
	return nil
}

func (b boltBackend) put(_ context.Context, key string, value []byte, _ time.Duration) error {
	return b.write(func(bucket *bbolt.Bucket) error { return bucket.Put([]byte(key), value) })
}

func (b boltBackend) remove(_ context.Context, key string) error {
	return b.write(func(bucket *bbolt.Bucket) error { return bucket.Delete([]byte(key)) })
}

func (b boltBackend) swap(_ context.Context, key string, old, value []byte, _ time.Duration) (done bool, err error) {
	err = b.write(func(bucket *bbolt.Bucket) error {
		now := bucket.Get([]byte(key))
		_, live := open(now) // a sweep may have taken the old one
		if done = bytes.Equal(now, old) || !live; !done {
			return nil
		}
		return bucket.Put([]byte(key), value)
	})
	return done, err
}

func (b boltBackend) clear(_ context.Context, prefix string) error {
	return b.db.Update(func(tx *bbolt.Tx) error {
		return b.delete(tx, []byte(prefix), func([]byte) bool { return true })
	})
}

// badgerBackend has an expiry in whole seconds, which is for clearing up alone.
type badgerBackend struct{ db *badger.DB }

func (b badgerBackend) get(_ context.Context, key string) (value []byte, err error) {
	err = b.db.View(func(txn *badger.Txn) error {
		value, err = read(txn, key)
		return err
	})
	return value, err
}

func read(txn *badger.Txn, key string) ([]byte, error) {
	item, err := txn.Get([]byte(key))
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return item.ValueCopy(nil)
}

func expiring(key string, value []byte, ttl time.Duration) *badger.Entry {
	e := badger.NewEntry([]byte(key), value)
	if ttl < 100*365*24*time.Hour {
		e = e.WithTTL(ttl + 2*time.Second)
	}
	return e
}

// largest is the most that Badger takes. Its own error shows the value.
const largest = 1 << 20

var errTooLarge = errors.New("strangers: the value is too large")

func (b badgerBackend) put(_ context.Context, key string, value []byte, ttl time.Duration) error {
	if len(value) > largest {
		return errTooLarge
	}
	return b.db.Update(func(txn *badger.Txn) error { return txn.SetEntry(expiring(key, value, ttl)) })
}

func (b badgerBackend) remove(_ context.Context, key string) error {
	return b.db.Update(func(txn *badger.Txn) error { return txn.Delete([]byte(key)) })
}

func (b badgerBackend) swap(_ context.Context, key string, old, value []byte, ttl time.Duration) (done bool, err error) {
	err = b.db.Update(func(txn *badger.Txn) error {
		now, err := read(txn, key)
		if done = err == nil && bytes.Equal(now, old); !done {
			return err
		}
		return txn.SetEntry(expiring(key, value, ttl))
	})
	if errors.Is(err, badger.ErrConflict) {
		return false, nil // another one was first
	}
	return done && err == nil, err
}

// clear deletes in batches: DropPrefix stops all other writers.
func (b badgerBackend) clear(_ context.Context, prefix string) error {
	batch := b.db.NewWriteBatch()
	defer batch.Cancel()
	err := b.db.View(func(txn *badger.Txn) error {
		options := badger.DefaultIteratorOptions
		options.PrefetchValues, options.Prefix = false, []byte(prefix)
		iterator := txn.NewIterator(options)
		defer iterator.Close()
		for iterator.Rewind(); iterator.Valid(); iterator.Next() {
			if err := batch.Delete(iterator.Item().KeyCopy(nil)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return batch.Flush()
}

// sqlBackend is a table. A prefix is a range of keys, not a LIKE pattern.
type sqlBackend struct {
	db     *sql.DB
	writes *atomic.Int64
}

func newSQLite(path string) (sqlBackend, error) {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)&_pragma=busy_timeout(5000)")
	if err != nil {
		return sqlBackend{}, err
	}
	db.SetMaxOpenConns(1)
	_, err = db.Exec("CREATE TABLE IF NOT EXISTS entries (k TEXT PRIMARY KEY, v BLOB NOT NULL, e INTEGER NOT NULL) WITHOUT ROWID")
	return sqlBackend{db, new(atomic.Int64)}, err
}

func (s sqlBackend) get(ctx context.Context, key string) (value []byte, err error) {
	err = s.db.QueryRowContext(ctx, "SELECT v FROM entries WHERE k = ?", key).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return value, err
}

func (s sqlBackend) sweep(ctx context.Context) error {
	if s.writes.Add(1)%50 != 0 {
		return nil
	}
	_, err := s.db.ExecContext(ctx, "DELETE FROM entries WHERE e <= ?", time.Now().Unix())
	return err
}

// endOf is when a row may be swept, in whole seconds: both the time and the ttl
// were cut.
func endOf(ttl time.Duration) int64 { return time.Now().Unix() + int64(ttl/time.Second) + 2 }

func (s sqlBackend) put(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if err := s.sweep(ctx); err != nil {
		return err
	}
	_, err := s.db.ExecContext(ctx, "INSERT INTO entries VALUES (?, ?, ?) ON CONFLICT (k) DO UPDATE SET v = excluded.v, e = excluded.e", key, value, endOf(ttl))
	return err
}

func (s sqlBackend) remove(ctx context.Context, key string) error {
	_, err := s.db.ExecContext(ctx, "DELETE FROM entries WHERE k = ?", key)
	return err
}

func (s sqlBackend) swap(ctx context.Context, key string, old, value []byte, ttl time.Duration) (bool, error) {
	if err := s.sweep(ctx); err != nil {
		return false, err
	}
	result, err := s.db.ExecContext(ctx, "INSERT INTO entries VALUES (?, ?, ?) ON CONFLICT (k) DO UPDATE SET v = excluded.v, e = excluded.e WHERE v = ?", key, value, endOf(ttl), old)
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n == 1, err
}

func (s sqlBackend) clear(ctx context.Context, prefix string) error {
	_, err := s.db.ExecContext(ctx, "DELETE FROM entries WHERE k >= ? AND k < ?", prefix, prefix+"\x7f")
	return err
}
