package recorded

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// A Rule justifies differences. Each must have one of the outcomes that the
// rule wants.
type Rule struct {
	Name string
	// Because is what justifies it: a section of an RFC, or a rule of the design.
	Because string
	// Wanted are the beginnings of outcomes as [Compare] states them, such as
	// "401 invalid_token". A step in front and a count are not part of them.
	Wanted []string
	// Quirk, Systemic and When say which vectors without an entry of their own
	// may differ by this rule: those whose remark has this part or this tag, or
	// that are of this kind. Vectors of the project's own have entries, one by
	// one.
	Quirk    string
	Systemic string
	When     func(*Vector) bool
}

// An Entry states the outcome of one vector that differs on purpose.
type Entry struct {
	ID      string `json:"id"`
	Rule    string `json:"rule"`
	Outcome string `json:"outcome"`
}

// Differences are the differences that are meant.
type Differences struct {
	rules   []Rule
	entries map[string]Entry
	own     map[string]bool
}

// ReadDifferences reads the entries of a file, a JSON array, and holds them
// against the rules and the vectors of the project's own.
func ReadDifferences(name string, rules []Rule, own []Vector) (*Differences, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var entries []Entry
	if err := json.Unmarshal(data, &entries); err != nil {
		return nil, err
	}
	return NewDifferences(entries, rules, own)
}

// NewDifferences returns entries that fit the rules and the vectors: each is of
// one vector, has one rule, and states an outcome that the rule wants. A rule
// without entries is one for further vectors.
func NewDifferences(entries []Entry, rules []Rule, own []Vector) (*Differences, error) {
	d := &Differences{rules: rules, entries: make(map[string]Entry), own: make(map[string]bool)}
	for _, v := range own {
		d.own[v.ID] = true
	}
	var faults []error
	needed := make(map[string]bool)
	for _, e := range entries {
		rule := slices.IndexFunc(rules, func(r Rule) bool { return r.Name == e.Rule })
		switch {
		case d.entries[e.ID].ID != "":
			faults = append(faults, fmt.Errorf("%s: two entries", e.ID))
		case !d.own[e.ID]:
			faults = append(faults, fmt.Errorf("%s: no such vector", e.ID))
		case rule < 0:
			faults = append(faults, fmt.Errorf("%s: no rule %q", e.ID, e.Rule))
		case !rules[rule].wants(e.Outcome):
			faults = append(faults, fmt.Errorf("%s: rule %q does not want %q", e.ID, e.Rule, e.Outcome))
		}
		d.entries[e.ID] = e
		needed[e.Rule] = true
	}
	for _, r := range rules {
		if !needed[r.Name] && !r.general() {
			faults = append(faults, fmt.Errorf("rule %q is of no vector", r.Name))
		}
		if r.Because == "" || len(r.Wanted) == 0 {
			faults = append(faults, fmt.Errorf("rule %q states no reason or no outcome", r.Name))
		}
	}
	return d, errors.Join(faults...)
}

// wants reports whether every part of a difference is an outcome that the rule
// wants.
func (r *Rule) wants(outcome string) bool {
	if outcome == "" {
		return false
	}
	for part := range strings.SplitSeq(outcome, "; ") {
		if _, rest, ok := strings.Cut(part, ": "); ok && strings.HasPrefix(part, "step ") {
			part = rest
		}
		if _, rest, ok := strings.Cut(part, " times "); ok && !strings.HasPrefix(part, "calls") {
			part = rest
		}
		if !slices.ContainsFunc(r.Wanted, func(w string) bool { return strings.HasPrefix(part, w) }) {
			return false
		}
	}
	return true
}

// general reports whether a rule is for further vectors, too.
func (r *Rule) general() bool { return r.Quirk != "" || r.Systemic != "" || r.When != nil }

func (r *Rule) covers(v *Vector) bool {
	return r.Quirk != "" && strings.Contains(v.Quirk, r.Quirk) || r.Systemic != "" && slices.Contains(v.QuirkSystemic, r.Systemic) ||
		r.When != nil && r.When(v)
}

// Judge returns what is wrong with an outcome as [Compare] states it, or "", and
// whether it differs on purpose.
func (d *Differences) Judge(v *Vector, outcome string) (problem string, onPurpose bool) {
	entry, listed := d.entries[v.ID]
	switch {
	case listed && outcome == "":
		return fmt.Sprintf("is as recorded, and listed as different (%s)", entry.Rule), false
	case listed && outcome != entry.Outcome:
		return fmt.Sprintf("%s; want %s (%s)", outcome, entry.Outcome, entry.Rule), false
	case listed:
		return "", true
	case outcome == "":
		return "", false
	case d.own[v.ID]:
		return outcome + "; want what was recorded", false
	}
	for _, r := range d.rules {
		if r.covers(v) && r.wants(outcome) {
			return "", true
		}
	}
	return outcome + "; want what was recorded, or what a rule wants", false
}
