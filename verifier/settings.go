package verifier

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"
)

// ConfigError says which field of a configuration was refused, and why. It
// matches [ErrConfig].
type ConfigError struct {
	// Field as written in Go, with the entry of a list, such as "Audience",
	// "DPoP.MaxAge" or "Issuers[2].Keys".
	Field string
	// Value that was refused, shortened to 100 bytes; "" when the field is
	// empty or its value says nothing.
	Value string
	// Problem with the value, and what to write instead.
	Problem string
}

func (e *ConfigError) Error() string {
	text := "verifier: Config." + e.Field
	if e.Value != "" {
		text += " " + e.Value
	}
	return text + " " + e.Problem
}

// Is reports whether target is ErrConfig.
func (e *ConfigError) Is(target error) bool { return target == ErrConfig }

func invalid(field, problem string) error { return &ConfigError{Field: field, Problem: problem} }

// mistakes collects everything that is wrong with a configuration, so that it is
// mended in one go.
type mistakes struct{ list []error }

func (m *mistakes) add(field, problem string) {
	m.list = append(m.list, &ConfigError{Field: field, Problem: problem})
}

// of is add for a text that the program's author wrote.
func (m *mistakes) of(field, value, problem string) {
	const most = 100
	if len(value) > most {
		cut := most
		for cut > 0 && !utf8.RuneStart(value[cut]) {
			cut--
		}
		value = value[:cut]
	}
	m.list = append(m.list, &ConfigError{Field: field, Value: fmt.Sprintf("%q", value), Problem: problem})
}

func (m *mistakes) err() error { return errors.Join(m.list...) }

// bounds of a duration. A negative value switches an optional one off.
type bounds struct {
	byDefault, min, max time.Duration
	optional            bool
}

// duration returns the value that counts. A value that is too short by far is
// a number without its unit: time.Duration counts nanoseconds.
func (m *mistakes) duration(field string, value time.Duration, b bounds) time.Duration {
	switch {
	case value == 0:
		return b.byDefault
	case value < 0 && b.optional:
		return 0
	case value >= b.min && value <= b.max:
		return value
	}
	problem := fmt.Sprintf("is not between %v and %v", b.min, b.max)
	if value > 0 && value < b.min && value < time.Microsecond {
		problem += fmt.Sprintf("; a plain number counts nanoseconds: write %d * time.Second", int64(value))
	}
	m.list = append(m.list, &ConfigError{Field: field, Value: value.String(), Problem: problem})
	return b.byDefault
}

// leastUnit is the shortest duration that somebody can mean where zero and
// everything above it are allowed.
const leastUnit = time.Millisecond

// size returns the value that counts of a number of bytes or entries.
func (m *mistakes) size(field string, value, byDefault, min, max int) int {
	switch {
	case value == 0:
		return byDefault
	case value < min || value > max:
		m.list = append(m.list, &ConfigError{Field: field, Value: fmt.Sprint(value), Problem: fmt.Sprintf("is not between %d and %d", min, max)})
		return byDefault
	default:
		return value
	}
}

// share returns the value that counts of a part of a whole. A negative value
// switches it off.
func (m *mistakes) share(field string, value, byDefault, max float64) float64 {
	switch {
	case value == 0:
		return byDefault
	case value < 0:
		return 0
	case math.IsNaN(value) || value > max:
		m.list = append(m.list, &ConfigError{Field: field, Value: fmt.Sprint(value), Problem: fmt.Sprintf("is more than %v", max)})
		return byDefault
	default:
		return value
	}
}

// text complains about a value that is empty or has blanks around it.
func (m *mistakes) text(field, value string) {
	switch {
	case strings.TrimSpace(value) == "":
		m.add(field, "is blank")
	case strings.TrimSpace(value) != value:
		m.of(field, value, "has blanks around it, and is compared byte by byte; remove them")
	}
}

// texts is text for every entry of a list.
func (m *mistakes) texts(field string, list []string) {
	for i, value := range list {
		m.text(fmt.Sprintf("%s[%d]", field, i), value)
	}
}

// isNil reports whether an interface holds a nil pointer, map or function: what a
// program passes on by mistake.
func isNil(v any) bool {
	if v == nil {
		return true
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Func, reflect.Chan, reflect.Slice:
		return r.IsNil()
	default:
		return false
	}
}
