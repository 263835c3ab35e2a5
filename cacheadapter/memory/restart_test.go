package memory_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/portcullis-go/portcullis/cacheadapter/memory"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// TestRestartForgetsRecords measures what a replay store of one process costs:
// the next process, or another one of the fleet, accepts all proofs again.
func TestRestartForgetsRecords(t *testing.T) {
	const api, proofs = "https://api.example.com", 100
	issuer, client := verifiertest.NewIssuer(t), verifiertest.NewDPoPClient(t, nil, "")
	token := issuer.Sign(api, map[string]any{"cnf": client.Confirmation()})
	process := func() *verifier.Verifier {
		store, err := memory.New(nil, memory.Config{})
		if err != nil {
			t.Fatal(err)
		}
		cfg := issuer.Config(api)
		cfg.Cache, cfg.DPoP.ReplayStore = store, store
		v, err := verifier.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = v.Close() })
		return v
	}
	accepted := func(v *verifier.Verifier, headers []http.Header) (n int) {
		for _, header := range headers {
			_, err := v.VerifyRequest(t.Context(), verifier.Request{Method: "GET", URL: api, Header: header})
			switch {
			case err == nil:
				n++
			case !errors.Is(err, verifier.ErrReplayed):
				t.Errorf("VerifyRequest() = %v; want nil or ErrReplayed", err)
			}
		}
		return n
	}
	var headers []http.Header
	for range proofs {
		headers = append(headers, http.Header{"Authorization": {"DPoP " + token}, "Dpop": {client.Proof("GET", api, token)}})
	}
	first := process()
	if n := accepted(first, headers); n != proofs {
		t.Fatalf("%d of %d proofs were accepted", n, proofs)
	}
	if n := accepted(first, headers); n != 0 {
		t.Errorf("%d of %d proofs were accepted again by one process; want none", n, proofs)
	}
	t.Logf("a new process accepts %d of %d proofs again", accepted(process(), headers), proofs)
}
