//go:build interop

package interop_test

import (
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/integration/mldsa"
	"github.com/portcullis-go/portcullis/tools/interop/rig"
	"github.com/portcullis-go/portcullis/verifier"
)

var postQuantum = []string{"ML-DSA-44", "ML-DSA-65", "ML-DSA-87"}

// akp returns the folder of scripts and the Node of its packages: WebCrypto has
// ML-DSA since version 24, Debian's is older.
func akp(t *testing.T) (dir, node string) {
	t.Helper()
	dir = rig.NPM(t, "akp")
	arch := map[string]string{"amd64": "x64", "arm64": "arm64"}[runtime.GOARCH]
	return dir, filepath.Join(dir, "node_modules", "node-linux-"+arch, "bin", "node")
}

// signedByJose is what jose.mjs prints for one algorithm.
type signedByJose struct {
	JWKS                 json.RawMessage `json:"jwks"`
	Client               string          `json:"client"`
	Bearer               string          `json:"bearer"`
	Bound                string          `json:"bound"`
	Proofs               []string        `json:"proofs"`
	BadTokens, BadProofs map[string]string
}

// TestPostQuantumJose: what the jose of npm signs with ML-DSA.
func TestPostQuantumJose(t *testing.T) {
	const issuer, url = "https://issuer.example/", audience + "/orders"
	dir, node := akp(t)
	var all map[string]signedByJose
	out := rig.Run(t, time.Minute, rig.Command{Name: node, Args: []string{"--no-warnings", "jose.mjs", issuer, audience, url}, Dir: dir})
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		t.Fatalf("%v in %q", err, out)
	}
	for _, name := range postQuantum {
		signed := all[name]
		v := postQuantumVerifier(t, issuer, name, signed.JWKS)
		rig.Row(t, name+": a token of jose is accepted", func(t *testing.T) {
			if _, err := v.VerifyAccessToken(t.Context(), signed.Bearer); err != nil {
				t.Error(err)
			}
		})
		rig.Row(t, name+": a token and a proof of jose are accepted, once", func(t *testing.T) {
			for _, proof := range signed.Proofs {
				token, err := v.VerifyRequest(t.Context(), signedRequest("DPoP", signed.Bound, proof))
				if err != nil || token.Proof.JWKThumbprint != signed.Client {
					t.Errorf("VerifyRequest = %v, %v; want the proof of %s", token, err, signed.Client)
				}
				if _, err := v.VerifyRequest(t.Context(), signedRequest("DPoP", signed.Bound, proof)); !errors.Is(err, verifier.ErrReplayed) {
					t.Errorf("the same proof again: %v; want %v", err, verifier.ErrReplayed)
				}
			}
		})
		rig.Row(t, name+": damaged tokens are refused", func(t *testing.T) {
			for what, token := range damaged(signed.Bearer, signed.BadTokens) {
				if _, err := v.VerifyRequest(t.Context(), signedRequest("Bearer", token, "")); err == nil || errors.Is(err, verifier.ErrUnavailable) {
					t.Errorf("%s: %v; want a refusal", what, err)
				}
			}
		})
		rig.Row(t, name+": damaged proofs are refused", func(t *testing.T) {
			fresh := signed.Proofs[1]
			for what, proof := range damaged(fresh, signed.BadProofs) {
				if _, err := v.VerifyRequest(t.Context(), signedRequest("DPoP", signed.Bound, proof)); !errors.Is(err, verifier.ErrInvalidDPoPProof) && !errors.Is(err, verifier.ErrBinding) {
					t.Errorf("%s: %v; want a refusal of the proof", what, err)
				}
			}
		})
	}
}

// damaged adds to what was signed wrongly what was damaged later.
func damaged(good string, signed map[string]string) map[string]string {
	all := make(map[string]string)
	for what, compact := range signed {
		all[what] = compact
	}
	parts := strings.Split(good, ".")
	signature, _ := base64.RawURLEncoding.DecodeString(parts[2])
	with := func(change func(s []byte) []byte) string {
		return parts[0] + "." + parts[1] + "." + base64.RawURLEncoding.EncodeToString(change(append([]byte(nil), signature...)))
	}
	rename := func(alg string) string {
		header, _ := base64.RawURLEncoding.DecodeString(parts[0])
		var members map[string]any
		_ = json.Unmarshal(header, &members)
		members["alg"] = alg
		header, _ = json.Marshal(members)
		return base64.RawURLEncoding.EncodeToString(header) + "." + parts[1] + "." + parts[2]
	}
	all["cut by one octet"] = with(func(s []byte) []byte { return s[:len(s)-1] })
	all["one octet longer"] = with(func(s []byte) []byte { return append(s, 0) })
	all["first bit changed"] = with(func(s []byte) []byte { s[0] ^= 1; return s })
	all["last bit changed"] = with(func(s []byte) []byte { s[len(s)-1] ^= 1; return s })
	all["middle changed"] = with(func(s []byte) []byte { s[len(s)/2] ^= 0x80; return s })
	all["zeros"] = with(func(s []byte) []byte { clear(s); return s })
	all["half of it"] = with(func(s []byte) []byte { return s[:len(s)/2] })
	all["padded"] = good + "="
	all["cut in its last character"] = good[:len(good)-1]
	all["without a signature"] = parts[0] + "." + parts[1] + "."
	all["another payload"] = parts[0] + "." + parts[1][:len(parts[1])-4] + "AAAA." + parts[2]
	all["renamed none"] = rename("none")
	all["renamed ES256"] = rename("ES256")
	all["renamed HS256"] = rename("HS256")
	all["renamed in case"] = rename("ml-dsa-44")
	all["a fourth part"] = good + ".AAAA"
	return all
}

