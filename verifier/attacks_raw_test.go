package verifier_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/internal/jws"
	"github.com/portcullis-go/portcullis/internal/keyset"
	"github.com/portcullis-go/portcullis/internal/strictjson"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/reason"
)

// rawVector is a vector of the RFCs, or of others, without claims of ours.
type rawVector struct {
	ID        string          `json:"id"`
	Source    string          `json:"source"`
	Kind      string          `json:"kind"`
	JWK       json.RawMessage `json:"jwk"`
	JWKS      json.RawMessage `json:"jwks"`
	Algorithm string          `json:"alg"`
	JWS       string          `json:"jws"`
	Input     string          `json:"signing_input_hex"`
	Signature string          `json:"signature_hex"`
	Value     string          `json:"value"`
	Token     string          `json:"access_token"`
	Proof     string          `json:"proof"`
	Method    string          `json:"method"`
	URL       string          `json:"url"`
	Now       int64           `json:"now"`
	Expect    string          `json:"expect"`
	Note      string          `json:"note"`
	Upstream  any             `json:"upstream_result"`
}

// keys returns the key set document of a vector.
func (v *rawVector) keys() string {
	if v.JWKS != nil {
		return string(v.JWKS)
	}
	return `{"keys":[` + string(v.JWK) + `]}`
}

// signedBy reports whether a key of the vector made a signature.
func (v *rawVector) signedBy(kid string, hasKID bool, input string, signature []byte) bool {
	algorithm := keyset.AlgorithmByName(v.Algorithm)
	set, err := keyset.Parse([]byte(v.keys()), nil)
	if err != nil || algorithm == nil {
		return false
	}
	for _, key := range set.Candidates(nil, kid, hasKID, algorithm) {
		if algorithm.Verify(key.Public, input, signature) {
			return true
		}
	}
	return false
}

// jwsAccepted checks a signature whose payload need not be JSON: the examples
// of the RFCs sign text.
func (v *rawVector) jwsAccepted() bool {
	parsed, err := jws.Parse(v.JWS, nil, nil)
	if errors.Is(err, jws.ErrPayload) {
		part := strings.Split(v.JWS, ".")
		if parsed, err = jws.Parse(part[0]+".e30."+part[2], nil, nil); err == nil {
			parsed.SigningInput = part[0] + "." + part[1]
		}
	}
	return err == nil && parsed.Header.Algorithm == v.Algorithm &&
		v.signedBy(parsed.Header.KeyID, parsed.Header.HasKeyID && strings.Contains(v.keys(), `"kid"`), parsed.SigningInput, parsed.Signature)
}

// verifier returns one that knows the keys of the vector, and its clock stands
// where the vector has it.
func (v *rawVector) verifier(t *testing.T) *verifier.Verifier {
	t.Helper()
	cfg := verifier.Config{
		Issuers:  []verifier.Issuer{{Name: "tenant.example.com", Keys: verifier.KeysStatic([]byte(v.keys()))}},
		Audience: "https://api.example.com",
		Clock:    verifier.ClockFunc(func() time.Time { return time.Unix(v.Now, 0) }),
	}
	if keyset.AlgorithmByName(v.Algorithm) != nil {
		cfg.Algorithms = []string{v.Algorithm}
	}
	made, err := verifier.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = made.Close() })
	return made
}

// refused makes sure that none of these is an access token of ours.
func (v *rawVector) refused(t *testing.T, token string) {
	t.Helper()
	_, err := v.verifier(t).VerifyRequest(t.Context(), verifier.Request{
		Method: "GET", URL: "https://api.example.com/", Header: http.Header{"Authorization": {"Bearer " + token}},
	})
	var e *verifier.Error
	if !errors.As(err, &e) || e.Status != 401 && e.Status != 400 {
		t.Errorf("as an access token: %v; want a refusal", err)
	}
}

func (v *rawVector) accepted(t *testing.T) bool {
	t.Helper()
	switch v.Kind {
	case "sig":
		input, err := hex.DecodeString(v.Input)
		if err != nil {
			t.Fatal(err)
		}
		signature, err := hex.DecodeString(v.Signature)
		if err != nil {
			t.Fatal(err)
		}
		return v.signedBy("", false, string(input), signature)
	case "jws":
		v.refused(t, v.JWS)
		return v.jwsAccepted()
	case "jwe_as_token":
		v.refused(t, v.JWS)
		return v.jwsAccepted()
	case "thumbprint":
		members, err := strictjson.Parse(string(v.JWK), nil)
		if err != nil {
			return false
		}
		key, err := keyset.ParseKey(members, nil)
		return err == nil && key.Thumbprint() == v.Value
	case "ath":
		return base64URLSHA256(v.Token) == v.Value
	case "dpop_proof":
		return v.proofAccepted(t)
	default:
		t.Fatalf("unknown kind %q", v.Kind)
		return false
	}
}

// proofAccepted checks a proof. One without token was made for a token
// endpoint, which is no resource server: its key and signature must be right,
// and it is refused here for its missing ath alone.
func (v *rawVector) proofAccepted(t *testing.T) bool {
	t.Helper()
	proof, err := v.verifier(t).VerifyDPoPProof(t.Context(), verifier.ProofRequest{
		Proof: v.Proof, Method: v.Method, URL: v.URL, AccessToken: v.Token, JWKThumbprint: v.Value,
	})
	if v.Token != "" {
		return err == nil && proof.JWKThumbprint == v.Value
	}
	var e *verifier.Error
	return errors.As(err, &e) && e.Reason == reason.ProofClaim && e.Claim == "ath"
}

func base64URLSHA256(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// TestRawVectors replays the examples of RFC 7515, 7520, 7638, 8037 and 9449.
func TestRawVectors(t *testing.T) {
	counts := make(map[string]int)
	wrong := 0
	for _, v := range readVectors[rawVector](t, "rfc_raw.json", "kind") {
		t.Run(v.ID, func(t *testing.T) {
			counts[v.Expect]++
			accepted := v.accepted(t)
			if v.Expect == "accept" && !accepted || v.Expect == "reject" && accepted {
				wrong++
				t.Errorf("accepted is %v; want %s (%s)", accepted, v.Expect, v.Note)
			}
		})
	}
	t.Logf("%d accept, %d reject, %d either: %d wrong answers", counts["accept"], counts["reject"], counts["either"], wrong)
	if counts["accept"] == 0 || counts["reject"] == 0 {
		t.Error("no vector was replayed")
	}
}
