package revocation

import (
	"testing"
	"time"
)

// TestListsAsDocuments: what the machinery that keeps documents current is told.
func TestListsAsDocuments(t *testing.T) {
	d := &statusDocument{&statusIssuer{}, "https://id.example.com/statuslists/1"}
	if !d.Private() || d.Kind() != "status_list" || !d.MayComeFrom(nil, d.uri) || d.MayComeFrom(nil, d.uri+"2") {
		t.Error("want lists to be private, and from their own URL alone")
	}
	list := func(bits uint64, data string, exp time.Time) *statusList { return &statusList{bits, []byte(data), exp} }
	end := time.Unix(2_000_000_000, 0)
	one := list(1, "ab", end)
	for name, c := range map[string]struct {
		other *statusList
		same  bool
	}{
		"the same": {list(1, "ab", end.UTC()), true}, "other bits": {list(2, "ab", end), false}, "other data": {list(1, "ac", end), false},
		"another end": {list(1, "ab", end.Add(1)), false}, "no end": {list(1, "ab", time.Time{}), false},
	} {
		if got := d.Same(one, c.other); got != c.same {
			t.Errorf("%s: Same = %v; want %v", name, got, c.same)
		}
	}
	if small, large := d.Size(one), d.Size(list(1, string(make([]byte, 1002)), end)); large-small != 1000 || small <= 2 {
		t.Errorf("sizes %d and %d; want the octets of both to count", small, large)
	}
}
