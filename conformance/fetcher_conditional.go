package conformance

import (
	"fmt"
	"strings"

	"github.com/portcullis-go/portcullis/verifier"
)

// fetcherConditional are checks of requests with an ETag, of every shape.
func fetcherConditional() []Check[KeyFetcherHarness] {
	const (
		current  = "NotModified: the set the caller holds under KeyRequest.ETag is current."
		states   = "Issuer as the source states it, byte by byte (for OIDC discovery the \"issuer\" member): one of the exact spellings of the issuer in the configuration."
		modified = "An answer with NotModified states the issuer as a full one does, and the ETag of the set if the source gives one."
	)
	return []Check[KeyFetcherHarness]{
		fetcherCheck("not-modified-is-for-no-other-etag", current, fetcherOtherTags),
		fetcherCheck("not-modified-is-for-no-other-issuer", current, fetcherOtherIssuer),
		fetcherCheck("not-modified-states-the-issuer", modified, fetcherStatesAgain),
		fetcherCheck("etag-changes-with-the-set", current, fetcherTagChanges),
		fetcherCheck("every-change-is-seen", "Every call asks the source (or states why not with Freshness); caching is the Verifier's work.", fetcherEveryChange),
		fetcherCheck("a-changed-statement-is-passed-on", states, fetcherRestates),
	}
}

// tagged is the set of the first issuer, if its source gives ETags.
func (c *fetcherCase) tagged() (verifier.KeySet, error) {
	set, err := c.full(c.h.Issuers[0])
	if err == nil && set.ETag == "" {
		err = skip("the source gives no ETag")
	}
	return set, err
}

// fetcherOtherTags are near that of the set and are not it, even weakly.
func fetcherOtherTags(c *fetcherCase) error {
	set, err := c.tagged()
	if err != nil {
		return err
	}
	inner := strings.Trim(strings.TrimPrefix(set.ETag, "W/"), `"`)
	if inner == "" {
		return skip("the source's ETag is empty")
	}
	for _, other := range []string{
		inner + "x", "x" + inner, inner[:len(inner)-1], inner[1:], inner + "-gzip", "", inner + " ", inner + inner, inner[:len(inner)-1] + "~", "~" + inner[1:],
	} {
		for _, etag := range []string{`"` + other + `"`, `W/"` + other + `"`} {
			if etag == set.ETag {
				continue
			}
			again, err := c.fetch(c.ctx, c.h.Issuers[0], etag)
			if err == nil && again.NotModified {
				return fmt.Errorf("FetchKeys with the ETag %s, where the set has %s = NotModified; want the set", etag, set.ETag)
			}
			if err == nil && !sameKeys(again, set) {
				return fmt.Errorf("FetchKeys with an ETag that the set has not = %s; want the set", show(again.JWKS))
			}
		}
	}
	return nil
}

// fetcherOtherIssuer asks each issuer with the ETag of another one.
func fetcherOtherIssuer(c *fetcherCase) error {
	if len(c.h.Issuers) < 2 {
		return skip("the harness has one issuer only")
	}
	sets := make(map[string]verifier.KeySet)
	err := c.each(func(issuer string, set verifier.KeySet) error {
		sets[issuer] = set
		return nil
	})
	if err != nil {
		return err
	}
	for _, issuer := range c.h.Issuers {
		for _, other := range c.h.Issuers {
			etag := sets[other].ETag
			if etag == "" || etag == sets[issuer].ETag {
				continue
			}
			set, err := c.fetch(c.ctx, issuer, etag)
			if err == nil && (set.NotModified || !sameKeys(set, sets[issuer])) {
				return fmt.Errorf("FetchKeys(%s) with the ETag of %s = %s (NotModified: %v); want the set", issuer, other, show(set.JWKS), set.NotModified)
			}
		}
	}
	return nil
}

func fetcherStatesAgain(c *fetcherCase) error {
	for _, issuer := range c.h.Issuers {
		set, err := c.full(issuer)
		if err != nil {
			return err
		}
		again, err := c.fetch(c.ctx, issuer, set.ETag)
		if set.ETag == "" || err != nil || !again.NotModified {
			continue
		}
		if again.Issuer != set.Issuer {
			return fmt.Errorf("FetchKeys(%s) with the ETag it gave = NotModified of %q; want the statement %q as before", issuer, again.Issuer, set.Issuer)
		}
		if again.ETag != "" && strings.TrimPrefix(again.ETag, "W/") != strings.TrimPrefix(set.ETag, "W/") {
			return fmt.Errorf("FetchKeys(%s) with the ETag %s = NotModified with the ETag %s; want the same, or none", issuer, set.ETag, again.ETag)
		}
	}
	return nil
}

