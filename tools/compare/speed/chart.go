package main

import (
	"cmp"
	"fmt"
	"html"
	"io"
	"slices"
	"strings"
)

const (
	chartWidth = 760
	barsAt     = 270 // where the bars begin
	barHeight  = 22
	barGap     = 12
	chartTop   = 58
	chartFoot  = 42
)

// chart draws the Bearer rows as bars: the ratio to the bare crypto. It follows
// the colour scheme of whoever looks at it.
func (r *report) chart(w io.Writer) error {
	var rows []result
	widest := 1.0
	for _, x := range r.results {
		if x.group == groupBearer {
			rows = append(rows, x)
			widest = max(widest, x.ratio)
		}
	}
	slices.SortStableFunc(rows, func(a, b result) int { return cmp.Compare(a.ratio, b.ratio) })
	height := chartTop + len(rows)*(barHeight+barGap) + chartFoot
	scale := (chartWidth - barsAt - 130) / widest

	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img" aria-label="CPU time of one Bearer verification, as a multiple of the bare crypto">`+"\n", chartWidth, height, chartWidth, height)
	b.WriteString(chartStyle)
	fmt.Fprintf(&b, `<rect class="back" width="%d" height="%d" rx="8"/>`+"\n", chartWidth, height)
	b.WriteString(`<text class="title" x="20" y="30">CPU time of one Bearer verification (RS256), as a multiple of the bare crypto</text>` + "\n")
	for i, x := range rows {
		y := chartTop + i*(barHeight+barGap)
		class := "other"
		switch {
		case strings.HasPrefix(x.name, ourName):
			class = "ours"
		case x.name == bareName:
			class = "bare"
		}
		fmt.Fprintf(&b, `<text class="name" x="%d" y="%d">%s</text>`+"\n", barsAt-12, y+16, html.EscapeString(x.name))
		fmt.Fprintf(&b, `<rect class="%s" x="%d" y="%d" width="%.1f" height="%d" rx="3"/>`+"\n", class, barsAt, y, x.ratio*scale, barHeight)
		fmt.Fprintf(&b, `<text class="value" x="%.1f" y="%d">%.2f, %.0f allocs</text>`+"\n", barsAt+x.ratio*scale+8, y+16, x.ratio, x.allocations)
	}
	at := barsAt + scale
	fmt.Fprintf(&b, `<line class="limit" x1="%.1f" y1="%d" x2="%.1f" y2="%d"/>`+"\n", at, chartTop-8, at, height-chartFoot)
	fmt.Fprintf(&b, `<text class="note" x="20" y="%d">Dashed: SHA-256 and RSA of the standard library alone. Shorter is better. Printed by: make bench</text>`+"\n</svg>\n", height-16)
	_, err := io.WriteString(w, b.String())
	return err
}

const chartStyle = `<style>
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-size: 15px; font-weight: 600 }
.name { text-anchor: end }
.note { font-size: 12px; fill: #59636e }
.back { fill: #ffffff }
.ours { fill: #1a7f37 }
.bare { fill: #59636e }
.other { fill: #4a7ab5 }
.limit { stroke: #59636e; stroke-dasharray: 4 4 }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc }
.note { fill: #9198a1 }
.back { fill: #0d1117 }
.ours { fill: #3fb950 }
.bare { fill: #9198a1 }
.other { fill: #6ea8e8 }
.limit { stroke: #9198a1 }
}
</style>
`
