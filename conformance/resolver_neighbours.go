package conformance

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/portcullis-go/portcullis/verifier"
)

// resolverNeighbours are requests that are nearly those that are known.
func resolverNeighbours[H harness](r resolverRules[H]) []Check[H] {
	return []Check[H]{
		r.check("hosts-that-differ-in-one-character", allowList, resolverOneOff),
		r.check("hosts-that-begin-or-end-alike", allowList, resolverAffixes),
		r.check("issuers-that-differ-in-one-character", allowList, resolverIssuerOneOff),
		r.check("path-and-case-of-the-issuer", allowList, resolverSpellings),
	}
}

// hosted is where a request says its host.
type hosted struct {
	host string
	with func(host string) verifier.ResolveRequest
}

// hosts finds the hosts of a known request: in its URL, and in its header.
func hosts(req verifier.ResolveRequest) []hosted {
	var all []hosted
	header := requestHeader(req).Get("Host")
	if u := requestURL(req); u != nil && u.Host != "" {
		all = append(all, hosted{u.Host, func(host string) verifier.ResolveRequest {
			changed, fields := cloneURL(u), requestHeader(req).Clone()
			changed.Host = host
			if fields.Get("Host") != "" {
				fields.Set("Host", host)
			}
			return newRequest(req.UnverifiedIssuer, changed, fields)
		}})
	} else if header != "" {
		all = append(all, hosted{header, func(host string) verifier.ResolveRequest {
			fields := requestHeader(req).Clone()
			fields.Set("Host", host)
			return newRequest(req.UnverifiedIssuer, nil, fields)
		}})
	}
	return all
}

// confused wants a host to get no issuer that a stranger's host would not get
// either: a resolver that lists an issuer for all hosts, or for all of a
// domain, may.
func (c *resolverCase) confused(h hosted, issuer, fake, stranger string) error {
	lists := func(host string) bool {
		got, err := c.resolve(c.ctx, h.with(host))
		return err == nil && slices.Contains(issuerNames(got.names), issuer)
	}
	if strings.EqualFold(fake, h.host) || c.isKnownHost(fake) || !lists(fake) || lists(stranger) {
		return nil
	}
	return c.errorf("of a request to %q lists %s, which is for %q; want no issuer of another host", fake, issuer, h.host)
}

func (c *resolverCase) isKnownHost(host string) bool {
	for _, req := range c.known {
		for _, h := range hosts(req) {
			if strings.EqualFold(h.host, host) {
				return true
			}
		}
	}
	return false
}

// eachHost visits the hosts of the known requests, each with its issuer.
func (c *resolverCase) eachHost(visit func(h hosted, issuer string) error) error {
	any := false
	for _, name := range slices.Sorted(maps.Keys(c.known)) {
		issuer, _ := issuerName(name)
		for _, h := range hosts(c.known[name]) {
			any = true
			if err := visit(h, issuer); err != nil {
				return err
			}
		}
	}
	if !any {
		return skip("the harness has no Known request with a host")
	}
	return nil
}

