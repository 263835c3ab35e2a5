package strictjson

// linearNames is up to how many names a scan is quicker than a map.
const linearNames = 24

// nameSet answers "was this name here before" for one object. Small objects
// are scanned if a name of the same sketch was here before; larger ones get a
// map, so that an object with thousands of members costs linear and not
// quadratic time.
type nameSet struct {
	sketches uint64 // a bit for each sketch that was here
	m        map[string]struct{}
}

// isNew reports whether no name of the same sketch was here before, and
// remembers the name's: equal names have equal sketches.
func (n *nameSet) isNew(name string) bool {
	sketch := len(name)
	if sketch > 0 {
		sketch += int(name[0])<<1 ^ int(name[sketch-1])<<3
	}
	bit := uint64(1) << (sketch & 63)
	isNew := n.sketches&bit == 0
	n.sketches |= bit
	return isNew
}

func (n *nameSet) hasMember(members []Member, name string) bool {
	if len(members) <= linearNames {
		if n.isNew(name) {
			return false
		}
		for i := range members {
			if members[i].Name == name {
				return true
			}
		}
		return false
	}
	if n.m == nil {
		n.m = make(map[string]struct{}, 4*linearNames)
		for i := range members {
			n.m[members[i].Name] = struct{}{}
		}
	}
	return n.testAndAdd(name)
}

func (n *nameSet) hasName(names []string, name string) bool {
	if len(names) <= linearNames {
		if n.isNew(name) {
			return false
		}
		for _, seen := range names {
			if seen == name {
				return true
			}
		}
		return false
	}
	if n.m == nil {
		n.m = make(map[string]struct{}, 4*linearNames)
		for _, seen := range names {
			n.m[seen] = struct{}{}
		}
	}
	return n.testAndAdd(name)
}

func (n *nameSet) testAndAdd(name string) bool {
	if _, ok := n.m[name]; ok {
		return true
	}
	n.m[name] = struct{}{}
	return false
}
