package main

import (
	"fmt"
	"html"
	"io"
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

// barChart is a picture of ratios. A dashed line stands at 1.
type barChart struct {
	title string
	note  string // below
	bars  []bar
}

type bar struct {
	name  string
	value float64
	label string // behind the bar
	kind  string // "ours", "bare" or "other"
}

// kindOf returns the kind of a row by its name.
func kindOf(name string) string {
	switch {
	case strings.HasPrefix(name, ourName):
		return "ours"
	case name == bareName, name == openName:
		return "bare"
	default:
		return "other"
	}
}

// write draws it. It follows the colour scheme of whoever looks at it.
func (c barChart) write(w io.Writer) error {
	widest := 1.0
	for _, x := range c.bars {
		widest = max(widest, x.value)
	}
	height := chartTop + len(c.bars)*(barHeight+barGap) + chartFoot
	scale := (chartWidth - barsAt - 130) / widest

	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img" aria-label="%s">`+"\n", chartWidth, height, chartWidth, height, html.EscapeString(c.title))
	b.WriteString(chartStyle)
	fmt.Fprintf(&b, `<rect class="back" width="%d" height="%d" rx="8"/>`+"\n", chartWidth, height)
	fmt.Fprintf(&b, `<text class="title" x="20" y="30">%s</text>`+"\n", html.EscapeString(c.title))
	for i, x := range c.bars {
		y := chartTop + i*(barHeight+barGap)
		fmt.Fprintf(&b, `<text class="name" x="%d" y="%d">%s</text>`+"\n", barsAt-12, y+16, html.EscapeString(x.name))
		fmt.Fprintf(&b, `<rect class="%s" x="%d" y="%d" width="%.1f" height="%d" rx="3"/>`+"\n", x.kind, barsAt, y, x.value*scale, barHeight)
		fmt.Fprintf(&b, `<text class="value" x="%.1f" y="%d">%s</text>`+"\n", barsAt+x.value*scale+8, y+16, html.EscapeString(x.label))
	}
	at := barsAt + scale
	fmt.Fprintf(&b, `<line class="limit" x1="%.1f" y1="%d" x2="%.1f" y2="%d"/>`+"\n", at, chartTop-8, at, height-chartFoot)
	fmt.Fprintf(&b, `<text class="note" x="20" y="%d">%s Printed by: make bench</text>`+"\n</svg>\n", height-16, html.EscapeString(c.note))
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
