package conformance

import (
	"slices"
	"strings"
)

// The rules that a rule builds on, by the names of their checks. When one of
// those fails, the other says nothing that is not known yet, and is skipped.

// founded adds to each check what it builds on, and puts that before it.
func founded[H any](foundations map[string]string, checks []Check[H]) []Check[H] {
	ids := make(map[string]string)
	for _, c := range checks {
		ids[c.Name] = c.id()
	}
	for i, c := range checks {
		for name := range strings.FieldsSeq(foundations[c.Name]) {
			checks[i].Basis = append(checks[i].Basis, ids[name])
		}
	}
	var sorted []Check[H]
	done := make(map[string]bool)
	for len(sorted) < len(checks) {
		before := len(sorted)
		for _, c := range checks {
			ready := !slices.ContainsFunc(c.Basis, func(id string) bool { return !done[id] })
			if !done[c.id()] && ready {
				done[c.id()] = true
				sorted = append(sorted, c)
			}
		}
		if len(sorted) == before {
			return checks // a circle, which a test finds
		}
	}
	return sorted
}

func cacheFoundations() map[string]string {
	return map[string]string{
		"a-done-context-harms-no-later-call":               "set-works-after-delete",
		"a-hanging-call-holds-up-no-other":                 "delete-from-a-hanging-backend get-from-a-hanging-backend past-deadlines-are-told-from-cancellation set-to-a-hanging-backend",
		"a-hanging-clear-holds-up-no-other-call":           "set-to-a-hanging-backend",
		"calls-beyond-the-bound-fail-at-once":              "calls-in-flight-are-bounded",
		"calls-on-others-do-not-end-an-entry":              "delete-of-an-absent-key-is-nil ttl-is-not-cut-short",
		"clear-beside-other-calls":                         "clear-of-an-empty-cache-is-nil concurrent-calls set-works-after-clear",
		"clear-is-canceled-while-the-backend-hangs":        "clear-of-a-hanging-backend",
		"clear-is-over-when-it-returns":                    "set-works-after-clear",
		"clear-of-an-empty-cache-is-nil":                   "set-works-after-clear",
		"clear-removes-values-of-any-size":                 "values-up-to-512-kib",
		"clear-removes-what-peers-wrote":                   "clear-removes-hashed-keys",
		"clear-spares-its-prefix-in-other-keys":            "clear-spares-other-caches set-works-after-clear",
		"clear-spares-neighbours-of-its-prefix":            "clear-spares-other-caches set-works-after-clear",
		"clear-spares-replay-records":                      "clear-of-an-empty-cache-is-nil",
		"clear-takes-its-prefix-literally":                 "clear-spares-other-caches",
		"clear-with-a-done-context":                        "causes-do-not-hide-the-context-error",
		"clear-works-after-an-outage":                      "clear-of-an-empty-cache-is-nil set-works-after-clear",
		"concurrent-calls-do-not-change-what-get-returned": "concurrent-calls set-does-not-retain-the-slice values-up-to-512-kib",
		"concurrent-calls-keep-to-a-model":                 "absent-key-is-a-miss concurrent-calls delete-of-an-absent-key-is-nil delete-removes negative-ttl-removes set-replaces-the-value zero-ttl-of-an-absent-key zero-ttl-removes",
		"concurrent-deletes-and-sets":                      "delete-of-an-absent-key-is-nil set-works-after-delete",
		"concurrent-values-are-not-torn":                   "absent-key-is-a-miss set-replaces-the-value values-up-to-512-kib",
		"delete-is-canceled-while-the-backend-hangs":       "delete-from-a-hanging-backend",
		"delete-removes-entries-of-any-kind":               "empty-value-is-a-value keys-up-to-64-kib keys-with-control-characters keys-with-spaces values-up-to-512-kib",
		"delete-spares-other-keys":                         "keys-that-differ-by-case",
		"delete-with-a-done-context":                       "values-up-to-512-kib",
		"each-entry-has-a-ttl-of-its-own":                  "entry-expires",
		"empty-value-replaces-and-is-replaced":             "empty-value-is-a-value set-replaces-the-value values-up-to-512-kib",
		"entries-of-any-kind-expire":                       "entry-expires values-up-to-512-kib",
		"errors-of-time-outs-do-not-show-the-value":        "delete-with-a-done-context errors-do-not-show-the-value set-with-a-done-context",
		"expired-entries-give-their-room-back":             "entry-expires",
		"expired-miss-has-a-nil-value":                     "miss-has-a-nil-value",
		"get-is-canceled-while-the-backend-hangs":          "get-from-a-hanging-backend",
		"get-returns-a-slice-of-its-own":                   "values-up-to-512-kib",
		"get-returns-no-room-of-others":                    "values-up-to-512-kib",
		"get-with-a-done-context":                          "values-up-to-512-kib",
		"keys-of-equal-weak-hashes-differ":                 "keys-up-to-64-kib keys-with-control-characters keys-with-spaces long-keys-that-differ",
		"keys-of-one-byte":                                 "keys-with-control-characters keys-with-spaces",
		"later-calls-do-not-change-what-get-returned":      "set-works-after-delete values-up-to-512-kib",
		"longest-key-with-the-largest-value":               "empty-value-is-a-value empty-value-replaces-and-is-replaced keys-up-to-64-kib overwriting-works-at-every-size set-replaces-the-value values-up-to-512-kib",
		"longest-ttl-lasts":                                "ttl-beyond-30-days ttl-beyond-all-bounds",
		"overwriting-does-not-retain-the-slice":            "set-does-not-retain-the-slice values-up-to-512-kib",
		"overwriting-works-at-every-size":                  "empty-value-is-a-value empty-value-replaces-and-is-replaced set-replaces-the-value values-up-to-512-kib",
		"peers-see-a-clear":                                "clear-removes-hashed-keys",
		"peers-see-a-ttl-of-zero":                          "values-up-to-512-kib zero-ttl-removes",
		"peers-see-deletes":                                "delete-removes-entries-of-any-kind keys-up-to-64-kib keys-with-control-characters keys-with-spaces values-up-to-512-kib",
		"peers-see-writes":                                 "set-replaces-the-value values-up-to-512-kib",
		"random-calls-keep-to-a-model":                     "absent-key-is-a-miss delete-of-an-absent-key-is-nil delete-of-an-expired-key-is-nil delete-removes entry-expires negative-ttl-removes set-replaces-the-value set-shortens-the-ttl zero-ttl-of-an-absent-key zero-ttl-removes",
		"second-life-ends-at-its-own-ttl":                  "entry-expires set-shortens-the-ttl",
		"second-life-outlasts-the-first-ttl":               "set-works-after-delete set-works-after-expiry",
		"set-does-not-change-the-slice":                    "values-up-to-512-kib",
		"set-does-not-retain-the-slice":                    "values-up-to-512-kib",
		"set-is-canceled-while-the-backend-hangs":          "set-to-a-hanging-backend",
		"set-of-an-equal-value-extends-the-ttl":            "set-extends-the-ttl",
		"set-of-an-equal-value-shortens-the-ttl":           "entry-expires set-shortens-the-ttl",
		"set-with-a-done-context":                          "values-up-to-512-kib",
		"ttl-between-two-steps-is-rounded-up":              "tiny-ttl-is-rounded-up ttl-is-not-cut-short",
		"writes-are-read-in-their-order":                   "set-replaces-the-value set-works-after-delete",
	}
}

