package verifier_test

import (
	"path"
	"slices"
	"strings"
)

// parityDifferences are all the reasons for which an outcome may differ from
// the recording, by rule or by id (a glob), with what justifies it.
// docs/differences.md explains them.
var parityDifferences = []struct {
	ids       []string
	systemic  string // or a tag of the vectors
	quirk     string // or a part of the vector's own remark that the recording is wrong
	justified string
}{
	{ids: []string{"cache.ttl-zero", "config.ttl-zero"}, justified: "DESIGN 4: a freshness of less than a second is refused by New"},
	{systemic: "R3", justified: "DESIGN 6: an outage is 503, never 401"},
	{systemic: "R4", justified: "DESIGN 6: a mistake of the calling program is not the client's 400"},
	{quirk: "typ is never checked", justified: "RFC 8725 3.11: explicit typing"},
	{quirk: "crit", justified: "RFC 7515 4.1.11: crit is refused"},
	{quirk: "RFC 7519", justified: "RFC 7519 4.1: registered claims have their types"},
	{quirk: "truncated to whole seconds", justified: "RFC 7519 4.1.4: exp may have a fraction"},
	{quirk: "NaN", justified: "RFC 8259 6: NaN is no JSON number"},
	{quirk: "1e400", justified: "RFC 8259 6: a number of any size is clamped"},
	{quirk: "iat of the wrong type", justified: "RFC 7519 4.1.6: a NumericDate"},
	{quirk: "nbf", justified: "RFC 7519 4.1.5: nbf is checked"},
	{quirk: "kid", justified: "RFC 7515 4.1.4: kid is a string; DESIGN 4: keys by kid, kty, use and alg"},
	{quirk: "lenient", justified: "RFC 7515 2: strict base64url"},
	{quirk: "base64url", justified: "RFC 7515 2: strict base64url"},
	{quirk: "padded", justified: "RFC 7515 2: base64url without padding"},
	{quirk: "b'", justified: "RFC 7515 3.1: three base64url parts"},
	{quirk: "value is null", justified: "DESIGN 3: a required claim has a value"},
	{quirk: "private", justified: "RFC 9449 4.3-7: no private key material"},
	{quirk: "coordinates", justified: "RFC 7518 6.2.1.2: coordinates of full length"},
	{quirk: "own alg", justified: "RFC 8725 3.1: one algorithm per key"},
	{quirk: "alg in the JWK", justified: "RFC 8725 3.1: one algorithm per key"},
	{quirk: "negative dpop_iat_offset", justified: "DESIGN 5: a window that refuses everything is refused by New"},
	{quirk: "case-insensitively", justified: "RFC 9110 9.1: methods are case-sensitive"},
	{quirk: "not supported: ValueError", justified: "RFC 7638 3.2: thumbprints of every key type"},
	{quirk: "DPoP disabled", justified: "RFC 9449 7.2: a bound token is never a Bearer token"},
	{quirk: "merged, last wins", justified: "RFC 9449 7.2: one Authorization line"},
	{quirk: "different spelling", justified: "RFC 9449 4.3-1: one DPoP line"},
	{quirk: "whitespace separates", justified: "RFC 9110 11.4: space after the scheme"},
	{quirk: "mTLS-bound", justified: "RFC 8705 3: the certificate is checked"},
	{quirk: "copied int", justified: "DESIGN 6: an outage is 503"},
	{quirk: "https://https://", justified: "DESIGN 3: an issuer is one https URL"},
	{quirk: "plain-http jwks_uri", justified: "RFC 8414 2: https only"},
	{quirk: "unnormalised", justified: "DESIGN 3: domains are normalised"},
	{quirk: "given as https", justified: "DESIGN 3: domains are normalised"},
	{quirk: "configured domain", justified: "DESIGN 2: New refuses an invalid domain"},
	{quirk: "malformed JWKS", justified: "RFC 7517 5: a key that is not understood is skipped"},
	{quirk: "2048", justified: "RFC 7518 3.3: RSA keys of 2048 bits or more"},
	{quirk: "no-store", justified: "RFC 9111 5.2.2.5: no-store is honoured"},
	{quirk: "failed fetch is not shared", justified: "DESIGN 4: one flight for all waiters"},
	{quirk: "TTL 0", justified: "DESIGN 4: one flight for all waiters"},
	{quirk: "shared adapter", justified: "DESIGN 10: namespaced cache keys"},
	{quirk: "no limit on the depth", justified: "DESIGN 3: bounded depth"},
	{quirk: "no valid host name", justified: "RFC 3986 3.2.2: hosts and ports are valid"},
	{quirk: "IDN hosts", justified: "RFC 5890: hosts are given as A-labels"},
	{quirk: "every occurrence of 'https://'", justified: "RFC 3986 3: one scheme"},
	{quirk: "no host at all", justified: "RFC 3986 3.2.2: a host is needed"},
	{quirk: "RFC 9111", justified: "RFC 9111: the grammar of Cache-Control"},
	{quirk: "commas inside quoted strings", justified: "RFC 9111 5.2: quoted strings are one value"},
	{quirk: "plain mapping", justified: "RFC 9110 5.1: field names have no case"},
	{quirk: "percent-encoded unreserved", justified: "RFC 3986 6.2.2.2: unreserved characters are decoded"},
	{quirk: "credentials in the URL", justified: "RFC 9110 4.2.4: no credentials in http URLs"},
	{quirk: "WHATWG", justified: "DESIGN 5: no repairs of malformed URLs"},
	{quirk: "non-http scheme", justified: "DESIGN 5: only http and https"},
	{quirk: "two different hosts", justified: "DESIGN 5: only http and https"},
	{quirk: "identical but relative", justified: "DESIGN 6: a mistake of the calling program"},
	{quirk: "relative http_url", justified: "DESIGN 6: a mistake of the calling program"},
	{quirk: "blank audience", justified: "DESIGN 2: New refuses a blank audience"},
	{quirk: "invalid domain is accepted at construction", justified: "DESIGN 2: New refuses an invalid domain"},
	{quirk: "booleans count", justified: "Go's types"},
	{ids: []string{"cache.lru-eviction"}, justified: "DESIGN 4: issuers of a fixed list are never evicted"},
	{ids: []string{"bearer.kid.missing"}, justified: "DESIGN 10: a token without kid is accepted when one key fits"},
	{ids: []string{"bearer.shape.empty", "bearer.shape.absent"}, justified: "RFC 6750 3.1: an empty token is a malformed one"},
	{ids: []string{"*duplicate*"}, justified: "RFC 7519 4: duplicate names are refused"},
	{ids: []string{"dpop.typ.application-prefix"}, justified: "RFC 7515 4.1.9: application/ may be written"},
	{ids: []string{"t.verify_dpop_proof_fail_no_*"}, justified: "DESIGN 6: the codes of a bad proof; a mistake of the calling program"},
	{ids: []string{"request.split.token-trailing-space"}, justified: "RFC 9110 5.5: white space around a field value is not part of it"},
	{ids: []string{"request.split.two-bearers-comma"}, justified: "DESIGN 6: several credentials are 400"},
	{ids: []string{"domains.list.discovery-other-allowed-issuer", "t.mcd_first_issuer_validation"}, justified: "DESIGN 4: metadata of another issuer is an outage"},
	{ids: []string{"domains.list.idn-iss", "normalize_domain.zero-width-space"}, justified: "RFC 5890: hosts are given as A-labels"},
	{ids: []string{"domains.resolver.*", "t.*resolver*"}, justified: "DESIGN 6: a failing resolver is 503"},
	{ids: []string{"discovery.jwks-uri-other-host", "cache.mcd-shared-jwks-uri"}, justified: "DESIGN 4: jwks_uri is on the issuer's host or an allowed one"},
	{ids: []string{"cache.shared-adapter-one-pool"}, justified: "DESIGN 4: documents are bounded by issuer, not by a shared pool"},
	{ids: []string{"cache_control.header-lowercase-preferred"}, justified: "RFC 9110 5.1: field names have no case"},
	{ids: []string{"htu.match.pct-*", "htu.match.ipv4-*", "htu.match.idn-*", "htu.match.unparsable-*"}, justified: "DESIGN 5: valid ASCII URLs without repairs"},
	{ids: []string{"config.client-id-without-domain", "t.mcd_init_client_id_requires_domain*"}, justified: "DESIGN 3: client credentials are exchange.Config's"},
	{ids: []string{"config.max-entries-one", "t.cache_config_validation*"}, justified: "DESIGN 4: one issuer is a fine bound"},
}

// parityDifference says why a vector may differ, or "".
func parityDifference(v *parityVector) string {
	for _, d := range parityDifferences {
		byID := slices.ContainsFunc(d.ids, func(glob string) bool {
			match, err := path.Match(glob, v.ID)
			return err == nil && match
		})
		bySystem := d.systemic != "" && slices.Contains(v.QuirkSystemic, d.systemic)
		byQuirk := d.quirk != "" && strings.Contains(v.Quirk, d.quirk)
		if byID || bySystem || byQuirk {
			return d.justified
		}
	}
	return ""
}
