package recorded

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Compare returns what of an observation differs from the recording, or "". A
// difference is stated as what came out instead, so that it can be held against
// a list: "step 2: 401 invalid_token expired". Error messages are not compared.
//
// Of a refusal the calls may be fewer than recorded: what is cheap to refuse is
// refused earlier. Those of a success are the same.
func Compare(v *Vector, o *Observation) string {
	steps := v.Sequence()
	if o.Construction != nil {
		switch {
		case o.Construction.Inexpressible && steps[0].Expect.At == "construction":
			return ""
		case o.Construction.Inexpressible:
			return "inexpressible configuration"
		case steps[0].Expect.At == "construction" && !crash(steps[0].Expect):
			return ""
		}
		return "construction refused"
	}
	var differences []string
	for i, step := range steps {
		if d := compareStep(&step, &o.Steps[i]); d != "" {
			if len(steps) > 1 {
				d = "step " + strconv.Itoa(i) + ": " + d
			}
			differences = append(differences, d)
		}
	}
	return strings.Join(differences, "; ")
}

func crash(e *Expect) bool { return e.Error != nil && strings.HasPrefix(e.Error.Class, "CRASH") }

func compareStep(step *Step, got *Observed) string {
	want := step.Expect
	if want.At == "construction" {
		return "construction accepted"
	}
	if d := compareOutcomes(want, got.Outcomes); d != "" {
		return d
	}
	if d := compareCalls(want, got.Calls); d != "" {
		return d
	}
	return compareAsked(want, got.Asked)
}

// compareOutcomes states the outcomes if one of them is not as recorded, and
// counts them where there are several.
func compareOutcomes(want *Expect, got []Outcome) string {
	same := true
	if want.Outcomes == nil {
		for i := range got {
			same = same && want.fits(&got[i])
		}
	} else {
		same = tallied(want.Outcomes, got)
	}
	if same {
		return ""
	}
	counts := make(map[string]int)
	for i := range got {
		counts[got[i].String()]++
	}
	var list []string
	for _, text := range slices.Sorted(maps.Keys(counts)) {
		if len(got) > 1 {
			text = strconv.Itoa(counts[text]) + " times " + text
		}
		list = append(list, text)
	}
	return strings.Join(list, ", ")
}

// tallied reports whether outcomes are as many of each kind as recorded. Which
// caller has which is chance.
func tallied(want []Tally, got []Outcome) bool {
	left := slices.Clone(got)
	for _, tally := range want {
		for range tally.Count {
			at := slices.IndexFunc(left, func(o Outcome) bool { return tally.Outcome.fits(&o) })
			if at < 0 {
				return false
			}
			left = slices.Delete(left, at, at+1)
		}
	}
	return len(left) == 0
}

// fits reports whether an outcome is the recorded one.
func (e *Expect) fits(got *Outcome) bool {
	if !e.OK {
		return got.Failure != nil && e.Error.fits(got.Failure)
	}
	if got.Failure != nil {
		return false
	}
	raw := e.Result
	if e.Claims != nil {
		raw = e.Claims
	}
	want, err := decode(raw)
	return err == nil && raw != nil && Same(got.Value, want)
}

func (e *Error) fits(got *Failure) bool {
	switch {
	case strings.HasPrefix(e.Class, "CRASH"):
		return false // an outcome of ours stands in the list of differences
	case e.Class == "ValueError" || got.Inexpressible:
		return got.Inexpressible || got.Status == 0
	case got.Status != e.Status || any(got.Code) != e.Code:
		return false
	case got.Challenges == nil:
		return true
	}
	want := ""
	if e.Challenge != nil {
		want = *e.Challenge
	}
	if e.Template != "" {
		want = strings.ReplaceAll(e.Template, "{message}", got.Description)
	} else if text, ok := e.Message.(string); ok && text != "" {
		want = strings.ReplaceAll(want, `error_description="`+text+`"`, `error_description="`+got.Description+`"`)
	}
	return *got.Challenges == want
}

// String returns an outcome as the list of differences states it.
func (o *Outcome) String() string {
	if o.Failure == nil {
		data, err := json.Marshal(o.Value)
		if err != nil {
			return "accepted"
		}
		return "accepted " + string(data)
	}
	f := o.Failure
	switch {
	case f.Inexpressible:
		return "inexpressible"
	case f.Status == 0:
		return "refused"
	}
	text := strings.Join(slices.DeleteFunc([]string{strconv.Itoa(f.Status), f.Code, f.Reason}, func(s string) bool { return s == "" }), " ")
	if f.RetryAfter {
		text += " with Retry-After"
	}
	if f.Challenges != nil && *f.Challenges != "" {
		text += " " + strings.ReplaceAll(*f.Challenges, f.Description, "...")
	}
	return text
}

