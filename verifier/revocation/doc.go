// Package revocation has implementations of verifier.RevocationChecker, for
// Config.Revocation:
//
//   - [List]: tokens, sessions and subjects that this program denies, in a store
//     that a fleet shares;
//   - [StatusLists]: Token Status Lists, which an issuer publishes
//     (draft-ietf-oauth-status-list);
//   - [Any]: several of them together.
//
// And of verifier.RevocationStore, for a List: [Memory], in this process alone, and
// [OverCache], over a verifier.Cache that does not evict. Package
// cacheadapter/redis has one for a fleet.
//
// A List is as good as its store: a denial that a store forgets before the token
// ends lets the token in again. So a store that is full returns an error, and what
// cannot be read is an error, which the Verifier answers with 503.
package revocation

import (
	"context"
	"errors"

	"github.com/portcullis-go/portcullis/verifier"
)

// Any returns a checker that asks all of these, in order: a token is revoked if one
// of them says so. It can be told not to be only if all of them could decide.
func Any(checkers ...verifier.RevocationChecker) verifier.RevocationChecker { return union(checkers) }

type union []verifier.RevocationChecker

// Revoked implements verifier.RevocationChecker.
func (a union) Revoked(ctx context.Context, token verifier.RevocationRequest) (bool, error) {
	var undecided error
	for _, checker := range a {
		revoked, err := checker.Revoked(ctx, token)
		if revoked {
			return true, nil
		}
		undecided = errors.Join(undecided, err)
	}
	return false, undecided
}

// The files, by what they do:
//
//   - list.go: List: denials by token, session and subject
//   - memory.go, overcache.go: where a List is kept: in memory, or in a cache that does not evict
//   - statuslist.go: StatusLists: which list a token names, and its bit
//   - statustoken.go: the list itself: fetched, verified, inflated
