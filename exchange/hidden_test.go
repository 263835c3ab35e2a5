package exchange_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/portcullis-go/portcullis/exchange"
)

const marker = "must-not-be-seen"

// TestHidden: whatever prints, logs or marshals a configuration, a request, a
// result or a client, no token and no secret comes out.
func TestHidden(t *testing.T) {
	seal := []byte(marker + "-0123456789abcdef")[:32]
	extra, header := url.Values{"x": {marker}}, http.Header{"X": {marker}}
	key := newKey(t, "ES256")
	config := exchange.Config{
		Domain: domain, ClientID: clientID, Auth: exchange.ClientSecretBasic(marker), SealKeys: [][]byte{seal},
		DPoPKey: key, Doer: answering(200, `{"access_token":"`+marker+`","id_token":"`+marker+`"}`),
	}
	config.SealKeys = nil
	client, err := exchange.New(config)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	config.SealKeys = [][]byte{seal}
	token := exchange.Token{AccessToken: marker, Scope: marker}
	tokens := exchange.Tokens{Token: token, IDToken: marker, RefreshToken: marker}
	profile := exchange.ProfileRequest{SubjectToken: marker, ActorToken: marker, Extra: extra, Header: header}
	behalf := exchange.OnBehalfOfRequest{AccessToken: marker, ActorToken: marker, Extra: extra, Header: header}
	vault := exchange.ConnectionRequest{AccessToken: marker, RefreshToken: marker, Extra: extra, Header: header}
	assertion := exchange.PrivateKeyJWTConfig{Key: key, KeyID: marker}
	keyOf := exchange.SigningKey{Key: key, KeyID: marker}
	grant := exchange.IDJAGRequest{SubjectToken: marker, Extra: extra, Header: header}
	bearer := exchange.JWTBearerRequest{Assertion: marker, Extra: extra, Header: header}
	source, err := client.TokenSource(exchange.OnBehalfOfRequest{Audience: marker, Extra: extra, Header: header})
	if err != nil {
		t.Fatal(err)
	}
	transport, err := source.Transport(http.DefaultTransport, "https://backend.example")
	if err != nil {
		t.Fatal(err)
	}
	values := []any{
		keyOf, &keyOf, grant, &grant, bearer, &bearer, source, transport,
		exchange.ClientSecretBasicFrom(constant(marker)), exchange.ClientSecretPostFrom(constant(marker)), exchange.ClientAssertion(constant(marker), marker),
		config, &config, client, token, &token, tokens, &tokens, profile, &profile, behalf, &behalf, vault, &vault, assertion, &assertion,
		exchange.ClientSecretBasic(marker), exchange.ClientSecretPost(marker), exchange.MutualTLS(), exchange.PrivateKeyJWT(assertion),
	}
	if text := fmt.Sprint(exchange.ContextWithSubject(t.Context(), marker)); strings.Contains(text, marker) {
		t.Errorf("a context shows the caller's token: %s", text)
	}
	for _, value := range values {
		for name, text := range printed(value) {
			if strings.Contains(text, marker) || strings.Contains(text, fmt.Sprintf("%x", marker)) || strings.Contains(text, fmt.Sprintf("%X", marker)) {
				t.Errorf("%s of %T shows a secret: %s", name, value, text)
			}
		}
		if data, err := json.Marshal(value); err == nil {
			t.Errorf("json.Marshal(%T) = %s", value, data)
		}
		if data, err := xml.Marshal(value); err == nil && strings.Contains(string(data), marker) {
			t.Errorf("xml.Marshal(%T) = %s", value, data)
		}
	}
}

// printed returns what the usual ways of printing make of a value, alone and in
// other values.
func printed(value any) map[string]string {
	texts := make(map[string]string)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%X", "%T %[1]v"} {
		texts[verb] = fmt.Sprintf(verb, value)
		texts["slice "+verb] = fmt.Sprintf(verb, []any{value})
		texts["map "+verb] = fmt.Sprintf(verb, map[string]any{"k": value})
		texts["struct "+verb] = fmt.Sprintf(verb, struct{ V any }{value})
	}
	for name, handler := range map[string]func(*bytes.Buffer) slog.Handler{
		"slog text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
		"slog json": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
	} {
		var b bytes.Buffer
		logger := slog.New(handler(&b))
		logger.Info("x", "v", value)
		logger.Info("x", slog.Any("in", []any{value}))
		logger.Info("x", slog.Any("in", struct{ V any }{value}))
		texts[name] = b.String()
	}
	if stringer, ok := value.(fmt.Stringer); ok {
		texts["String"] = stringer.String()
	}
	return texts
}

// TestErrorsHideWhatWasSent in every place that a request or configuration has.
func TestErrorsHideWhatWasSent(t *testing.T) {
	c := answering(400, `{"error":"`+marker+`"}`).client(t, func(cfg *exchange.Config) { cfg.Auth = exchange.ClientSecretBasic(marker) })
	requests := []exchange.ProfileRequest{
		{SubjectToken: " " + marker, SubjectTokenType: "t"},
		{SubjectToken: "Bearer " + marker, SubjectTokenType: "t"},
		{SubjectToken: "s", SubjectTokenType: "t", ActorToken: marker + " ", ActorTokenType: "t"},
		{SubjectToken: "s", SubjectTokenType: "t", Resource: []string{marker}},
		{SubjectToken: "s", SubjectTokenType: "t", Domain: marker},
		{SubjectToken: "s", SubjectTokenType: "t", Extra: url.Values{marker: make([]string, 30)}},
		{SubjectToken: "s", SubjectTokenType: "t", Header: http.Header{marker + " ": {"x"}}},
		{SubjectToken: "s", SubjectTokenType: "t", Header: http.Header{"X": {marker + "\n"}}},
		{SubjectToken: marker, SubjectTokenType: "t"},
		{SubjectToken: "s", SubjectTokenType: "t"}, // the code is the secret
	}
	for i, r := range requests {
		_, err := c.ExchangeProfile(t.Context(), r)
		if err == nil {
			t.Errorf("%d: no error", i)
			continue
		}
		for name, text := range printed(err) {
			if strings.Contains(text, marker) {
				t.Errorf("%d: %s shows what was sent: %s", i, name, text)
			}
		}
	}
	_, err := exchange.New(exchange.Config{Domain: marker + " x", ClientID: clientID, Auth: exchange.ClientSecretBasic(marker)})
	if err == nil || strings.Contains(fmt.Sprintf("%+v %#v", err, err), marker) {
		t.Errorf("New() = %v", err)
	}
}
