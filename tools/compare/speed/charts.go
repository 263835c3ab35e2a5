package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// The pages that a full run writes.
const (
	pageFile        = "performance.md"
	chartFile       = "performance.svg"
	serverChartFile = "performance-server.svg"
	storeChartFile  = "performance-stores.svg"
)

// files are what is written, by name.
func (r *report) files() map[string]func(io.Writer) error {
	return map[string]func(io.Writer) error{
		pageFile: r.markdown, chartFile: r.verificationChart().write, serverChartFile: r.serverChart().write, storeChartFile: r.storeChart().write,
	}
}

func (r *report) verificationChart() barChart {
	c := barChart{
		title: "CPU time of one Bearer verification (RS256), as a multiple of the bare crypto",
		note:  "Dashed: SHA-256 and RSA of the standard library alone. Shorter is better.",
	}
	for _, x := range r.results {
		if x.group == groupBearer {
			c.bars = append(c.bars, bar{x.name, x.ratio, fmt.Sprintf("%.2f, %.0f allocs", x.ratio, x.allocations), kindOf(x.name)})
		}
	}
	slices.SortStableFunc(c.bars, func(a, b bar) int { return cmp.Compare(a.value, b.value) })
	return c
}

func (r *report) serverChart() barChart {
	c := barChart{
		title: "Requests per second on one core, by those of the server without verification",
		note:  "RS256 with 2048 bits; with TokenMemo each token comes again. Longer is better.",
	}
	if r.requests == nil {
		return c
	}
	for _, name := range r.requests.names {
		share := r.requests.over(name, openName)
		c.bars = append(c.bars, bar{name, share, fmt.Sprintf("%.2f", share), kindOf(name)})
	}
	slices.SortStableFunc(c.bars, func(a, b bar) int { return cmp.Compare(b.value, a.value) })
	return c
}

func (r *report) storeChart() barChart {
	c := barChart{
		title: "Calls per second of the stores, as a multiple of the bare client of Redis or memcached",
		note:  "Dashed: the bare client. Longer is better.",
	}
	add := func(name, row string, inverse bool) {
		for _, x := range r.suites {
			value, err := strconv.ParseFloat(x.measured, 64)
			if x.what != row+", to the bare client" || err != nil || value <= 0 {
				continue
			}
			if inverse {
				value = 1 / value
			}
			c.bars = append(c.bars, bar{name, value, fmt.Sprintf("%.2f", value), "ours"})
		}
	}
	for _, delay := range []string{"", ", 2.6 ms round trip"} {
		for _, callers := range []string{"1 caller", "16 callers", "64 callers", "256 callers"} {
			name := "Redis Add, " + callers + delay
			add(strings.TrimSuffix(name, " round trip"), name+": throughput", false)
		}
	}
	for _, op := range []string{"Get", "Set"} {
		for _, callers := range []string{"1 caller", "64 callers"} {
			name := "memcached " + op + " of 2 KiB, " + callers
			add(strings.Replace(name, " of 2 KiB", "", 1), name+": time per call", true)
		}
	}
	return c
}
