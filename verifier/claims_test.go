package verifier_test

import (
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

type orderClaims struct {
	Subject string   `json:"sub"`
	Roles   []string `json:"https://example.com/roles"`
	Level   int      `json:"level"`
}

func TestClaimsFromContext(t *testing.T) {
	token := verifiertest.NewToken(t, map[string]any{"sub": "alice", "https://example.com/roles": []string{"clerk"}, "LEVEL": 7})
	got, err := verifier.ClaimsFromContext[orderClaims](verifier.ContextWithToken(t.Context(), token))
	if want := (orderClaims{Subject: "alice", Roles: []string{"clerk"}}); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("ClaimsFromContext = %+v, %v; want %+v", got, err, want)
	}
	byName, err := verifier.ClaimsFromContext[map[string]any](verifier.ContextWithToken(t.Context(), token))
	if err != nil || byName["sub"] != "alice" {
		t.Errorf("ClaimsFromContext of a map = %v, %v; want alice", byName, err)
	}
}

func TestClaimsThatDoNotFit(t *testing.T) {
	token := verifiertest.NewToken(t, map[string]any{"sub": "alice", "level": "secret"})
	got, err := verifier.ClaimsFromContext[orderClaims](verifier.ContextWithToken(t.Context(), token))
	if err == nil || strings.Contains(err.Error(), "secret") || !reflect.DeepEqual(got, orderClaims{}) {
		t.Errorf("ClaimsFromContext = %+v, %v; want an error without claims, and nothing", got, err)
	}
}

func TestClaimsWithoutToken(t *testing.T) {
	_, err := verifier.ClaimsFromContext[orderClaims](t.Context())
	var e *verifier.Error
	if !errors.As(err, &e) || e.Status < http.StatusBadRequest {
		t.Errorf("ClaimsFromContext without token = %v; want a refusal", err)
	}
}
