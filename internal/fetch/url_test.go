package fetch_test

import (
	"net/netip"
	"testing"

	"github.com/portcullis-go/portcullis/internal/fetch"
)

func TestHTTPIsAllowedOnPurpose(t *testing.T) {
	listed := fetch.NewHTTP("Keycloak.internal", "op.internal:8080", "10.0.0.7")
	for raw, want := range map[string]bool{
		"http://localhost/": true, "http://LOCALHOST:8080/x": true, "http://127.0.0.1/": true, "http://127.9.9.9:1/": true, "http://[::1]:8080/": true, "http://[::ffff:127.0.0.1]/": true,
		"http://keycloak.internal/": true, "http://KEYCLOAK.internal:9/": true, "http://op.internal:8080/": true, "http://op.internal/": false, "http://op.internal:80/": false, "http://10.0.0.7/": true,
		"http://a.localhost/": false, "http://localhost.example/": false, "http://localhost./": false, "http://10.0.0.8/": false, "http://0.0.0.0/": false, "http://[::]/": false,
		"http://x@localhost/": false, "http://localhost/#f": false, "http:localhost": false, "ftp://localhost/": false, "http://": false, "https://a.example/": true, "http://2130706433/": false,
	} {
		if _, err := listed.Check(raw); (err == nil) != want {
			t.Errorf("Check(%q): %v; want it taken: %v", raw, err, want)
		}
	}
	if _, err := (*fetch.HTTP)(nil).Check("http://localhost/"); err == nil {
		t.Error("without a policy http is taken")
	}
	for _, c := range []struct {
		from, to string
		want     bool
	}{
		{"http://localhost/a", "http://localhost/b", true}, {"http://localhost/a", "https://a.example/", true}, {"https://a.example/", "https://b.example/", true},
		{"https://a.example/", "http://localhost/b", false}, {"https://localhost/", "http://localhost/b", false}, {"http://localhost/", "http://a.example/", false}, {"", "http://localhost/", false},
	} {
		if _, err := listed.CheckLink(c.from, c.to); (err == nil) != c.want {
			t.Errorf("CheckLink(%q, %q): %v; want it taken: %v", c.from, c.to, err, c.want)
		}
	}
}

func TestPublic(t *testing.T) {
	for _, text := range []string{"8.8.8.8", "1.1.1.1", "172.15.255.255", "172.32.0.0", "100.63.255.255", "100.128.0.0", "192.0.1.0", "198.17.255.255", "223.255.255.255", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2606:4700::1111", "2a00::1", "2001:4860::8888"} {
		if !fetch.Public(netip.MustParseAddr(text)) {
			t.Errorf("%s is not public", text)
		}
	}
	for _, text := range []string{
		"0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.255.255", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.9", "192.0.0.170", "192.0.2.1",
		"192.31.196.1", "192.52.193.1", "192.88.99.1", "192.168.0.1", "192.175.48.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::127.0.0.1", "::8.8.8.8", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:0:169.254.169.254", "::ffff:0:8.8.8.8", "64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b::169.254.169.254",
		"64:ff9b:1::8.8.8.8", "100::1", "100:0:0:1::1", "2001::1", "2001:2::1", "2001:10::1", "2001:20::1", "2001:1ff::1", "2001:db8::1", "2002:0808:0808::1", "2002:7f00:1::", "2620:4f:8000::1", "3fff::1", "4000::1", "5f00::1",
		"8000::1", "fc00::1", "fd00::1", "fe80::1", "fe80::1%eth0", "fec0::1", "feff::1", "ff02::1", "ff0e::1", "1fff::1", "2606:4700::1111%1",
	} {
		if fetch.Public(netip.MustParseAddr(text)) {
			t.Errorf("%s counts as public", text)
		}
	}
	if fetch.Public(netip.Addr{}) {
		t.Error("no address counts as public")
	}
}
