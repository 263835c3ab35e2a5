package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/portcullis-go/portcullis/integration/forwardauth"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

func TestTheTableIsUpToDate(t *testing.T) {
	page, err := os.ReadFile("../../docs/dpop-behind-proxies.md")
	if err != nil {
		t.Fatal(err)
	}
	all, err := read("../..")
	if err != nil {
		t.Fatal(err)
	}
	got, err := replace(page, table(all))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, page) {
		t.Error("docs/dpop-behind-proxies.md is out of date; run go generate ./tools/proxiesdoc")
	}
}

// TestByHand sends what the proxies that are not run here send, as their vendors'
// pages say, to a Verifier with the settings of the table.
func TestByHand(t *testing.T) {
	all, err := read("../..")
	if err != nil {
		t.Fatal(err)
	}
	sent := 0
	for _, c := range all {
		for _, fields := range c.sends {
			sent++
			t.Run(c.path+", "+fields, func(t *testing.T) { send(t, &c, fields) })
		}
	}
	if sent < 5 {
		t.Errorf("%d requests; want those of all configurations that are checked by hand", sent)
	}
}

func send(t *testing.T, c *configuration, fields string) {
	const audience = "https://api.example.com"
	issuer := verifiertest.NewIssuer(t)
	client := verifiertest.NewDPoPClient(t, nil, "")
	token := issuer.Sign(audience, map[string]any{"cnf": client.Confirmation()})
	prefix := netip.MustParsePrefix(c.trusted)
	cfg := issuer.Config(audience)
	cfg.TrustedProxies, cfg.ProxyFields = []netip.Prefix{prefix}, strings.Fields(c.fields)
	v, err := verifier.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()

	target := "/orders"
	header := http.Header{}
	for field := range strings.SplitSeq(fields, " | ") {
		name, value, _ := strings.Cut(field, ": ")
		if name == ":path" {
			target = value
			continue
		}
		header.Add(name, value)
	}
	r := httptest.NewRequest(http.MethodGet, target, nil)
	r.Host, r.Header, r.RemoteAddr = header.Get("Host"), header, netip.AddrPortFrom(prefix.Addr().Next(), 4711).String()
	r.Header.Set("Authorization", "DPoP "+token)
	r.Header.Set("DPoP", client.Proof(http.MethodGet, audience+"/orders", token))
	if c.forwardAuth == "" {
		if _, err := v.VerifyHTTPRequest(r); err != nil {
			t.Errorf("refused: %v", err)
		}
		return
	}
	proxy := map[string]forwardauth.Proxy{
		`forwardauth.Traefik()`: forwardauth.Traefik(), `forwardauth.Envoy("/authorize")`: forwardauth.Envoy("/authorize"),
	}[c.forwardAuth]
	h, err := forwardauth.New(forwardauth.Config{Verifier: v, Proxy: proxy})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Errorf("%d %s; want 200", w.Code, w.Body)
	}
}

func TestParseRefusesWhatIsIncomplete(t *testing.T) {
	const good = "# Proxy: p\n# Checked: by hand, page\n# TrustedProxies: 10.0.0.0/8\n# ProxyFields: Forwarded\n# ClientCertificate: none\n# Note: n\n# Sends: Host: h\n"
	if _, err := parse("p", good+"text\n# Note: later\n"); err != nil {
		t.Error(err)
	}
	for line := range strings.Lines(good) {
		if _, err := parse("p", strings.Replace(good, line, "", 1)); err == nil {
			t.Errorf("without %q: no error", line)
		}
	}
}