// fetcherTagChanges wants another ETag for another set, and none of the old
// ones to be current again.
func fetcherTagChanges(c *fetcherCase) error {
	if c.h.Rotate == nil {
		return skip("the harness has no Rotate to change the keys at the source")
	}
	before, err := c.tagged()
	if err != nil {
		return err
	}
	if err := c.h.Rotate(); err != nil {
		return fmt.Errorf("the harness's Rotate = %w; want nil", err)
	}
	after, err := c.full(c.h.Issuers[0])
	if err != nil {
		return err
	}
	if sameKeys(after, before) {
		return skip("the change was not seen, which is another check's finding")
	}
	if after.ETag == before.ETag {
		return fmt.Errorf("the ETag of another set is %s as before; want another one", after.ETag)
	}
	for _, etag := range []string{before.ETag, after.ETag, before.ETag} {
		set, err := c.fetch(c.ctx, c.h.Issuers[0], etag)
		switch {
		case err != nil:
			return fmt.Errorf("FetchKeys with the ETag of one of two sets = %w; want nil", err)
		case etag == before.ETag && (set.NotModified || !sameKeys(set, after)):
			return fmt.Errorf("FetchKeys with the ETag of the set before = %s (NotModified: %v); want the set of now", show(set.JWKS), set.NotModified)
		case etag == after.ETag && !set.NotModified && !sameKeys(set, after):
			return fmt.Errorf("FetchKeys with the ETag of the set of now = another set; want NotModified or the set")
		}
	}
	return nil
}

// fetcherEveryChange changes the keys several times, and compares the answers,
// with and without an ETag, with those of a fresh fetcher.
func fetcherEveryChange(c *fetcherCase) error {
	if c.h.Rotate == nil {
		return skip("the harness has no Rotate to change the keys at the source")
	}
	last, err := c.full(c.h.Issuers[0])
	if err != nil {
		return err
	}
	for round := range 6 {
		for range round % 3 {
			if _, err := c.full(c.h.Issuers[0]); err != nil {
				return err
			}
		}
		if err := c.h.Rotate(); err != nil {
			return fmt.Errorf("the harness's Rotate = %w; want nil", err)
		}
		fresh, err := newFetcherCase(c.env, c.h)
		if err != nil {
			return err
		}
		want, err := fresh.full(c.h.Issuers[0])
		if err != nil {
			return err
		}
		etag := ""
		if round%2 == 1 {
			etag = last.ETag
		}
		set, err := c.fetch(c.ctx, c.h.Issuers[0], etag)
		stale := set.NotModified && !sameKeys(last, want) || !set.NotModified && !sameKeys(set, want)
		switch {
		case err != nil:
			return fmt.Errorf("FetchKeys after change number %d = %w; want the new keys", round+1, err)
		case stale && states(last.Freshness, set.Freshness):
			return nil // it is an older answer, and says so
		case stale && round == 0:
			return skip("the first change was not seen, which is another check's finding")
		case stale:
			return fmt.Errorf("FetchKeys after change number %d = older keys than those of a fresh fetcher (NotModified: %v); want the new ones each time", round+1, set.NotModified)
		}
		last = set
		if set.NotModified {
			last = want
		}
	}
	return nil
}

// fetcherRestates lets the source state another name. The Verifier compares the
// statement with the issuer that it asked for; a fetcher must not mend it.
func fetcherRestates(c *fetcherCase) error {
	if c.h.Restate == nil {
		return skip("the harness has no Restate to make the source state another issuer")
	}
	before, err := c.full(c.h.Issuers[0])
	if err != nil {
		return err
	}
	name, restore, err := c.h.Restate()
	if err != nil {
		return fmt.Errorf("the harness's Restate = %w; want nil", err)
	}
	c.env.Cleanup(restore)
	for _, etag := range []string{"", before.ETag} {
		set, err := c.fetch(c.ctx, c.h.Issuers[0], etag)
		bare := func(issuer string) string { return strings.TrimSuffix(issuer, "/") }
		if err == nil && bare(set.Issuer) != bare(name) && !states(before.Freshness, set.Freshness) {
			return fmt.Errorf("FetchKeys(%s), of which the source states %q now = %q; want what it states, or an error", c.h.Issuers[0], name, set.Issuer)
		}
	}
	return nil
}
