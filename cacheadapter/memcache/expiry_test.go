package memcache

import (
	"math"
	"testing"
	"time"
)

func TestExpiration(t *testing.T) {
	const day = 24 * time.Hour
	now := time.Date(2026, 1, 2, 3, 4, 5, 999, time.UTC)
	tests := []struct {
		ttl   time.Duration
		want  int64
		exact bool
	}{
		{1, 2, true},
		{time.Millisecond, 2, true},
		{time.Second, 2, true},
		{time.Second + 1, 3, true},
		{time.Minute, 61, true},
		{30*day - time.Second, 30 * 24 * 3600, true},
		{30*day - time.Second + 1, now.Unix() + 1 + 30*24*3600 + 1, true},
		{30 * day, now.Unix() + 1 + 30*24*3600 + 1, true},
		{365 * day, now.Unix() + 1 + 365*24*3600 + 1, true},
		{time.Duration(math.MaxInt32-now.Unix()-2) * time.Second, math.MaxInt32, true},
		{time.Duration(math.MaxInt32-now.Unix()-2)*time.Second + 1, math.MaxInt32, false},
		{math.MaxInt64, math.MaxInt32, false},
	}
	for _, test := range tests {
		if got, exact := expiration(now, test.ttl); int64(got) != test.want || exact != test.exact {
			t.Errorf("expiration(%v) = %v, %v; want %v, %v", test.ttl, got, exact, test.want, test.exact)
		}
	}
}

func TestDeadline(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 999, time.UTC)
	if got := deadline(now, 1); got != now.UnixNano()+1 {
		t.Errorf("deadline(1) = %d; want %d", got, now.UnixNano()+1)
	}
	if got := deadline(now, math.MaxInt64); got != math.MaxInt64 {
		t.Errorf("deadline(max) = %d; want %d", got, int64(math.MaxInt64))
	}
}