func replayFoundations() map[string]string {
	return map[string]string{
		"a-hanging-add-holds-up-no-other":             "add-to-a-hanging-backend one-of-many-adds-by-two-stores one-of-many-concurrent-adds",
		"a-time-out-is-an-error-of-its-own":           "add-with-a-done-context an-error-is-not-added errors-do-not-show-the-key",
		"add-is-canceled-while-the-backend-hangs":     "add-to-a-hanging-backend",
		"adds-beyond-the-bound-fail-at-once":          "add-with-a-done-context adds-in-flight-are-bounded hanging-adds-leave-no-goroutines",
		"adds-in-flight-are-bounded":                  "add-with-a-done-context hanging-adds-leave-no-goroutines",
		"each-key-has-a-ttl-of-its-own":               "key-does-not-stay-for-ever",
		"key-stays-between-two-steps":                 "key-stays-for-its-ttl tiny-ttl-is-rounded-up",
		"key-stays-under-traffic":                     "key-stays-for-its-ttl",
		"keys-of-any-form-are-added-once":             "keys-with-control-characters keys-with-spaces",
		"keys-up-to-64-kib":                           "long-keys-that-differ",
		"longest-ttl-lasts":                           "ttl-beyond-30-days ttl-beyond-all-bounds",
		"no-live-key-is-forgotten-under-pressure":     "concurrent-adds-of-many-keys",
		"one-of-many-adds-after-the-ttl":              "key-can-be-added-after-its-ttl one-of-many-concurrent-adds",
		"records-are-shared":                          "keys-beyond-ascii keys-with-control-characters keys-with-spaces",
		"repeated-adds-do-not-shorten-the-ttl":        "key-stays-for-its-ttl",
		"repeated-adds-with-any-ttl-do-not-extend-it": "repeated-add-does-not-extend-the-ttl",
		"second-life-has-its-full-ttl":                "key-can-be-added-after-its-ttl key-stays-for-its-ttl",
		"zero-ttl-leaves-the-ttl-of-a-live-key":       "key-stays-for-its-ttl zero-ttl-spares-a-live-key",
	}
}

