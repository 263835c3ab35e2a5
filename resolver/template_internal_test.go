package resolver

import (
	"context"
	"testing"

	"github.com/portcullis-go/portcullis/verifier"
)

// TestTenantsThatAreKept: each once, until there are too many; then the newest alone.
func TestTenantsThatAreKept(t *testing.T) {
	made, err := Template(TemplateConfig{
		Name: "https://login.example/{tenant}/v2.0", Keys: verifier.KeysURL("https://login.example/keys"),
		Allowed: func(context.Context, string) (bool, error) { return true, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	resolver := made.(*template)
	issuer := func(tenant string) *verifier.Issuer {
		t.Helper()
		i, err := resolver.ResolveIssuer(t.Context(), verifier.ResolveRequest{UnverifiedIssuer: "https://login.example/" + tenant + "/v2.0"})
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
	want := func(counted int64, tenants ...string) {
		t.Helper()
		held := 0
		resolver.issuers.Range(func(any, any) bool { held++; return true })
		if got := resolver.count.Load(); got != counted || held != len(tenants) {
			t.Errorf("%d counted, %d held; want %d, and %q", got, held, counted, tenants)
		}
		for _, tenant := range tenants {
			if _, ok := resolver.issuers.Load(tenant); !ok {
				t.Errorf("%q is not held", tenant)
			}
		}
	}
	if one := issuer("a"); issuer("a") != one {
		t.Error("a tenant has two Issuers")
	}
	want(1, "a")
	resolver.count.Store(maxTenants - 1)
	issuer("b")
	want(maxTenants, "a", "b")
	issuer("c")
	want(1, "c")
	issuer("d")
	want(2, "c", "d")
}
