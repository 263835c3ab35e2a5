package exchange

import (
	"errors"
	"fmt"
	"log/slog"
)

// hidden is embedded in whatever holds tokens or secrets: printed, logged or
// marshalled, such a value shows nothing.
type hidden struct{}

const hiddenText = "exchange(hidden)"

var errHidden = errors.New("exchange: holds tokens or secrets and is not to be marshalled")

// String hides the contents.
func (hidden) String() string { return hiddenText }

// Format hides the contents, whatever the verb.
func (hidden) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(hiddenText)) }

// LogValue hides the contents.
func (hidden) LogValue() slog.Value { return slog.StringValue(hiddenText) }

// MarshalJSON refuses, so that no token ends in a log or an answer by accident.
func (hidden) MarshalJSON() ([]byte, error) { return nil, errHidden }

// MarshalText refuses, like MarshalJSON.
func (hidden) MarshalText() ([]byte, error) { return nil, errHidden }
