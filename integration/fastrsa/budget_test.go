//go:build !race

package fastrsa_test

import (
	"crypto/rsa"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The race detector changes both allocations and times.

func cpuTime(t *testing.T) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// ratio is the processor time of target for each unit of limit's: the median
// over pairs of short slices that alternate.
func ratio(t *testing.T, limit, target func()) float64 {
	const pairs, slice = 31, 25 * time.Millisecond
	measure := func(f func(), n int) float64 {
		began := cpuTime(t)
		for range n {
			f()
		}
		return float64(cpuTime(t)-began) / float64(n)
	}
	fit := func(f func()) int {
		n := 1
		for measure(f, n)*float64(n) < float64(slice) {
			n *= 2
		}
		return n
	}
	limits, targets := fit(limit), fit(target)
	ratios := make([]float64, pairs)
	for i := range ratios {
		l := measure(limit, limits)
		ratios[i] = measure(target, targets) / l
	}
	slices.Sort(ratios)
	return ratios[pairs/2]
}

// TestBudgetOfVerify: the check alone, to crypto/rsa with the hash. The ratios
// are loose, for noisy machines; the benchmark module measures exactly.
func TestBudgetOfVerify(t *testing.T) {
	input := strings.Repeat("x", 1000)
	for i, bits := range sizes {
		p := pairs[i]()
		signature := newEdit(p, 0, input).signature()
		fast := func() {
			if !p.prepared[0].Verify(input, signature) {
				t.Fatal("a good signature is refused")
			}
		}
		bare := func() {
			h := hashes[0].New()
			h.Write([]byte(input))
			if err := rsa.VerifyPKCS1v15(&p.PublicKey, hashes[0], h.Sum(nil), signature); err != nil {
				t.Fatal(err)
			}
		}
		got := ratio(t, bare, fast)
		t.Logf("%d bits: %.3f times crypto/rsa", bits, got)
		if got > 0.9 {
			t.Errorf("%d bits: %.3f times crypto/rsa; want at most 0.9", bits, got)
		}
		if allocations := testing.AllocsPerRun(50, fast); bits == 2048 && allocations > 1 {
			t.Errorf("%d bits: %v allocations; want at most 1", bits, allocations)
		}
	}
}

// TestBudgetOfBearer: a whole verification, to the bare check by crypto/rsa.
func TestBudgetOfBearer(t *testing.T) {
	v, issuer := newVerifier(t)
	token := issuer.Sign("https://api.example", map[string]any{
		"exp": time.Now().Unix() + 1e6, "org_id": "org_8Qh2ZkBvR1", "auth_time": time.Now().Unix(),
		"scope":                        "openid profile email orders:read orders:write invoices:read",
		"permissions":                  []string{"orders:read", "orders:write", "invoices:read"},
		"https://claims.example/roles": []string{"admin", "editor"},
	})
	p := pairs[0]()
	input := token[:strings.LastIndexByte(token, '.')]
	e := newEdit(p, 0, input)
	signature := e.signature()
	bare := func() {
		h := hashes[0].New()
		h.Write([]byte(input))
		if err := rsa.VerifyPKCS1v15(&p.PublicKey, hashes[0], h.Sum(nil), signature); err != nil {
			t.Fatal(err)
		}
	}
	ctx := t.Context()
	target := func() {
		if _, err := v.VerifyAccessToken(ctx, token); err != nil {
			t.Fatal(err)
		}
	}
	got := ratio(t, bare, target)
	t.Logf("%.3f times crypto/rsa", got)
	if got > 0.95 {
		t.Errorf("VerifyAccessToken: %.3f times crypto/rsa; want at most 0.95", got)
	}
	if allocations := testing.AllocsPerRun(100, target); allocations > 6 {
		t.Errorf("VerifyAccessToken: %v allocations; want at most 6", allocations)
	} else {
		t.Logf("%v allocations", allocations)
	}
}
