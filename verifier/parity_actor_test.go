package verifier_test

import (
	"testing"
)

func actorOutcome(t *testing.T, req *parityRequest) parityOutcome { return parityOutcome{} }
