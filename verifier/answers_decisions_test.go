package verifier_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/reason"
)

// TestChallengesOfErrorsOfTheProgram: an error that has seen no request answers for
// the scheme that its code belongs to.
func TestChallengesOfErrorsOfTheProgram(t *testing.T) {
	const described = `, error_description="d"`
	for name, c := range map[string]struct {
		err  verifier.Error
		want string // "" if there is no challenge
	}{
		"no code":               {verifier.Error{Status: 401}, `Bearer realm="api"`},
		"a bad token":           {verifier.Error{Status: 401, Code: verifier.CodeInvalidToken}, `Bearer error="invalid_token"` + described},
		"a bad proof":           {verifier.Error{Status: 401, Code: verifier.CodeInvalidDPoPProof}, `DPoP error="invalid_dpop_proof"` + described + `, algs="ES256"`},
		"a nonce":               {verifier.Error{Status: 401, Code: verifier.CodeUseDPoPNonce}, `DPoP error="use_dpop_nonce"` + described + `, algs="ES256"`},
		"scopes":                {verifier.Error{Status: 403, Code: verifier.CodeInsufficientScope, Scope: "a b"}, `Bearer error="insufficient_scope"` + described + `, scope="a b"`},
		"no scope":              {verifier.Error{Status: 403, Code: verifier.CodeInsufficientScope}, `Bearer error="insufficient_scope"` + described},
		"forbidden":             {verifier.Error{Status: 403}, ""},
		"a bad request":         {verifier.Error{Status: 400, Code: verifier.CodeInvalidRequest}, ""},
		"an outage":             {verifier.Error{Status: 503, Code: verifier.CodeInvalidToken}, ""},
		"the first of servers":  {verifier.Error{Status: 500, Code: verifier.CodeInsufficientScope}, ""},
		"the last of clients":   {verifier.Error{Status: 499, Code: verifier.CodeInsufficientScope}, `Bearer error="insufficient_scope"` + described},
		"the first of clients":  {verifier.Error{Status: 400, Code: verifier.CodeInsufficientScope}, `Bearer error="insufficient_scope"` + described},
		"a status of none":      {verifier.Error{Status: 399, Code: verifier.CodeInsufficientScope}, ""},
		"no status":             {verifier.Error{Code: verifier.CodeInsufficientScope}, ""},
		"a status that is none": {verifier.Error{Status: 601, Code: verifier.CodeInsufficientScope}, ""},
		"a time":                {verifier.Error{Status: 401, Code: verifier.CodeInsufficientUserAuthentication, MaxAge: 90 * time.Second, ACRValues: "x y"}, `Bearer error="insufficient_user_authentication"` + described + `, acr_values="x y", max_age="90"`},
		"no time":               {verifier.Error{Status: 401, Code: verifier.CodeInsufficientUserAuthentication, MaxAge: -time.Second}, `Bearer error="insufficient_user_authentication"` + described},
	} {
		c.err.Description = "d"
		var want []string
		if c.want != "" {
			want = []string{c.want}
		}
		if got := c.err.Challenges(); !slices.Equal(got, want) {
			t.Errorf("%s: %q; want %q", name, got, want)
		}
	}
}

// TestWhatNoChallengeCarries is left out of its parameters, and what it can carry is
// not.
func TestWhatNoChallengeCarries(t *testing.T) {
	for text, want := range map[string]string{
		" !#[]~": " !#[]~", "a\x1fb": "ab", "a\x7fb": "ab", `a"b`: "ab", `a\b`: "ab", "a\r\nb": "ab", "ä": "",
	} {
		e := verifier.Error{Status: 401, Code: verifier.CodeInvalidToken, Description: text}
		challenge := `Bearer error="invalid_token"`
		if want != "" {
			challenge += `, error_description="` + want + `"`
		}
		if got := e.Challenges(); len(got) != 1 || got[0] != challenge {
			t.Errorf("%q: %q; want %q", text, got, challenge)
		}
	}
}

