package foreign_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/internal/foreign"
)

func TestPanicsBecomeErrors(t *testing.T) {
	boom := func() (int, error) { panic("a secret") }
	for name, call := range map[string]func() (int, error){
		"Guard": func() (int, error) { return foreign.Guard(boom) },
		"Call":  func() (int, error) { return foreign.Call(t.Context(), boom) },
		"Within": func() (int, error) {
			return foreign.Within(t.Context(), func(context.Context) (int, error) { return boom() })
		},
	} {
		if got, err := call(); got != 0 || err != foreign.ErrPanic {
			t.Errorf("%s = %d, %v; want ErrPanic itself", name, got, err)
		}
	}
	foreign.Tell(func() { panic("x") })
}

func TestAnswersPassThrough(t *testing.T) {
	for _, want := range []error{nil, errors.New("x")} {
		passesThrough(t, want)
	}
	told := false
	if foreign.Tell(func() { told = true }); !told {
		t.Error("Tell tells nothing")
	}
}

func passesThrough(t *testing.T, want error) {
	t.Helper()
	answer := func() (int, error) { return 3, want }
	for name, call := range map[string]func() (int, error){
		"Guard": func() (int, error) { return foreign.Guard(answer) },
		"Call":  func() (int, error) { return foreign.Call(t.Context(), answer) },
		"Within": func() (int, error) {
			return foreign.Within(t.Context(), func(context.Context) (int, error) { return answer() })
		},
	} {
		if got, err := call(); got != 3 || err != want {
			t.Errorf("%s = %d, %v; want 3 and the error itself", name, got, err)
		}
	}
}

// brittle is an error that panics when it is looked at.
type brittle struct{ text *string }

func (b *brittle) Error() string { return *b.text }

// unequal and unlike are errors that panic when they are compared with others.
type unequal struct{ error }

func (unequal) Is(error) bool { panic("x") }

type unlike struct{ error }

func (unlike) As(any) bool { panic("x") }

// TestErrorsThatPanicBecomeOurs: they would panic later, where nothing guards.
func TestErrorsThatPanicBecomeOurs(t *testing.T) {
	for name, bad := range map[string]error{
		"nil pointer": (*brittle)(nil), "empty": &brittle{}, "wrapped": errors.Join(errors.New("x"), &brittle{}),
		"one that panics in Is": unequal{errors.New("x")}, "one that panics in As": unlike{errors.New("x")},
	} {
		if got, err := foreign.Guard(func() (int, error) { return 3, bad }); got != 0 || err != foreign.ErrPanic {
			t.Errorf("Guard of an error that is %s = %d, %v; want ErrPanic itself", name, got, err)
		}
	}
}

func TestEndedContexts(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	called := false
	if _, err := foreign.Call(ctx, func() (int, error) { called = true; return 0, nil }); !errors.Is(err, context.Canceled) || called {
		t.Errorf("Call = %v, called %v; want an error that matches context.Canceled, and no call", err, called)
	}
	hang := make(chan struct{})
	defer close(hang)
	late, cancelLate := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancelLate()
	if _, err := foreign.Within(late, func(context.Context) (int, error) { <-hang; return 1, nil }); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Within = %v; want an error that matches context.DeadlineExceeded", err)
	}
}
