package main

import (
	"errors"
	"net/http"
	"testing"

	"github.com/portcullis-go/portcullis/examples/internal/apitest"
	"github.com/portcullis-go/portcullis/verifier"
)

func TestAPI(t *testing.T) {
	apitest.Run(t, apitest.Handler(func(v *verifier.Verifier) http.Handler { return newAPI(v) }))
}

func TestRunRefusesAnIncompleteConfiguration(t *testing.T) {
	if err := run(verifier.Config{Domain: "tenant.auth0.com"}, "127.0.0.1:0"); !errors.Is(err, verifier.ErrConfig) {
		t.Errorf("run without audience = %v; want %v", err, verifier.ErrConfig)
	}
}
