package conformance

import (
	"bytes"
	"encoding/binary"
	"fmt"
	randv2 "math/rand/v2"
	"sync/atomic"
	"time"
)

func cacheConcurrency() []Check[CacheHarness] {
	const safe = "All methods are safe for concurrent use."
	return []Check[CacheHarness]{
		cacheCheck("concurrent-calls", safe, cacheConcurrent),
		cacheCheck("concurrent-values-are-not-torn", safe, cacheTorn),
		cacheCheck("concurrent-calls-keep-to-a-model", safe, func(c *cacheCase) error {
			return together(64, func(worker int) error {
				return newModel(c, fmt.Sprint("worker-", worker), uint64(worker)).play(30)
			})
		}),
		cacheCheck("concurrent-deletes-and-sets", safe, cacheDeletesAndSets),
		waiting(cacheCheck("random-calls-keep-to-a-model", "A cache reads its own writes: a Get that begins after a Set or Delete has returned nil sees it, or what came later.", func(c *cacheCase) error {
			m := newModel(c, "random", 1000)
			m.unit = c.unit()
			return m.play(300)
		})),
		cacheCheck("calls-leave-no-goroutines", "A call leaves no goroutine behind once the backend has answered it.", cacheGoroutines),
	}
}

// cacheConcurrent mixes calls on keys of one goroutine and on a key of all.
func cacheConcurrent(c *cacheCase) error {
	const workers, rounds = 16, 12
	shared := c.key("shared")
	var written []string
	for i := range workers {
		written = append(written, fmt.Sprintf("written by %02d", i))
	}
	return together(workers, func(i int) error {
		own := c.key(fmt.Sprint("own-", i))
		for round := range rounds {
			value := fmt.Sprintf("%02d in round %02d", i, round)
			if err := c.set(own, value, time.Hour); err != nil {
				return err
			}
			if _, err := c.holds(own, value); err != nil {
				return fmt.Errorf("own key of a goroutine: %w", err)
			}
			if err := c.set(shared, written[i], time.Hour); err != nil {
				return err
			}
			if _, err := c.holds(shared, written...); err != nil {
				return fmt.Errorf("key of all goroutines: %w", err)
			}
			if round%5 != i%5 {
				continue
			}
			if err := c.delete(own); err != nil {
				return err
			}
		}
		return nil
	})
}

// sealed is a value that shows whether it is whole: its length, and one byte
// over and over.
func sealed(n int, fill byte) []byte {
	value := bytes.Repeat([]byte{fill}, max(n, 8))
	binary.BigEndian.PutUint64(value, uint64(len(value)))
	return value
}

func whole(value []byte) bool {
	if len(value) < 8 || binary.BigEndian.Uint64(value) != uint64(len(value)) {
		return false
	}
	for _, b := range value[8:] {
		if b != value[len(value)-1] {
			return false
		}
	}
	return true
}

// cacheTorn writes values of different sizes to one key while others read it.
func cacheTorn(c *cacheCase) error {
	const writers, readers, rounds = 4, 8, 10
	sizes := []int{40_000, 130_000, 1_000, 300_000}
	key := c.key("k")
	var done atomic.Int64
	return together(writers+readers, func(i int) error {
		if i < writers {
			defer done.Add(1)
			for round := range rounds {
				if err := c.rawSet(c.ctx, key, sealed(sizes[(i+round)%len(sizes)], byte('a'+i*rounds+round)), time.Hour); err != nil {
					return fmt.Errorf("Set beside %d other writers = %w; want nil", writers-1, err)
				}
			}
			return nil
		}
		for done.Load() < writers {
			value, ok, err := c.get(c.ctx, key)
			if err != nil {
				return fmt.Errorf("Get beside %d writers = %w; want nil", writers, err)
			}
			if ok && !whole(value) {
				return fmt.Errorf("Get beside %d writers = %d bytes of several values; want one of them", writers, len(value))
			}
		}
		return nil
	})
}

// cacheDeletesAndSets lets one delete what others set: in the end the last
// word counts.
func cacheDeletesAndSets(c *cacheCase) error {
	const workers, rounds = 8, 10
	for round := range rounds {
		key := c.key(fmt.Sprint(round))
		err := together(workers, func(i int) error {
			if i%2 == 0 {
				return c.delete(key)
			}
			if err := c.set(key, fmt.Sprint("value ", i), time.Hour); err != nil {
				return err
			}
			_, _, err := c.get(c.ctx, key)
			return err
		})
		if err != nil {
			return err
		}
		if err := c.delete(key); err != nil {
			return err
		}
		if err := c.unseen(key, fmt.Sprintf("after Delete that began when %d concurrent calls were over", workers)); err != nil {
			return err
		}
		if err := c.stored(key, "the last value", time.Hour); err != nil {
			return err
		}
	}
	return nil
}

