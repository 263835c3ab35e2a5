package fetch

import (
	"net/http"
	"net/url"
)

// maxLocation is the longest Location that is looked at, in bytes.
const maxLocation = 4 << 10

// redirected returns where a redirect leads, if it may be followed: 301, 302,
// 307 or 308 (RFC 9110, Section 15.4), with one Location, to the same scheme,
// host and port, without credentials. 303 leads to another document than the one
// that was asked for, and every other status of the class means something else.
// A fragment is dropped.
func redirected(asked *url.URL, resp *http.Response) (*url.URL, error) {
	refused := &Error{Kind: Redirect, Status: resp.StatusCode, Rule: RuleLocation}
	fields := resp.Header.Values("Location")
	var location *url.URL
	if len(fields) == 1 && fields[0] != "" && len(fields[0]) <= maxLocation {
		if reference, err := url.Parse(fields[0]); err == nil {
			location = asked.ResolveReference(reference)
			refused.Host = hostOf(location)
		}
	}
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		refused.Rule = RuleStatus
		return nil, refused
	}
	switch {
	case location == nil || location.Opaque != "":
		return nil, refused
	case location.User != nil:
		refused.Rule = RuleCredentials
		return nil, refused
	case Origin(location) != Origin(asked):
		refused.Rule = RuleOrigin
		return nil, refused
	}
	location.Fragment, location.RawFragment = "", ""
	return location, nil
}
