package main

import (
	"fmt"
	"slices"
)

// target is one line of the budget.
type target struct {
	what     string
	measured string
	budget   string
	met      bool
}

func atMost(what string, measured, budget float64) target {
	return target{what, fmt.Sprintf("%.3f", measured), fmt.Sprintf("<= %.2f", budget), measured <= budget}
}

func atLeast(what string, measured, budget float64) target {
	return target{what, fmt.Sprintf("%.2f", measured), fmt.Sprintf(">= %.2f", budget), measured >= budget}
}

// counts is for means that are whole numbers but for what happens beside.
func counts(what string, measured float64, budget int) target {
	return target{what, fmt.Sprintf("%.0f", measured), fmt.Sprintf("<= %d", budget), measured < float64(budget)+0.5}
}

// order is that of the rows that come first. A run that measures everything must
// have all of them.
var order = []string{
	"Redis Add, 64 callers: throughput, to the bare client",
	"Redis Add, 64 callers: client CPU per call, to the bare client",
	"Redis Add, 64 callers, 2.6 ms round trip: throughput, to the bare client",
	"Redis Add, 64 callers, 2.6 ms round trip: client CPU per call, to the bare client",
	"Redis Add, 16 callers, 2.6 ms round trip: p50, to the bare client",
	"Redis Add, 1 caller: client CPU per call, to the bare client",
	"Redis Add, 1 caller, 2.6 ms round trip: p50, to the bare client",
	"Redis Add, cancelled on a hung server: time until it returns",
	"memcached Get, cancelled on a hung server: time until it returns",
	"memcached Get of 2 KiB, 1 caller: time per call, to the bare client",
	"memcached Get of 2 KiB, 64 callers: time per call, to the bare client",
	"memcached Set of 2 KiB, 1 caller: time per call, to the bare client",
	"memcached Set of 2 KiB, 64 callers: time per call, to the bare client",
	"cold issuer, store full, 16 at once: p50 with 100,000 held, to 2 x that with 100 held + 0.1 ms",
	"memory per issuer, JWKS of 4.6 KB and metadata of 2.6 KB, without Cache",
	"memory per issuer, JWKS of 4.6 KB and metadata of 2.6 KB, with Cache",
	targetResolverTime,
	targetResolverAllocations,
	targetIssuerOnlyTime,
	targetIssuerOnlyAllocations,
	targetBearer,
	targetBearerAllocations,
	targetFast,
	targetFastAllocations,
	targetFast3072,
	targetFast4096,
	serverTarget(golangJWTName, false),
	serverTarget(goOIDCName, false),
	serverTarget(auth0Name, false),
	serverTarget(golangJWTName, true),
	serverTarget(goOIDCName, true),
	serverTarget(auth0Name, true),
	targetEdDSACopy,
}

const (
	targetBearer            = "Bearer, ratio to the limit"
	targetBearerAllocations = "Bearer, allocations"
	targetFast              = "Bearer accelerated, ratio to the limit"
	targetFastAllocations   = "Bearer accelerated, allocations"
	targetFast3072          = "RSA 3072 accelerated, ratio to crypto/rsa"
	targetFast4096          = "RSA 4096 accelerated, ratio to crypto/rsa"
)

// targets compares what was measured with the budget. What was not measured has
// no row.
func (r *report) targets() []target {
	list := slices.Concat(r.suites, r.resolverTargets(), r.bearerTargets(), r.algorithmTargets(), r.serverTargets(), r.pathTargets(), r.lifeTargets())
	rank := func(t target) int {
		if i := slices.Index(order, t.what); i >= 0 {
			return i
		}
		return len(order)
	}
	slices.SortStableFunc(list, func(a, b target) int { return rank(a) - rank(b) })
	return list
}

// missing returns the rows of the order that were not measured.
func (r *report) missing() []string {
	list := r.targets()
	return slices.DeleteFunc(slices.Clone(order), func(what string) bool {
		return slices.ContainsFunc(list, func(t target) bool { return t.what == what })
	})
}

// bearerTargets are the lines about a Bearer token that is good.
func (r *report) bearerTargets() (list []target) {
	bearer, measured := r.find(groupBearer, ourName)
	if measured {
		list = append(list, atMost(targetBearer, bearer.ratio, 1.10), counts(targetBearerAllocations, bearer.allocations, 13))
	}
	if memo, ok := r.find(groupMemo, memoName); ok {
		list = append(list, atMost("memo hit, ratio to the limit", memo.ratio, 0.04), counts("memo hit, allocations", memo.allocations, 2))
	}
	many, ok := r.find(groupIssuers, ourName)
	held, okHeld := r.find(groupIssuers, ourName+", one of them in use")
	if measured && ok && okHeld {
		list = append(list,
			atMost(fmt.Sprintf("%d issuers held and one in use, by a verifier of one", r.issuers), held.ratio/bearer.ratio, 1.05),
			atMost(fmt.Sprintf("%d issuers in turn, by a verifier of one", r.issuers), many.ratio/bearer.ratio, 1.10))
	}
	return list
}

// pathTargets are the lines about requests and refusals.
func (r *report) pathTargets() (list []target) {
	if dpop, ok := r.find(groupDPoP, ourName+", VerifyHTTPRequest"); ok {
		list = append(list, atMost("DPoP request, ratio to its limit", dpop.ratio, 1.15))
	}
	bearer, measured := r.find(groupBearer, ourName)
	if !measured {
		return list
	}
	if r.middleware != nil {
		list = append(list, atMost("middleware, ratio added", (r.middleware.ratio-1)*bearer.ratio, 0.10))
	}
	for _, refusal := range []struct {
		group string
		most  float64
	}{{groupExpired, 0.20}, {groupForeign, 0.20}, {groupMalformed, 0.20}, {groupOversize, 0.05}} {
		if refused, ok := r.find(refusal.group, ourName); ok {
			list = append(list, atMost(refusal.group+", share of a verification", refused.ratio/bearer.ratio, refusal.most))
		}
	}
	return list
}

// lifeTargets are the lines about cores and time.
func (r *report) lifeTargets() (list []target) {
	if r.scaling != nil {
		list = append(list, target{"two at once, scaling by that of the limit, CPU time", fmt.Sprintf("%.3f", r.scaling.cpu), ">= 0.95", r.scaling.cpu >= 0.95})
	}
	if g := r.growth; g != nil {
		list = append(list,
			target{fmt.Sprintf("goroutines after %d verifications", r.soak), fmt.Sprintf("%+d", g.goroutines), "+0", g.goroutines <= 0},
			target{fmt.Sprintf("live memory after %d verifications", r.soak), fmt.Sprintf("%+d B", g.heap), "< 64 KiB", g.heap < 64<<10},
			target{"allocations of a verification, before and after", fmt.Sprintf("%.1f, %.1f", g.early, g.late), "equal", g.late < g.early+0.5})
	}
	return list
}