// resolverOneOff changes each character, leaves it out, and doubles it. The
// stranger has another label there.
func resolverOneOff(c *resolverCase) error {
	return c.eachHost(func(h hosted, issuer string) error {
		for i, r := range h.host {
			if r > 0x7f {
				continue
			}
			stranger := strangeLabel(h.host, i)
			for _, other := range []string{"", "x", "0", "-", string(r) + string(r), "_"} {
				if other == string(r) {
					continue
				}
				if err := c.confused(h, issuer, h.host[:i]+other+h.host[i+1:], stranger); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// strangeLabel replaces the label around a place, or both around a dot.
func strangeLabel(host string, at int) string {
	begin := strings.LastIndexAny(host[:at], ".:") + 1
	end := len(host)
	if n := strings.IndexAny(host[at+1:], ".:"); n >= 0 {
		end = at + 1 + n
	}
	return host[:begin] + "q" + randomHex(4) + host[end:]
}

func resolverAffixes(c *resolverCase) error {
	return c.eachHost(func(h hosted, issuer string) error {
		mark := "q" + randomHex(4)
		for _, fake := range []string{
			mark + h.host, h.host + mark, mark + "." + h.host, h.host + "." + mark, mark + "-" + h.host, h.host + "-" + mark,
			h.host + "@" + mark, h.host + "/" + mark, h.host + "%00" + mark, h.host + "\x00" + mark, h.host + " " + mark, h.host + "," + mark, mark + "," + h.host, h.host + "#" + mark, h.host + "?" + mark,
		} {
			stranger := "q" + randomHex(4) + ".invalid"
			if strings.HasSuffix(fake, "."+h.host) { // may be of one domain
				stranger = fake
			}
			if err := c.confused(h, issuer, fake, stranger); err != nil {
				return err
			}
		}
		return nil
	})
}

// resolverIssuerOneOff changes each character of the token's issuer.
func resolverIssuerOneOff(c *resolverCase) error {
	if len(c.known) == 0 {
		return skip("the harness has no Known requests")
	}
	for _, name := range slices.Sorted(maps.Keys(c.known)) {
		issuer, _ := issuerName(name)
		for i := len("https://"); i < len(issuer); i++ {
			for _, other := range []string{"", "x", "-", issuer[i:i+1] + issuer[i:i+1]} {
				fake := issuer[:i] + other + issuer[i+1:]
				req := newRequest(fake, cloneURL(requestURL(c.known[name])), requestHeader(c.known[name]).Clone())
				if err := c.onlyAllowed(req, fake); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// onlyAllowed wants no issuer beyond those that the harness names.
func (c *resolverCase) onlyAllowed(req verifier.ResolveRequest, what string) error {
	got, err := c.resolve(c.ctx, req)
	if err != nil {
		return nil
	}
	allowed := c.allowed()
	for _, name := range issuerNames(got.names) {
		if _, valid := issuerName(name); valid && !slices.Contains(allowed, name) {
			return c.errorf("of a request with the issuer %q = %q; want none but those of its configuration", what, got.names)
		}
	}
	return nil
}

// resolverSpellings changes what comparisons often pass over: the case of a
// path, slashes, and a port.
func resolverSpellings(c *resolverCase) error {
	if len(c.known) == 0 {
		return skip("the harness has no Known requests")
	}
	for _, name := range slices.Sorted(maps.Keys(c.known)) {
		issuer, _ := issuerName(name)
		rest := strings.TrimPrefix(issuer, "https://")
		host, path, _ := strings.Cut(rest, "/")
		for _, fake := range []string{
			"https://" + host + "/" + strings.ToUpper(path), "https://" + host + "//" + path, "https://" + host + "/" + path + "/.", "https://" + host + "/x/../" + path,
			"https://" + host + ":8443/" + path, "https://" + host + "./" + path, "https://" + host + "/" + path + "%20", "https://" + host + "/" + path + "/",
			"https://" + host + "/%2e/" + path, "https://" + host + "/" + path + "#", "https://" + host + "/" + path + "?", "https://user@" + host + "/" + path,
			"http://" + host + "/" + path, "https:" + rest, "HTTPS://" + rest, "https://" + host + `\` + path, "https://" + host + "/" + path + "\n",
		} {
			known := c.known[name]
			header := requestHeader(known).Clone()
			if header == nil {
				header = http.Header{}
			}
			if err := c.onlyAllowed(newRequest(fake, cloneURL(requestURL(known)), header), fake); err != nil {
				return err
			}
		}
	}
	return nil
}

// resolverLookAlikes takes requests that are known, with issuers that look like
// the ones that they are known for.
func resolverLookAlikes(c *resolverCase) error {
	if len(c.known) == 0 {
		return skip("the harness has no Known requests")
	}
	mark := randomHex(8)
	for _, issuer := range slices.Sorted(maps.Keys(c.known)) {
		name, _ := issuerName(issuer)
		host := strings.TrimSuffix(strings.TrimPrefix(name, "https://"), "/")
		for _, fake := range []string{
			"https://" + host + "." + mark + ".example/", "https://" + mark + host + "/", "https://" + mark + "." + host + "/",
			"https://" + mark + ".example/" + host + "/", name + mark + "/", "https://" + host + "@" + mark + ".example/",
			"https://" + mark + ".example/?" + name, "https://" + mark + ".example/#" + name,
		} {
			req := clone(c.known[issuer])
			req.UnverifiedIssuer = fake
			if err := c.outside(req, mark, "the issuer "+fake); err != nil {
				return err
			}
		}
	}
	return nil
}
