package faulttest

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/conformance/faultproxy"
)

// Fault is a way in which a backend fails. R is what the test needs of the
// backend to make it.
type Fault[R any] struct {
	Name string
	// Make starts a backend and returns an adapter to it.
	Make func(t *testing.T) (R, Store)
	// Cause begins the phase during the fault once it is there, and the one
	// after it right before it ends it.
	Cause func(t *testing.T, l *Load, r R)
	// Outage: the backend answers nothing, or no writes, during the fault.
	Outage bool
	// Loses: replays are counted, not forbidden.
	Loses bool
}

// Run verifies requests before, during and after each fault, and logs the table
// of docs/adapters-under-fault.md.
func Run[R any](t *testing.T, faults []Fault[R]) {
	rows := make([]string, len(faults))
	// Side by side whatever -parallel says, for they wait most of the time, but
	// not all at once, for slow machines.
	var group sync.WaitGroup
	slots := make(chan struct{}, 4)
	for i, fault := range faults {
		group.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			t.Run(fault.Name, func(t *testing.T) { rows[i] = fault.run(t) })
		})
	}
	group.Wait()
	t.Log("\n" + rowHeader + "\n" + strings.Join(rows, "\n"))
}

func (f *Fault[R]) run(t *testing.T) (row string) {
	r, store := f.Make(t)
	l := startLoad(t, store)
	l.Run(2 * time.Second)
	f.Cause(t, l, r)
	recovery := l.recover()
	l.Run(1500 * time.Millisecond)
	again, of := l.audit()
	if again > 0 && !f.Loses {
		t.Errorf("%d of %d proofs were accepted again; want none", again, of)
	}
	if of == 0 {
		t.Error("no proof was accepted at all")
	}
	if accepted := l.tallies[during][proven].within; f.Outage && accepted > 0 {
		t.Errorf("%d proofs were accepted while the backend could not answer", accepted)
	}
	return l.row(f.Name, recovery, again, of)
}

// Process is a server that can be ended, stopped and started again.
type Process interface {
	Kill()
	Restart()
	Freeze()
	Thaw()
}

// Kill ends a server, and starts it again after 2 s.
func Kill(l *Load, p Process) {
	p.Kill()
	l.Next()
	l.Run(time.Second)
	l.Cold()
	l.Run(time.Second)
	l.Next()
	p.Restart()
}

// Freeze stops a server for 10 s.
func Freeze(l *Load, p Process) {
	p.Freeze()
	l.Run(settle) // for requests on their way
	l.Next()
	l.Run(5 * time.Second)
	l.Cold()
	l.Run(5 * time.Second)
	l.Next()
	p.Thaw()
}

// Reset resets all connections every 100 ms, for 3 s.
func Reset(l *Load, p *faultproxy.Proxy) {
	l.Next()
	for range 30 {
		p.Reset()
		l.Run(100 * time.Millisecond)
	}
	l.Cold()
	l.Next()
}

// Delay lets every answer take 2 s, for 3 s.
func Delay(l *Load, p *faultproxy.Proxy) {
	p.Delay(2 * time.Second)
	l.Hold()
	p.Delay(0)
}

// settle is for requests on their way when a fault begins.
const settle = 50 * time.Millisecond

// Hold is the phase during a fault that is there, for 3 s, and begins the one
// after it.
func (l *Load) Hold() {
	l.Run(settle)
	l.Next()
	l.Run(3 * time.Second)
	l.Cold()
	l.Next()
}
