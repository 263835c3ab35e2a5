package introspection

// slots bounds the questions under way. A part is kept for tokens that are known by
// an active answer, so that what nobody has seen before, made-up tokens above all,
// cannot take all of them.
type slots struct {
	open chan struct{} // for every token
	kept chan struct{} // for known ones
}

// newSlots keeps a quarter, and at least one of two or more.
func newSlots(total int) *slots {
	kept := min(max(1, total/4), total-1)
	return &slots{open: make(chan struct{}, total-kept), kept: make(chan struct{}, kept)}
}

func (s *slots) total() int { return cap(s.open) + cap(s.kept) }

// take takes a slot that release gives back, or none at once. A known token takes
// an open one only where none is kept for it.
func (s *slots) take(known bool) (release func(), ok bool) {
	if known {
		select {
		case s.kept <- struct{}{}:
			return func() { <-s.kept }, true
		default:
		}
	}
	select {
	case s.open <- struct{}{}:
		return func() { <-s.open }, true
	default:
		return nil, false
	}
}
