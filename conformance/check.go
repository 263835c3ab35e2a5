package conformance

import (
	"context"
	"fmt"
	"time"
)

// Check is one rule of a contract with the code that proves it. H is the
// harness it runs on, such as [CacheHarness].
type Check[H any] struct {
	// Interface of package verifier, such as "Cache".
	Interface string
	// Name is short, stable and fit for a subtest.
	Name string
	// Rule is the sentence of the contract, word by word.
	Rule string

	waits bool // for ttls to pass; such checks run side by side on real time
	limit func(H) time.Duration
	run   func(env *Env, h H) error
}

// Run runs the check once, in a fresh environment that ends with it. It
// returns nil, a [*SkipError], or what was found: an error with what was got and
// what is wanted. A check that panics or does not return in time is an error
// too. Run is safe for concurrent use if the functions of the harness are.
func (c Check[H]) Run(ctx context.Context, h H) error {
	return guard(ctx, c.limit(h), func(env *Env) error { return c.run(env, h) })
}

// SkipError is the outcome of a check that the backend's limits, or what the
// harness cannot do, keep from running.
type SkipError struct {
	// Reason for people who read the report.
	Reason string
}

func (s *SkipError) Error() string { return "skipped: " + s.Reason }

func skip(format string, args ...any) error { return &SkipError{fmt.Sprintf(format, args...)} }

// defaultTimeout of a check, beside the time that it waits for ttls.
const defaultTimeout = 10 * time.Second

// timeout of a check; waits is the resolution of ttls that it waits for.
func timeout(configured, waits time.Duration) time.Duration {
	if configured > 0 {
		return configured
	}
	return defaultTimeout + 24*waits
}