// TestHeadersOfAnswers: what is in the answer besides its status.
func TestHeadersOfAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		err  verifier.Error
		want http.Header
	}{
		"refused": {verifier.Error{Status: 401, RetryAfter: time.Minute}, http.Header{"Cache-Control": {"no-store"}, "Www-Authenticate": {"Basic", `Bearer realm="api"`}}},
		"a nonce": {verifier.Error{Status: 403, DPoPNonce: "n"}, http.Header{"Cache-Control": {"no-store"}, "Www-Authenticate": {"Basic"}, "Dpop-Nonce": {"n"}}},
		"at once": {verifier.Error{Status: 503}, http.Header{"Cache-Control": {"no-store"}, "Www-Authenticate": {"Basic"}, "Retry-After": {"1"}}},
		"past":    {verifier.Error{Status: 503, RetryAfter: -time.Hour}, http.Header{"Cache-Control": {"no-store"}, "Www-Authenticate": {"Basic"}, "Retry-After": {"1"}}},
		"exact":   {verifier.Error{Status: 503, RetryAfter: 7 * time.Second}, http.Header{"Cache-Control": {"no-store"}, "Www-Authenticate": {"Basic"}, "Retry-After": {"7"}}},
		"long":    {verifier.Error{Status: 503, RetryAfter: 90 * time.Second}, http.Header{"Cache-Control": {"no-store"}, "Www-Authenticate": {"Basic"}, "Retry-After": {"90"}}},
		"a bit":   {verifier.Error{Status: 503, RetryAfter: 7*time.Second + 1}, http.Header{"Cache-Control": {"no-store"}, "Www-Authenticate": {"Basic"}, "Retry-After": {"8"}}},
	} {
		got := http.Header{"Www-Authenticate": {"Basic"}, "Cache-Control": {"public"}}
		c.err.WriteHeaders(got)
		if fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: %v; want %v", name, got, c.want)
		}
	}
}

// TestBodiesOfAnswers: status and body for every kind of error.
func TestBodiesOfAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		err    error
		status int
		body   string
	}{
		"a code":               {&verifier.Error{Status: 401, Code: verifier.CodeInvalidToken, Description: "d"}, 401, `{"error":"invalid_token","error_description":"d"}`},
		"a code of an outage":  {&verifier.Error{Status: 503, Code: verifier.CodeInvalidToken, Description: "d"}, 503, `{"error":"invalid_token","error_description":"d"}`},
		"no code":              {&verifier.Error{Status: 401, Description: "d"}, 401, `{"message":"d"}`},
		"the last of clients":  {&verifier.Error{Status: 499, Description: "d"}, 499, `{"message":"d"}`},
		"an outage":            {&verifier.Error{Status: 503, Description: "d"}, 503, `{"error":"temporarily_unavailable","error_description":"d"}`},
		"a mistake":            {&verifier.Error{Status: 500, Description: "d"}, 500, `{"error":"server_error","error_description":"d"}`},
		"the last of statuses": {&verifier.Error{Status: 599, Description: "d"}, 599, `{"error":"server_error","error_description":"d"}`},
		"no status":            {&verifier.Error{Description: "d"}, 500, `{"error":"server_error","error_description":"d"}`},
		"the first of no use":  {&verifier.Error{Status: 600, Description: "d"}, 500, `{"error":"server_error","error_description":"d"}`},
		"the last of no use":   {&verifier.Error{Status: 399, Description: "d"}, 500, `{"error":"server_error","error_description":"d"}`},
		"wrapped":              {fmt.Errorf("x: %w", &verifier.Error{Status: 400, Code: verifier.CodeInvalidRequest, Description: "d"}), 400, `{"error":"invalid_request","error_description":"d"}`},
		"another error":        {errors.New("secret"), 500, `{"error":"server_error","error_description":"the request could not be checked"}`},
		"none":                 {nil, 500, `{"error":"server_error","error_description":"the request could not be checked"}`},
		"a nil pointer":        {(*verifier.Error)(nil), 500, `{"error":"server_error","error_description":"the request could not be checked"}`},
	} {
		w := httptest.NewRecorder()
		verifier.WriteError(w, c.err)
		if got := strings.TrimSpace(w.Body.String()); w.Code != c.status || got != c.body {
			t.Errorf("%s: %d %s; want %d %s", name, w.Code, got, c.status, c.body)
		}
		if got := w.Result().Header; got.Get("Content-Type") != "application/json" || got.Get("X-Content-Type-Options") != "nosniff" || got.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestAnswersAreConfigured: New refuses what no challenge could carry.
func TestAnswersAreConfigured(t *testing.T) {
	for name, c := range map[string]struct {
		cfg  verifier.Config
		want string
	}{
		"realm":              {verifier.Config{Realm: " !#[]~"}, ""},
		"realm of controls":  {verifier.Config{Realm: "a\x1fb"}, "Config.Realm"},
		"realm of a delete":  {verifier.Config{Realm: "a\x7fb"}, "Config.Realm"},
		"realm of quotes":    {verifier.Config{Realm: `a"b`}, "Config.Realm"},
		"realm of slashes":   {verifier.Config{Realm: `a\b`}, "Config.Realm"},
		"scope":              {verifier.Config{ChallengeScope: "a b"}, ""},
		"scope of quotes":    {verifier.Config{ChallengeScope: `a"b`}, "Config.ChallengeScope"},
		"URL":                {verifier.Config{ResourceMetadataURL: "https://api.example/m"}, ""},
		"URL of localhost":   {verifier.Config{ResourceMetadataURL: "http://localhost:80/m"}, ""},
		"URL of loopback":    {verifier.Config{ResourceMetadataURL: "http://127.0.0.2/m"}, ""},
		"URL of loopback 6":  {verifier.Config{ResourceMetadataURL: "http://[::1]/m"}, ""},
		"URL of others":      {verifier.Config{ResourceMetadataURL: "http://192.0.2.1/m"}, "Config.ResourceMetadataURL"},
		"URL of another":     {verifier.Config{ResourceMetadataURL: "http://api.example/m"}, "Config.ResourceMetadataURL"},
		"URL of ftp":         {verifier.Config{ResourceMetadataURL: "ftp://localhost/m"}, "Config.ResourceMetadataURL"},
		"URL of no host":     {verifier.Config{ResourceMetadataURL: "https:///m"}, "Config.ResourceMetadataURL"},
		"URL of credentials": {verifier.Config{ResourceMetadataURL: "https://a@api.example/m"}, "Config.ResourceMetadataURL"},
		"URL of a fragment":  {verifier.Config{ResourceMetadataURL: "https://api.example/m#f"}, "Config.ResourceMetadataURL"},
		"URL of a quote":     {verifier.Config{ResourceMetadataURL: `https://api.example/"`}, "Config.ResourceMetadataURL"},
		"URL that is none":   {verifier.Config{ResourceMetadataURL: "https://%zz"}, "Config.ResourceMetadataURL"},
	} {
		c.cfg.Domain, c.cfg.Audience = "a.example", "api"
		v, err := verifier.New(c.cfg)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want+" ") {
			t.Errorf("%s: New = %v; want an error about %q", name, err, c.want)
		}
		if v != nil {
			_ = v.Close()
		}
	}
}

