package replay

import (
	"slices"
	"strconv"
	"testing"
	"time"
)

// entryOf makes an entry that expires at a time.
func entryOf(key string, expires int64) entry { return entry{digest: digestOf(key), expires: expires} }

// times of entries, in their order.
func times(entries []entry) []int64 {
	list := make([]int64, len(entries))
	for i, e := range entries {
		list[i] = e.expires
	}
	return list
}

// TestEmptiedShardGivesBack what a burst took, and keeps little room.
func TestEmptiedShardGivesBack(t *testing.T) {
	for n, given := range map[int]bool{keptCapacity: false, keptCapacity + 1: true} {
		var s shard
		s.queue = make([]entry, 0, n)
		for i := range n {
			e := entryOf(strconv.Itoa(i), 1)
			e.prefix = 7
			s.add(e)
		}
		if cap(s.queue) != n || s.perPrefix[7] != uint32(n) {
			t.Fatalf("room for %d, %d of the prefix; want %d", cap(s.queue), s.perPrefix[7], n)
		}
		if removed := s.expire(1); removed != int64(n) || len(s.live) != 0 || len(s.perPrefix) != 0 {
			t.Errorf("%d entries: %d removed, %d live, %d prefixes; want all removed", n, removed, len(s.live), len(s.perPrefix))
		}
		if (s.queue == nil) != given || (s.live == nil) != given || (s.perPrefix == nil) != given {
			t.Errorf("%d entries: the room is given back: %v, %v, %v; want %v", n, s.queue == nil, s.live == nil, s.perPrefix == nil, given)
		}
	}
	var s shard
	s.add(entryOf("a", 1))
	s.queue = slices.Grow(s.queue, 2*keptCapacity)
	s.add(entryOf("b", 3))
	if s.expire(1); len(s.live) != 1 || len(s.queue) != 1 {
		t.Errorf("%d live, %d in the queue; want the one that has not expired", len(s.live), len(s.queue))
	}
}

// TestRestore: what has not expired by the right time is live again, once.
func TestRestore(t *testing.T) {
	var s shard
	s.add(entryOf("live", 9))
	s.retired = []entry{entryOf("gone", 5), entryOf("back", 6), entryOf("live", 7), entryOf("back too", 8)}
	if got := s.restore(5); got != 2 {
		t.Errorf("%d are live again; want 2", got)
	}
	if got := times(s.retired); !slices.Equal(got, []int64{5, 7}) {
		t.Errorf("%v stay retired; want 5 and 7", got)
	}
	if got := len(s.live); got != 3 || len(s.queue) != 3 {
		t.Errorf("%d are live, %d in the queue; want 3", got, len(s.queue))
	}
}

// TestForget: by age, to the nanosecond, and by number, the oldest first.
func TestForget(t *testing.T) {
	now := int64(10 * time.Hour)
	old := now - retention
	for name, c := range map[string]struct {
		retired []int64
		most    int
		want    []int64
	}{
		"none":               {nil, 5, []int64{}},
		"all too old":        {[]int64{old - 1, old}, 5, []int64{}},
		"one too old":        {[]int64{old, old + 1, now}, 5, []int64{old + 1, now}},
		"as many as may be":  {[]int64{old + 1, now}, 2, []int64{old + 1, now}},
		"too many":           {[]int64{old + 1, old + 2, now}, 1, []int64{now}},
		"too many, too old":  {[]int64{old - 2, old - 1, old, now}, 2, []int64{now}},
		"none may be, fresh": {[]int64{now, now}, 0, []int64{}},
	} {
		var s shard
		for _, at := range c.retired {
			s.retired = append(s.retired, entryOf("x", at))
		}
		if left := s.forget(now, c.most); left != len(c.want) || !slices.Equal(times(s.retired), c.want) {
			t.Errorf("%s: %d left, %v; want %v", name, left, times(s.retired), c.want)
		}
		if len(c.want) == 0 && s.retired != nil {
			t.Errorf("%s: room for %d is kept; want none", name, cap(s.retired))
		}
	}
}

// TestForgetGivesRoomBack when what is left needs less than a quarter of it.
func TestForgetGivesRoomBack(t *testing.T) {
	const left = 10
	for room, given := range map[int]bool{4*left + keptCapacity: false, 4*left + keptCapacity + 1: true} {
		s := shard{retired: make([]entry, left+1, room)}
		for i := range s.retired {
			s.retired[i].expires = int64(i)
		}
		s.forget(0, left)
		if got := cap(s.retired) < room; got != given || !slices.Equal(times(s.retired), []int64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}) {
			t.Errorf("room for %d: given back: %v, left %v; want %v and the ten newest", room, got, times(s.retired), given)
		}
		before := &s.retired[0]
		if s.forget(0, left); &s.retired[0] != before {
			t.Errorf("room for %d: entries were moved though none was forgotten", room)
		}
	}
}
