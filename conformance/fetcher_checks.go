package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
)

func fetcherSets() []Check[KeyFetcherHarness] {
	const (
		own      = "It returns the keys of KeyRequest.Issuer only, with the source's own statement of the issuer's name or none; an unknown issuer is an error."
		document = "JWKS is the JSON Web Key Set document (RFC 7517, Section 5), at most 1 MiB."
	)
	return []Check[KeyFetcherHarness]{
		fetcherCheck("known-issuers-have-keys", own, func(c *fetcherCase) error {
			return c.each(func(string, verifier.KeySet) error { return nil })
		}),
		fetcherCheck("keys-are-a-jwks", document, fetcherDocument),
		fetcherCheck("keys-have-a-size-limit", document, func(c *fetcherCase) error {
			return c.each(func(issuer string, set verifier.KeySet) error {
				if n := len(set.JWKS); n > 1<<20 {
					return fmt.Errorf("FetchKeys(%s) = %d bytes; want at most 1 MiB", issuer, n)
				}
				return nil
			})
		}),
		fetcherCheck("keys-are-public", "It returns public keys only.", fetcherPublic),
		fetcherCheck("issuer-is-stated", "Issuer as the source states it, byte by byte (for OIDC discovery the \"issuer\" member): one of the exact spellings of the issuer in the configuration.", fetcherStates),
		fetcherCheck("keys-do-not-cross-issuers", own, fetcherCross),
		fetcherCheck("unknown-issuer-is-an-error", own, func(c *fetcherCase) error {
			return c.unknown("https://"+randomHex(8)+".invalid/", "")
		}),
		fetcherCheck("look-alike-issuers-are-unknown", own, fetcherLookAlikes),
		fetcherCheck("issuers-that-differ-in-one-character", own, fetcherOneOff),
		fetcherCheck("unknown-issuers-have-no-etag", own, fetcherUnknownTag),
		fetcherCheck("returned-bytes-are-the-callers", "The caller owns the returned bytes.", fetcherOwned),
		fetcherCheck("concurrent-answers-are-the-callers", "The caller owns the returned bytes.", fetcherOwnedTogether),
		fetcherCheck("concurrent-calls", "Safe for concurrent use.", fetcherConcurrent),
	}
}

// each visits the set of each issuer.
func (c *fetcherCase) each(visit func(issuer string, set verifier.KeySet) error) error {
	for _, issuer := range c.h.Issuers {
		set, err := c.full(issuer)
		if err != nil {
			return err
		}
		if err := visit(issuer, set); err != nil {
			return err
		}
	}
	return nil
}

func fetcherDocument(c *fetcherCase) error {
	return c.each(func(issuer string, set verifier.KeySet) error {
		var document struct {
			Keys []struct {
				KTY, N, E, CRV, X, Y string
			} `json:"keys"`
		}
		if err := json.Unmarshal(set.JWKS, &document); err != nil || len(document.Keys) == 0 {
			return fmt.Errorf("FetchKeys(%s).JWKS = %s; want a JSON object with at least one of \"keys\"", issuer, show(set.JWKS))
		}
		for i, key := range document.Keys {
			short := key.KTY == "" || key.KTY == "RSA" && (key.N == "" || key.E == "") ||
				key.KTY == "EC" && (key.CRV == "" || key.X == "" || key.Y == "") || key.KTY == "OKP" && (key.CRV == "" || key.X == "")
			if short {
				return fmt.Errorf("FetchKeys(%s): key %d lacks a member; want \"kty\" and the public key (RFC 7517, Section 4.1; RFC 7518, Section 6)", issuer, i)
			}
		}
		return nil
	})
}

func fetcherPublic(c *fetcherCase) error {
	return c.each(func(issuer string, set verifier.KeySet) error {
		for i, key := range members(set) {
			for _, secret := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"} {
				if _, ok := key[secret]; ok {
					return fmt.Errorf("FetchKeys(%s): key %d has the private member %q; want public keys", issuer, i, secret)
				}
			}
		}
		return nil
	})
}

