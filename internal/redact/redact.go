// Package redact hides the contents of values that hold tokens or secrets.
package redact

import (
	"errors"
	"fmt"
	"log/slog"
)

const text = "(hidden)"

// errMarshal is the error of marshalling a value that is hidden.
var errMarshal = errors.New("portcullis: holds tokens or secrets and is not to be marshalled")

// Contents is embedded in a struct that holds tokens or secrets: printed or
// logged, such a value shows nothing, and it cannot be marshalled.
//
// That ends where a value of such a type lies in an unexported field of another
// struct that is printed: package fmt does not ask the value there.
type Contents struct{}

// String hides the contents.
func (Contents) String() string { return text }

// Format hides the contents, whatever the verb.
func (Contents) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(text)) }

// LogValue hides the contents.
func (Contents) LogValue() slog.Value { return slog.StringValue(text) }

// MarshalJSON refuses, so that no token ends in a log or an answer by accident.
func (Contents) MarshalJSON() ([]byte, error) { return nil, errMarshal }

// MarshalText refuses, like MarshalJSON.
func (Contents) MarshalText() ([]byte, error) { return nil, errMarshal }