// model plays random calls on keys of its own and knows what each must hold.
type model struct {
	c      *cacheCase
	name   string
	random *randv2.Rand
	unit   time.Duration // of ttls that end; zero: none do
	want   map[string]modelEntry
	now    time.Duration // that has passed at least
	start  time.Time
	log    []string
}

type modelEntry struct {
	value  string
	ends   time.Duration // after which it must be gone
	exists bool
}

func newModel(c *cacheCase, name string, n uint64) *model {
	return &model{c: c, name: name, random: c.env.random(n), want: make(map[string]modelEntry), start: time.Now()}
}

// clock is how much time has passed at least.
func (m *model) clock() time.Duration {
	if m.c.advance != nil {
		return m.now
	}
	return time.Since(m.start)
}

func (m *model) play(steps int) error {
	for step := range steps {
		if err := m.step(step); err != nil {
			return fmt.Errorf("seed %d, call %d of %s: %w (before it: %v)", m.c.env.seed, step+1, m.name, err, m.log[max(0, len(m.log)-6):])
		}
	}
	return nil
}

func (m *model) step(step int) error {
	key := fmt.Sprint(m.name, "-", m.random.IntN(5))
	switch roll := m.random.IntN(10); {
	case roll < 4:
		return m.look(key)
	case roll < 7:
		return m.write(key, step)
	case roll < 8:
		m.note("Delete(%s)", key)
		m.want[key] = modelEntry{}
		return m.c.delete(m.c.key(key))
	case roll < 9 || m.unit == 0:
		m.note("Set(%s, ttl 0)", key)
		m.want[key] = modelEntry{}
		return m.c.set(m.c.key(key), "value", time.Duration(-m.random.IntN(2)))
	default:
		d := m.unit * time.Duration(1+m.random.IntN(3)) / 2
		if m.c.advance == nil && m.random.IntN(4) > 0 {
			d = time.Millisecond
		}
		m.note("wait %v", d)
		m.now += d
		return m.c.pass(d)
	}
}

func (m *model) note(format string, args ...any) { m.log = append(m.log, fmt.Sprintf(format, args...)) }

func (m *model) write(key string, step int) error {
	value := fmt.Sprintf("%s, step %d", key, step)
	if m.random.IntN(4) == 0 {
		value += string(randomBytes(m.random.IntN(50_000)))
	}
	entry := modelEntry{value: value, ends: forAll, exists: true}
	ttl := time.Hour
	if m.unit > 0 && m.random.IntN(2) == 0 {
		ttl = m.unit
	}
	m.note("Set(%s, %d bytes, %v)", key, len(value), ttl)
	err := m.c.set(m.c.key(key), value, ttl)
	if ttl < time.Hour {
		entry.ends = m.clock() + ttl + m.c.grace()
		if m.c.advance == nil {
			entry.ends += 500 * time.Millisecond
		}
	}
	m.want[key] = entry
	return err
}

// forAll is longer than any check takes.
const forAll = 1000 * 24 * time.Hour

func (m *model) look(key string) error {
	m.note("Get(%s)", key)
	began := m.clock()
	value, ok, err := m.c.get(m.c.ctx, m.c.key(key))
	entry := m.want[key]
	switch {
	case err != nil:
		return fmt.Errorf("Get(%s) = %w; want nil", key, err)
	case ok && !entry.exists:
		return fmt.Errorf("Get(%s) = %s; want a miss, as it was removed", key, show(value))
	case ok && began >= entry.ends:
		return fmt.Errorf("Get(%s) = %s; want a miss, as its ttl is over", key, show(value))
	case ok && string(value) != entry.value:
		return fmt.Errorf("Get(%s) = %s; want %s", key, show(value), show(entry.value))
	}
	return nil
}

// cacheGoroutines makes calls with contexts that live on.
func cacheGoroutines(c *cacheCase) error {
	const calls, most = 200, 40
	work := func(n int) error {
		for i := range n {
			key := c.key(fmt.Sprint(i % 20))
			if err := c.set(key, "value", time.Hour); err != nil {
				return err
			}
			if _, err := c.holds(key, "value"); err != nil {
				return err
			}
			if err := c.delete(key); err != nil {
				return err
			}
		}
		return nil
	}
	if err := work(5); err != nil { // connects, and starts what it keeps
		return err
	}
	pkg := packageOf(c.cache)
	before := c.env.goroutines(pkg)
	if err := work(calls); err != nil {
		return err
	}
	if left := c.env.settled(pkg, before+most) - before; left > most {
		return doubt(fmt.Errorf("%d calls of each method left %d goroutines behind; want none", calls, left))
	}
	return nil
}