func resolverFoundations() map[string]string {
	return map[string]string{
		"a-hanging-call-holds-up-no-other":     "hanging-backend",
		"a-time-out-is-no-refusal":             "hanging-backend",
		"canceled-while-the-backend-hangs":     "hanging-backend",
		"issuers-that-differ-in-one-character": "look-alike-issuers-are-not-let-in",
		"path-and-case-of-the-issuer":          "look-alike-issuers-are-not-let-in",
	}
}

func fetcherFoundations() map[string]string {
	return map[string]string{
		"a-changed-statement-is-passed-on":     "every-call-asks-the-source issuer-is-stated",
		"a-hanging-call-holds-up-no-other":     "hanging-source",
		"canceled-while-the-source-hangs":      "hanging-source",
		"concurrent-answers-are-the-callers":   "returned-bytes-are-the-callers",
		"etag-changes-with-the-set":            "a-changed-set-is-modified",
		"every-change-is-seen":                 "a-changed-set-is-modified",
		"issuers-that-differ-in-one-character": "unknown-issuer-is-an-error",
		"not-modified-is-for-no-other-etag":    "not-modified-is-for-the-etag-given",
		"unknown-issuers-have-no-etag":         "unknown-issuer-is-an-error",
	}
}

func doerFoundations() map[string]string {
	return map[string]string{
		"canceled-while-the-server-hangs":        "context-ends-the-wait-for-an-answer",
		"conditional-answers-come-through":       "request-arrives-as-it-is",
		"one-cancellation-ends-no-other-request": "context-ends-the-wait-for-an-answer",
		"retry-after-is-left-to-the-caller":      "answers-of-any-status-have-a-body",
		"the-response-names-its-request":         "request-arrives-as-it-is",
	}
}

func clockFoundations() map[string]string {
	return map[string]string{
		"calls-are-safe-for-concurrent-use":    "never-goes-backwards-between-goroutines",
		"never-goes-backwards-across-a-second": "never-goes-backwards",
	}
}

func revocationFoundations() map[string]string {
	return map[string]string{
		"a-key-that-is-asked-for-twice":            "answers-are-in-order",
		"concurrent-answers-do-not-mix":            "answers-are-in-order",
		"keys-of-equal-weak-hashes-differ":         "answers-are-in-order",
		"keys-that-look-alike-differ":              "answers-are-in-order",
		"latest-of-concurrent-times-by-two-stores": "latest-of-concurrent-times-stays other-processes-see-it",
		"long-keys-that-differ":                    "answers-are-in-order",
		"long-ttls-last":                           "key-stays-for-its-ttl",
		"many-keys-are-answered-at-once":           "answers-are-in-order",
		"slices-are-the-callers":                   "answers-are-in-order",
		"ttl-is-not-cut-short":                     "key-stays-for-its-ttl",
	}
}

func checkerFoundations() map[string]string {
	return map[string]string{
		"concurrent-calls-do-not-mix":      "revoked-token-stays-revoked",
		"errors-of-time-outs-show-nothing": "errors-show-nothing",
	}
}

func introspectorFoundations() map[string]string {
	return map[string]string{
		"callers-at-once-own-the-claims":     "caller-owns-the-claims",
		"calls-in-flight-are-bounded":        "a-hanging-call-holds-up-no-other",
		"errors-of-time-outs-show-no-token":  "errors-show-no-token",
		"known-token-is-of-its-issuer-alone": "token-of-another-issuer-is-not-asked-about",
		"known-token-with-a-done-context":    "causes-do-not-hide-the-context-error done-context-is-an-error",
	}
}
