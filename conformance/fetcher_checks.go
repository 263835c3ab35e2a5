package conformance

import (
	"context"
	"encoding/json"
	"fmt"
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
		fetcherCheck("returned-bytes-are-the-callers", "The caller owns the returned bytes.", fetcherOwned),
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

func fetcherConcurrent(c *fetcherCase) error {
	want := make(map[string]verifier.KeySet)
	err := c.each(func(issuer string, set verifier.KeySet) error {
		want[issuer] = set
		return nil
	})
	if err != nil {
		return err
	}
	return together(16, func(worker int) error {
		for round := range 5 {
			issuer := c.h.Issuers[(worker+round)%len(c.h.Issuers)]
			set, err := c.full(issuer)
			if err != nil {
				return err
			}
			if !sameKeys(set, want[issuer]) || set.Issuer != want[issuer].Issuer {
				return fmt.Errorf("FetchKeys(%s) beside 15 other calls = keys of %s; want those of the issuer", issuer, show(set.Issuer))
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
	call := func(c *fetcherCase) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			_, err := c.fetch(ctx, c.h.Issuers[0], "")
			return err
		}
	}
	return []Check[KeyFetcherHarness]{
		fetcherCheck("done-context", done, func(c *fetcherCase) error {
			d := canceled(c.ctx)
			return d.refusal("FetchKeys", call(c)(d.ctx))
		}),
		fetcherCheck("past-deadlines-are-told-from-cancellation", done, func(c *fetcherCase) error {
			return refusals("FetchKeys", call(c), pastDeadline(c.ctx))
		}),
		fetcherCheck("causes-do-not-hide-the-context-error", done, func(c *fetcherCase) error {
			return refusals("FetchKeys", call(c), canceledForACause(c.ctx))
		}),
		fetcherCheck("hanging-source", done, func(c *fetcherCase) error {
			if c.h.Hang == nil {
				return skip("the harness has no Hang: the fetcher asks nobody, or its source cannot be made to wait")
			}
			c.env.Cleanup(c.h.Hang(c.fetcher))
			return promptly(c.env, "FetchKeys", call(c))
		}),
		fetcherCheck("source-that-is-down", asks, func(c *fetcherCase) error {
			if c.h.Break == nil {
				return skip("the harness has no Break: the fetcher asks nobody, or its source cannot be made to fail")
			}
			before, err := c.full(c.h.Issuers[0])
			if err != nil {
				return err
			}
			c.env.Cleanup(c.h.Break(c.fetcher))
			if set, err := c.fetch(c.ctx, c.h.Issuers[0], ""); err == nil && !states(before.Freshness, set.Freshness) {
				return fmt.Errorf("FetchKeys while the source is down = %d bytes, nil, with no word of it in Freshness; want an error", len(set.JWKS))
			}
			return nil
		}),
	}
}
