package main

import (
	"fmt"
	"strings"
)

// whatHelps says what makes an API faster, by what was measured, the most first.
func (r *report) whatHelps() string {
	var b strings.Builder
	if memo, ok := r.find(groupMemo, memoName); ok && r.requests != nil && r.memoEntry > 0 {
		fmt.Fprintf(&b, "1. `Config.TokenMemo`, where tokens come more than once: the server answered %.1f times the requests, since a token that was verified\n"+
			"   before costs %.3f of the bare check. An entry takes %.0f bytes for a token of %d.\n",
			r.requests.over(memoName, ourName), memo.ratio, r.memoEntry, r.tokenSize)
	}
	size := func(group string) float64 {
		row, _ := r.find(group, bareByRSA)
		return row.ratio
	}
	if size(groupRSA3072) > 0 && size(groupRSA4096) > 0 && size(groupES256) > 0 && size(groupEdDSA) > 0 {
		fmt.Fprintf(&b, "2. The kind of key, which the issuer chooses. By the bare check of RSA with 2048 bits, one with 3072 bits costs %.1f, one with 4096 bits %.1f,\n"+
			"   ES256 %.1f, EdDSA %.1f, and ML-DSA-44 %.1f. Choose RSA with 2048 bits for speed, and ES256 or EdDSA where a rule asks for 128 bits of\n"+
			"   security, which RSA has from 3072 bits on; 4096 bits buy little more for much time.\n",
			size(groupRSA3072), size(groupRSA4096), size(groupES256), size(groupEdDSA), size(groupMLDSA44))
	}
	if fast, ok := r.find(groupRSA2048, fastName); ok && r.requests != nil {
		plain, _ := r.find(groupRSA2048, ourName)
		fmt.Fprintf(&b, "3. [Faster RSA](faster-rsa.md), a module that you add: a verification costs %.2f instead of %.2f of the bare check, and the server answered\n"+
			"   %.2f times the requests.\n", fast.ratio, plain.ratio, r.requests.over(fastName, ourName))
	}
	return b.String()
}