// fetcherStates allows another spelling of the issuer, but no other issuer.
func fetcherStates(c *fetcherCase) error {
	bare := func(name string) string { return strings.ToLower(strings.TrimSuffix(name, "/")) }
	return c.each(func(issuer string, set verifier.KeySet) error {
		if bare(set.Issuer) != bare(issuer) {
			return fmt.Errorf("FetchKeys(%s).Issuer = %s; want the issuer's own statement of that name", issuer, show(set.Issuer))
		}
		return nil
	})
}

func fetcherCross(c *fetcherCase) error {
	if len(c.h.Issuers) < 2 {
		return skip("the harness has one issuer only")
	}
	owner := make(map[string]string)
	for range 2 { // the second time it may come from somewhere else
		err := c.each(func(issuer string, set verifier.KeySet) error {
			for _, thumb := range thumbs(set) {
				if other, ok := owner[thumb]; ok && other != issuer {
					return fmt.Errorf("FetchKeys(%s) has a key that FetchKeys(%s) has too; want the issuer's own", issuer, other)
				}
				owner[thumb] = issuer
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *fetcherCase) unknown(issuer, etag string) error {
	if set, err := c.fetch(c.ctx, issuer, etag); err == nil {
		return fmt.Errorf("FetchKeys(%s) = keys of %s, nil; want an error: the issuer is unknown", show(issuer), show(set.Issuer))
	}
	return nil
}

// fetcherLookAlikes are near those that are known.
func fetcherLookAlikes(c *fetcherCase) error {
	mark := randomHex(8)
	for _, issuer := range c.h.Issuers {
		if _, err := c.full(issuer); err != nil {
			return err
		}
		host := strings.Trim(strings.TrimPrefix(issuer, "https://"), "/")
		for _, fake := range []string{
			"", "https://", "https://" + strings.Split(host, ":")[0] + "." + mark + ".invalid/", "https://" + mark + "-" + strings.Split(host, ":")[0] + ".invalid/",
			"https://" + host + "@" + mark + ".invalid/", "https://" + mark + ".invalid/" + host + "/", "https://" + host + "/" + mark + "/",
			"http://" + host + "/", "https://" + host + "/../" + mark + "/",
		} {
			if slices.Contains(c.h.Issuers, fake) {
				continue
			}
			if err := c.unknown(fake, ""); err != nil {
				return err
			}
		}
	}
	return nil
}

func fetcherOwned(c *fetcherCase) error {
	issuer := c.h.Issuers[0]
	first, err := c.full(issuer)
	if err != nil {
		return err
	}
	was := first
	was.JWKS = slices.Clone(first.JWKS)
	if _, err := c.full(issuer); err != nil {
		return err
	}
	if !sameSet(first, was) {
		return fmt.Errorf("the JWKS from FetchKeys changed with the next call; want bytes that stay")
	}
	room := first.JWKS[:cap(first.JWKS)]
	for i := range room {
		room[i] = 'X'
	}
	second, err := c.full(issuer)
	if err != nil {
		return err
	}
	if !sameKeys(second, was) {
		return fmt.Errorf("FetchKeys(%s) after the JWKS from an earlier call was changed = %s; want the keys as they were", issuer, show(second.JWKS))
	}
	return nil
}

// fetcherOneOff changes one character of an issuer. Hosts are changed only
// where the name is of a domain that is for tests, as a fetcher may ask there.
func fetcherOneOff(c *fetcherCase) error {
	for _, issuer := range c.h.Issuers {
		rest := strings.TrimPrefix(issuer, "https://")
		host, _, _ := strings.Cut(rest, "/")
		begin := len("https://") + len(host) + 1
		for _, domain := range []string{".example", ".invalid", ".test"} {
			if name := strings.TrimSuffix(host, domain); name != host {
				begin = len("https://")
				for i := range len(name) {
					for _, other := range []string{"", "x", "-"} {
						if fake := issuer[:begin+i] + other + issuer[begin+i+1:]; !slices.Contains(c.h.Issuers, fake) && fake != "https://"+domain+"/" {
							if err := c.unknown(fake, ""); err != nil {
								return err
							}
						}
					}
				}
				begin += len(host) + 1
			}
		}
		for i := begin; i < len(issuer); i++ {
			for _, other := range []string{"x", "-", strings.ToUpper(issuer[i : i+1])} {
				if fake := issuer[:i] + other + issuer[i+1:]; !slices.Contains(c.h.Issuers, fake) && fake != issuer {
					if err := c.unknown(fake, ""); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

// fetcherUnknownTag asks for unknown issuers with the ETag of a known one.
func fetcherUnknownTag(c *fetcherCase) error {
	for _, issuer := range c.h.Issuers {
		set, err := c.full(issuer)
		if err != nil {
			return err
		}
		for _, etag := range []string{set.ETag, `"x"`} {
			if err := c.unknown("https://"+randomHex(8)+".invalid/", etag); err != nil {
				return err
			}
		}
	}
	return nil
}

// fetcherOwnedTogether lets all callers change what they got, and compares it
// at the end.
func fetcherOwnedTogether(c *fetcherCase) error {
	issuer := c.h.Issuers[0]
	want, err := c.full(issuer)
	if err != nil {
		return err
	}
	return together(16, func(worker int) error {
		for range 4 {
			set, err := c.full(issuer)
			if err != nil {
				return err
			}
			if !sameKeys(set, want) {
				return fmt.Errorf("FetchKeys(%s) while others change what they got = %s; want the keys as they were", issuer, show(set.JWKS))
			}
			mine := set.JWKS[:cap(set.JWKS)]
			for i := range mine {
				mine[i] = byte('a' + worker)
			}
			runtime.Gosched()
			for i := range mine {
				if mine[i] != byte('a'+worker) {
					return fmt.Errorf("the JWKS from FetchKeys(%s) is that of another caller too; want bytes that the caller owns", issuer)
				}
			}
		}
		return nil
	})
}

func fetcherConcurrent(c *fetcherCase) error {
	want := make(map[string]verifier.KeySet)
	err := c.each(func(issuer string, set verifier.KeySet) error {
		want[issuer] = set
		return nil
	})
	if err != nil {
		return err
	}
	return together(64, func(worker int) error {
		for round := range 4 {
			issuer := c.h.Issuers[(worker+round)%len(c.h.Issuers)]
			set, err := c.full(issuer)
			if err != nil {
				return err
			}
			if !sameKeys(set, want[issuer]) || set.Issuer != want[issuer].Issuer {
				return fmt.Errorf("FetchKeys(%s) beside 63 other calls = keys of %s; want those of the issuer", issuer, show(set.Issuer))
			}
		}
		return nil
	})
}

func fetcherFreshness() []Check[KeyFetcherHarness] {
	const (
		asks     = "Every call asks the source (or states why not with Freshness); caching is the Verifier's work."
		modified = "Only valid when KeyRequest.ETag was not empty."
		current  = "NotModified: the set the caller holds under KeyRequest.ETag is current."
	)
	return []Check[KeyFetcherHarness]{
		fetcherCheck("not-modified-needs-an-etag", modified, func(c *fetcherCase) error {
			for range 2 {
				set, err := c.full(c.h.Issuers[0])
				if err != nil {
					return err
				}
				if set.NotModified {
					return fmt.Errorf("FetchKeys without an ETag = NotModified; want the set")
				}
			}
			return nil
		}),
		fetcherCheck("not-modified-is-for-the-etag-given", current, func(c *fetcherCase) error {
			for _, etag := range []string{`"` + randomHex(8) + `"`, randomHex(8), `W/"` + randomHex(8) + `"`, "*"} {
				set, err := c.fetch(c.ctx, c.h.Issuers[0], etag)
				if err == nil && set.NotModified && etag != "*" {
					return fmt.Errorf("FetchKeys with an ETag that the source never gave = NotModified; want the set")
				}
			}
			return nil
		}),
		fetcherCheck("not-modified-has-no-keys", "Empty when NotModified.", func(c *fetcherCase) error {
			set, err := c.full(c.h.Issuers[0])
			if err != nil {
				return err
			}
			if set.ETag == "" {
				return skip("the source gives no ETag")
			}
			again, err := c.fetch(c.ctx, c.h.Issuers[0], set.ETag)
			switch {
			case err != nil:
				return fmt.Errorf("FetchKeys with the ETag it gave = %w; want nil", err)
			case again.NotModified && len(again.JWKS) > 0:
				return fmt.Errorf("FetchKeys with the ETag it gave = NotModified and %d bytes; want no bytes", len(again.JWKS))
			case !again.NotModified && !sameKeys(again, set):
				return fmt.Errorf("FetchKeys with the ETag it gave = another set, and not NotModified; want NotModified or the set")
			}
			return nil
		}),
		fetcherCheck("every-call-asks-the-source", asks, func(c *fetcherCase) error { return fetcherRotates(c, false) }),
		fetcherCheck("a-changed-set-is-modified", current, func(c *fetcherCase) error { return fetcherRotates(c, true) }),
		fetcherCheck("freshness-is-sane", "Freshness is what a source said about how long its answer may be kept (RFC 9111, Sections 4.2 and 5.2).", fetcherSane),
	}
}

// fetcherRotates changes the keys at the source and asks again.
func fetcherRotates(c *fetcherCase, conditionally bool) error {
	if c.h.Rotate == nil {
		return skip("the harness has no Rotate to change the keys at the source")
	}
	issuer, etag := c.h.Issuers[0], ""
	before, err := c.full(issuer)
	if err != nil {
		return err
	}
	if conditionally {
		if etag = before.ETag; etag == "" {
			return skip("the source gives no ETag")
		}
	}
	if err := c.h.Rotate(); err != nil {
		return fmt.Errorf("the harness's Rotate = %w; want nil", err)
	}
	after, err := c.fetch(c.ctx, issuer, etag)
	switch {
	case err != nil:
		return fmt.Errorf("FetchKeys(%s) after the keys were changed = %w; want the new ones", issuer, err)
	case states(before.Freshness, after.Freshness) && !conditionally: // it may be an older answer, and says so
		return nil
	case after.NotModified || sameKeys(after, before):
		return fmt.Errorf("FetchKeys(%s) after the keys were changed = the old ones (NotModified: %v), with no word of it in Freshness; want the new ones", issuer, after.NotModified)
	}
	return nil
}

func fetcherSane(c *fetcherCase) error {
	const longest = 100 * 365 * 24 * time.Hour
	return c.each(func(issuer string, set verifier.KeySet) error {
		f := set.Freshness
		switch {
		case f.Age < 0 || f.Age > longest || f.HasMaxAge && (f.MaxAge < 0 || f.MaxAge > longest):
			return fmt.Errorf("FetchKeys(%s).Freshness = %+v; want durations of up to 100 years", issuer, f)
		case f.HasMaxAge && f.MaxAge > 0 && f.MaxAge < time.Millisecond:
			return fmt.Errorf("FetchKeys(%s).Freshness = %+v; want seconds as a time.Duration", issuer, f)
		}
		return nil
	})
}

func fetcherFaults() []Check[KeyFetcherHarness] {
	const (
		done = "ctx carries the deadline of the fetch; when it is done, FetchKeys returns promptly with an error that matches ctx.Err()."
		asks = "Every call asks the source (or states why not with Freshness); caching is the Verifier's work."
	)
	call := func(c *fetcherCase, issuer, etag string) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			_, err := c.fetch(ctx, issuer, etag)
			return err
		}
	}
	first := func(c *fetcherCase) func(ctx context.Context) error { return call(c, c.h.Issuers[0], "") }
	checks := []Check[KeyFetcherHarness]{
		fetcherCheck("done-context", done, func(c *fetcherCase) error {
			set, _ := c.full(c.h.Issuers[0])
			for _, etag := range []string{"", set.ETag, `"x"`} {
				d := canceled(c.ctx)
				if err := d.refusal("FetchKeys", call(c, c.h.Issuers[0], etag)(d.ctx)); err != nil {
					return err
				}
			}
			return nil
		}),
		fetcherCheck("past-deadlines-are-told-from-cancellation", done, func(c *fetcherCase) error {
			return refusals("FetchKeys", first(c), pastDeadline(c.ctx))
		}),
		fetcherCheck("causes-do-not-hide-the-context-error", done, func(c *fetcherCase) error {
			return refusals("FetchKeys", first(c), canceledForACause(c.ctx))
		}),
		fetcherCheck("a-done-context-harms-no-later-call", asks, func(c *fetcherCase) error {
			for range 5 {
				for _, d := range []doneContext{canceled(c.ctx), pastDeadline(c.ctx)} {
					_ = first(c)(d.ctx)
					if _, err := c.full(c.h.Issuers[0]); err != nil {
						return fmt.Errorf("after a call with %s: %w", d.name, err)
					}
				}
			}
			return nil
		}),
	}
	hung := func(end ending) func(*fetcherCase) error {
		return func(c *fetcherCase) error {
			if err := c.hang(); err != nil {
				return err
			}
			return promptly(c.env, "FetchKeys", end, first(c))
		}
	}
	hanging := group(groupHang,
		fetcherCheck("hanging-source", done, hung(byDeadline)),
		fetcherCheck("canceled-while-the-source-hangs", done, hung(byCancel)),
		fetcherCheck("a-hanging-call-holds-up-no-other", done, func(c *fetcherCase) error {
			if err := c.hang(); err != nil {
				return err
			}
			return behind(c.env, "FetchKeys", first(c), follower{"FetchKeys", first(c)})
		}),
		fetcherCheck("works-after-a-hang", asks, func(c *fetcherCase) error {
			if c.h.Hang == nil {
				return skip("the harness has no Hang: the fetcher asks nobody, or its source cannot be made to wait")
			}
			return fetcherRecovers(c, func() func() { return c.h.Hang(c.fetcher) })
		}),
	)
	breaking := group(groupBreak,
		fetcherCheck("source-that-is-down", asks, fetcherDown),
		fetcherCheck("works-after-an-outage", asks, func(c *fetcherCase) error {
			if c.h.Break == nil {
				return skip("the harness has no Break: the fetcher asks nobody, or its source cannot be made to fail")
			}
			return fetcherRecovers(c, func() func() { return c.h.Break(c.fetcher) })
		}),
	)
	return slices.Concat(checks, hanging, breaking)
}

func (c *fetcherCase) hang() error {
	if c.h.Hang == nil {
		return skip("the harness has no Hang: the fetcher asks nobody, or its source cannot be made to wait")
	}
	c.env.Cleanup(c.h.Hang(c.fetcher))
	return nil
}

// fetcherDown asks with and without an ETag.
func fetcherDown(c *fetcherCase) error {
	if c.h.Break == nil {
		return skip("the harness has no Break: the fetcher asks nobody, or its source cannot be made to fail")
	}
	before, err := c.full(c.h.Issuers[0])
	if err != nil {
		return err
	}
	c.env.Cleanup(c.h.Break(c.fetcher))
	for _, etag := range []string{"", before.ETag, ""} {
		if set, err := c.fetch(c.ctx, c.h.Issuers[0], etag); err == nil && !states(before.Freshness, set.Freshness) {
			return fmt.Errorf("FetchKeys while the source is down = %d bytes (NotModified: %v), nil, with no word of it in Freshness; want an error", len(set.JWKS), set.NotModified)
		}
	}
	return nil
}

// fetcherRecovers wants the keys again soon after a fault.
func fetcherRecovers(c *fetcherCase, fault func() func()) error {
	before, err := c.full(c.h.Issuers[0])
	if err != nil {
		return err
	}
	attack(fault(), 8, func(i int) {
		ctx, cancel := context.WithTimeout(c.ctx, hungAnswer)
		defer cancel()
		_, _ = c.fetch(ctx, c.h.Issuers[i%len(c.h.Issuers)], []string{"", before.ETag}[i%2])
	})
	return recovers(pace{ctx: c.ctx}, func(int) error {
		set, err := c.full(c.h.Issuers[0])
		if err == nil && !set.NotModified && !sameKeys(set, before) {
			err = fmt.Errorf("FetchKeys(%s) = %s; want the keys of before", c.h.Issuers[0], show(set.JWKS))
		}
		return err
	}, func() error { return nil })
}
