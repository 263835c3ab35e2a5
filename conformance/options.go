package conformance

import (
	"slices"
	"time"
)

// Options are what the harnesses of all interfaces have in common. The zero
// value is fine.
type Options struct {
	// Implementation names what is tested and its version, such as
	// "example.org/mycache v1.2.0 on Redis 8". The report carries it.
	Implementation string
	// ExpectedSkips names the checks that this backend leaves out, and why. If
	// it is not nil, a check that is skipped and not named fails, and so does a
	// name that no check has. An empty map demands that nothing is skipped.
	ExpectedSkips map[string]string
	// Profiles that the implementation must fit. One that it does not fit fails.
	Profiles []Profile
	// InProcess: the backend is the memory of this process, which no other one
	// shares, and which neither fails nor hangs. Profiles then do not ask for
	// these groups, and say that they hold for one process.
	InProcess bool
	// Seed of the random calls. Zero takes another one for each run; a failure
	// names the seed that it was found with.
	Seed uint64
}

// Profile is a use that an implementation is fit for when every check of an
// interface passed and the checks of some groups were not skipped.
type Profile struct {
	// Name such as "fit for DPoP".
	Name string
	// Interface whose checks count, such as "ReplayStore".
	Interface string
	// Groups whose checks must not be skipped: "shared", "break", "hang",
	// "capacity".
	Groups []string
}

// FitAsCache says that a cache was tested with everything that a fleet asks of
// it: shared by two, failing, and hanging.
func FitAsCache() Profile {
	return Profile{Name: "fit as a cache", Interface: "Cache", Groups: []string{groupShared, groupBreak, groupHang}}
}

// FitForDPoP says that a replay store was tested with everything that the proofs
// of a fleet ask of it: shared by two, failing, hanging, and full.
func FitForDPoP() Profile {
	return Profile{Name: "fit for DPoP", Interface: "ReplayStore", Groups: []string{groupShared, groupBreak, groupHang, groupCapacity}}
}

// The groups of checks that need something of the harness.
const (
	groupShared   = "shared"
	groupBreak    = "break"
	groupHang     = "hang"
	groupCapacity = "capacity"
)

// missing returns what keeps the results of a report from fitting the profile.
func (p Profile) missing(results []Result, inProcess bool) []string {
	groups := p.Groups
	if inProcess {
		groups = slices.DeleteFunc(slices.Clone(groups), func(g string) bool { return g != groupCapacity })
	}
	var missing []string
	seen := false
	for _, r := range results {
		if r.Interface != p.Interface {
			continue
		}
		seen = true
		needed := r.Status == Failed || r.Status == Skipped && slices.Contains(groups, r.Group)
		if needed {
			missing = append(missing, r.Check+" "+string(r.Status))
		}
	}
	if !seen {
		missing = append(missing, "no check of "+p.Interface+" was run")
	}
	return missing
}

// plan is what the runner knows of a harness.
type plan struct {
	Options
	timeout time.Duration // as configured; zero takes the default
	waits   time.Duration // the resolution of ttls that checks wait for
	beside  bool          // checks that wait run side by side
}

// defaultTimeout of one call.
const defaultTimeout = 10 * time.Second

// checksPerCall is how many times as long as one call a check may take.
const checksPerCall = 6

// call is how long one call may take.
func (p plan) call() time.Duration {
	if p.timeout > 0 {
		return p.timeout
	}
	return defaultTimeout
}

// check is how long a check may take, beside the time that it waits for ttls.
func (p plan) check() time.Duration { return checksPerCall*p.call() + 48*p.waits }

// harness is what the runner asks of the harness of every interface.
type harness interface{ plan() plan }