func signedRequest(scheme, token, proof string) verifier.Request {
	header := http.Header{"Authorization": {scheme + " " + token}}
	if proof != "" {
		header.Set("DPoP", proof)
	}
	return verifier.Request{Method: http.MethodGet, URL: audience + "/orders", Header: header}
}

func postQuantumVerifier(t *testing.T, issuer, algorithm string, jwks []byte) *verifier.Verifier {
	t.Helper()
	return newPostQuantum(t, verifier.Config{
		Domain: issuer, Algorithms: []string{algorithm},
		Doer: documents(jwks), DPoP: verifier.DPoPConfig{Algorithms: []string{algorithm}},
	})
}

// documents answers for one issuer from memory.
func documents(jwks []byte) verifier.DoerFunc {
	return func(r *http.Request) (*http.Response, error) {
		body := string(jwks)
		if strings.HasSuffix(r.URL.Path, "/openid-configuration") {
			base := "https://" + r.URL.Host + "/"
			body = fmt.Sprintf(`{"issuer":%q,"jwks_uri":%q}`, base, base+"keys")
		}
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Request: r, Body: io.NopCloser(strings.NewReader(body))}, nil
	}
}

// trusting returns a client that trusts one authority.
func trusting(authority *rig.Authority) *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: authority.Pool}}}
}

func newPostQuantum(t *testing.T, cfg verifier.Config) *verifier.Verifier {
	t.Helper()
	cfg.Audience, cfg.SignatureAlgorithms = audience, mldsa.Algorithms()
	v, err := verifier.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.Close() })
	return v
}

// TestPostQuantumProvider: an oidc-provider with ML-DSA keys beside an RSA key,
// which binds tokens to ML-DSA keys of clients.
func TestPostQuantumProvider(t *testing.T) {
	dir, node := akp(t)
	authority := rig.NewAuthority(t)
	certificate := authority.Issue(t, "provider")
	port := rig.FreePort(t)
	provider := rig.Start(t, rig.Command{Name: node, Args: []string{"--no-warnings", "provider.mjs", port, certificate.File, certificate.KeyFile, audience}, Dir: dir})
	rig.WaitForPort(t, provider, port)
	issuer := "https://127.0.0.1:" + port
	for _, name := range append([]string{"RS256"}, postQuantum...) {
		rig.Row(t, name+": a token and a proof of oidc-provider's client are accepted", func(t *testing.T) {
			out := rig.Run(t, time.Minute, rig.Command{
				Name: node, Args: []string{"--no-warnings", "client.mjs", issuer, audience, name, audience + "/orders"}, Dir: dir, Env: []string{"NODE_EXTRA_CA_CERTS=" + authority.File},
			})
			var got struct{ Token, Type, Proof string }
			if err := json.Unmarshal([]byte(out), &got); err != nil {
				t.Fatalf("%v in %q", err, out)
			}
			v := newPostQuantum(t, verifier.Config{
				Domain: issuer, Algorithms: []string{name}, Doer: trusting(authority),
				DPoP: verifier.DPoPConfig{Algorithms: append([]string{"ES256"}, postQuantum...)},
			})
			token, err := v.VerifyRequest(t.Context(), signedRequest(got.Type, got.Token, got.Proof))
			if err != nil || token.Algorithm != name {
				t.Errorf("VerifyRequest = %v, %v; want a token of %s", token, err, name)
			}
		})
	}
	rig.Row(t, "RS256: a Verifier without the module reads the same key set", func(t *testing.T) {
		v, err := verifier.New(verifier.Config{Domain: issuer, Audience: audience, Doer: trusting(authority)})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = v.Close() }()
		if err := v.Warmup(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