func compareCalls(want *Expect, got []Call) string {
	left := slices.Clone(want.UpstreamCalls)
	for i := range got {
		at := slices.IndexFunc(left, func(w Call) bool { return got[i].fits(&w) })
		if at < 0 {
			return statedCalls(got)
		}
		left = slices.Delete(left, at, at+1)
	}
	if want.OK && len(left) > 0 {
		return statedCalls(got)
	}
	return ""
}

func statedCalls(calls []Call) string {
	counts := make(map[string]int)
	for i := range calls {
		text := calls[i].Method + " " + calls[i].URL
		if calls[i].Form != nil {
			data, err := json.Marshal(calls[i].Form)
			if err == nil {
				text += " " + string(data)
			}
		}
		if calls[i].Authorization != "" {
			text += " " + calls[i].Authorization
		}
		counts[text]++
	}
	var list []string
	for _, text := range slices.Sorted(maps.Keys(counts)) {
		list = append(list, strconv.Itoa(counts[text])+" times "+text)
	}
	return "calls [" + strings.Join(list, ", ") + "]"
}

// fits compares calls; a deadline is at most the recorded one.
func (c *Call) fits(want *Call) bool {
	limit := 10 * time.Second
	if want.Timeout != "" {
		limit = Seconds(want.Timeout)
	}
	return c.Method == want.Method && c.URL == want.URL && reflect.DeepEqual(c.Form, want.Form) &&
		c.Authorization == want.Authorization && c.ContentType == want.ContentType &&
		(c.Form == nil || c.Timeout != "" && Seconds(c.Timeout) <= limit)
}

// Seconds converts a number of seconds to a duration, rounded down.
func Seconds(n json.Number) time.Duration {
	if n == "" {
		return 0
	}
	return instant(n).Sub(time.Unix(0, 0))
}

// credentials are withheld from resolvers, whatever was recorded.
var credentials = []string{"Authorization", "Dpop", "Cookie"}

// compareAsked compares what a resolver was told: the last time, and how often.
func compareAsked(want *Expect, got []Context) string {
	if want.Resolver == nil {
		return ""
	}
	if len(got) != max(1, want.ResolverCalls) {
		return fmt.Sprintf("resolver asked %d times", len(got))
	}
	last := got[len(got)-1]
	headers := make(map[string]string)
	for name, value := range want.Resolver.Headers {
		if name = http.CanonicalHeaderKey(name); !slices.Contains(credentials, name) {
			headers[name] = value
		}
	}
	switch {
	case last.Issuer != want.Resolver.Issuer:
		return "resolver told issuer " + last.Issuer
	case want.Resolver.URL == nil && last.URL != nil || want.Resolver.URL != nil && (last.URL == nil || *last.URL != *want.Resolver.URL):
		return "resolver told another URL"
	case !maps.Equal(last.Headers, headers):
		return fmt.Sprintf("resolver told headers %v", last.Headers)
	}
	return ""
}

// Same compares JSON values. Numbers are compared by their digits, exactly;
// {"$float": "NaN"} and its like, which no JSON value is, equal nothing.
func Same(a, b any) bool {
	switch x := a.(type) {
	case json.Number:
		y, ok := b.(json.Number)
		return ok && decimal(x) == decimal(y)
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for name := range x {
			if _, ok := y[name]; !ok || !Same(x[name], y[name]) {
				return false
			}
		}
		return true
	case []any:
		y, ok := b.([]any)
		return ok && slices.EqualFunc(x, y, Same)
	default:
		return a == b
	}
}

// decimal returns the one spelling of a number: sign, digits without zeros at
// either end, and exponent. 1.50e3 and 1500 are both 15e2.
func decimal(n json.Number) string {
	text, negative := strings.CutPrefix(strings.ToLower(n.String()), "-")
	mantissa, exponent, _ := strings.Cut(text, "e")
	power, err := strconv.Atoi(strings.TrimPrefix("0"+strings.TrimPrefix(exponent, "+"), "0-"))
	if err != nil {
		return n.String()
	}
	if strings.HasPrefix(exponent, "-") {
		power = -power
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	power -= len(fraction)
	digits := whole + fraction
	trimmed := strings.TrimRight(digits, "0")
	power += len(digits) - len(trimmed)
	if trimmed = strings.TrimLeft(trimmed, "0"); trimmed == "" {
		return "0"
	}
	if negative {
		trimmed = "-" + trimmed
	}
	return trimmed + "e" + strconv.Itoa(power)
}