// TestChallengesOfAVerifier have what its configuration says, and Auth0Statuses
// changes no answer about outages.
func TestChallengesOfAVerifier(t *testing.T) {
	for name, c := range map[string]struct {
		cfg    verifier.Config
		status int // of a request without credentials
		want   []string
		body   string
		scope  string // that is asked for after a bad token
	}{
		"defaults": {verifier.Config{}, 401, []string{`Bearer realm="api"`, `DPoP algs="ES256"`}, `{"message":"no access token was sent"}`, ""},
		"everything": {verifier.Config{Realm: "orders", ChallengeScope: "read", ResourceMetadataURL: "https://api.example/m", DPoP: verifier.DPoPConfig{Algorithms: []string{"EdDSA", "ES256"}}}, 401, []string{
			`Bearer realm="orders", scope="read", resource_metadata="https://api.example/m"`, `DPoP scope="read", algs="EdDSA ES256", resource_metadata="https://api.example/m"`,
		}, `{"message":"no access token was sent"}`, `, scope="read", `},
		"of Auth0": {verifier.Config{ChallengeScope: "read", Auth0Statuses: true}, 400, []string{`Bearer realm="api"`, `DPoP algs="ES256"`}, `{"error":"invalid_request","error_description":"no access token was sent"}`, `, scope="read"`},
	} {
		c.cfg.Issuers, c.cfg.Audience = []verifier.Issuer{{Name: "https://a.example", Keys: verifier.KeysFrom(&noFetcher{})}}, "api"
		j := newCourt(t, c.cfg)
		_, err := j.VerifyRequest(t.Context(), verifier.Request{Method: "GET", URL: "https://api.example/"})
		w := httptest.NewRecorder()
		verifier.WriteError(w, err)
		if w.Code != c.status || !slices.Equal(w.Result().Header["Www-Authenticate"], c.want) {
			t.Errorf("%s: %d %q; want %d %q", name, w.Code, w.Result().Header["Www-Authenticate"], c.status, c.want)
		}
		if body := strings.TrimSpace(w.Body.String()); body != c.body {
			t.Errorf("%s: %s; want %s", name, body, c.body)
		}
		var e *verifier.Error
		_, err = j.VerifyRequest(t.Context(), bearer("x"))
		if !errors.As(err, &e) || e.Status != 401 || len(e.Challenges()) != 2 || !strings.HasPrefix(e.Challenges()[0], `Bearer error="invalid_token", `) || !strings.Contains(e.Challenges()[0]+" ", c.scope) || strings.Contains(e.Challenges()[0], "scope") != (c.scope != "") {
			t.Errorf("%s: a bad token: %q; want %q in the first", name, e.Challenges(), c.scope)
		}
		if _, err := j.VerifyRequest(t.Context(), verifier.Request{Method: "GET", URL: "https://api.example/", Header: http.Header{"Authorization": {"Bearer " + j.token("", nil)}}}); !errors.As(err, &e) || e.Status != 503 || e.Code != verifier.CodeNone {
			t.Errorf("%s: an outage is %v; want 503 without code", name, err)
		}
	}
}

// TestUmbrellaErrors: each error matches exactly one.
func TestUmbrellaErrors(t *testing.T) {
	all := []error{
		verifier.ErrNoCredentials, verifier.ErrInvalidRequest, verifier.ErrInvalidToken, verifier.ErrInvalidDPoPProof, verifier.ErrUseDPoPNonce,
		verifier.ErrInsufficientScope, verifier.ErrInsufficientAuthentication, verifier.ErrUnavailable, verifier.ErrArgument,
	}
	for name, c := range map[string]struct {
		err  *verifier.Error
		want error
	}{
		"nothing":            {&verifier.Error{}, verifier.ErrNoCredentials},
		"no credentials":     {&verifier.Error{Reason: reason.NoCredentials, Status: 401}, verifier.ErrNoCredentials},
		"a request":          {&verifier.Error{Code: verifier.CodeInvalidRequest}, verifier.ErrInvalidRequest},
		"a token":            {&verifier.Error{Code: verifier.CodeInvalidToken}, verifier.ErrInvalidToken},
		"a proof":            {&verifier.Error{Code: verifier.CodeInvalidDPoPProof}, verifier.ErrInvalidDPoPProof},
		"a nonce":            {&verifier.Error{Code: verifier.CodeUseDPoPNonce}, verifier.ErrUseDPoPNonce},
		"a scope":            {&verifier.Error{Code: verifier.CodeInsufficientScope}, verifier.ErrInsufficientScope},
		"an authentication":  {&verifier.Error{Code: verifier.CodeInsufficientUserAuthentication}, verifier.ErrInsufficientAuthentication},
		"an outage":          {&verifier.Error{Code: verifier.CodeInvalidToken, Status: 503}, verifier.ErrUnavailable},
		"an argument":        {&verifier.Error{Reason: reason.Argument}, verifier.ErrArgument},
		"a mistake":          {&verifier.Error{Code: verifier.CodeInvalidToken, Status: 500}, verifier.ErrArgument},
		"a reason's code":    {&verifier.Error{Reason: reason.Expired, Code: verifier.CodeInvalidRequest}, verifier.ErrInvalidToken},
		"a reason of nobody": {&verifier.Error{Reason: "mine", Code: verifier.CodeInvalidRequest}, verifier.ErrInvalidRequest},
	} {
		for _, umbrella := range all {
			if got := errors.Is(c.err, umbrella); got != (umbrella == c.want) {
				t.Errorf("%s: %v is %v", name, umbrella, got)
			}
		}
		if c.err.Is(nil) {
			t.Errorf("%s: matches nil", name)
		}
		if got := errors.Is(c.err, verifier.ErrExpired); got != (c.err.Reason == reason.Expired) {
			t.Errorf("%s: ErrExpired is %v", name, got)
		}
	}
}

// TestTextsOfErrors have the claim and the limit.
func TestTextsOfErrors(t *testing.T) {
	for want, e := range map[string]verifier.Error{
		"verifier: d":                          {Description: "d"},
		"verifier: d (sub)":                    {Description: "d", Claim: "sub"},
		"verifier: d (more than 1 bytes)":      {Description: "d", Limit: 1},
		"verifier: d (x) (more than 10 bytes)": {Description: "d", Claim: "x", Limit: 10},
	} {
		if got := e.Error(); got != want {
			t.Errorf("%q; want %q", got, want)
		}
	}
}
