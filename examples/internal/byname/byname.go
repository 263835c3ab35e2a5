// Package byname makes a verifier.Issuer from the name of a provider and the iss of its
// tokens, as they stand on a command line, and tells which provider a token points to.
package byname

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/portcullis-go/portcullis/verifier"
)

// Call is a call of a function of package providers, and what it returned.
type Call struct {
	Issuer verifier.Issuer
	code   string
}

// String is the call as it is written in Go.
func (c Call) String() string { return c.code }

// Input is what is known of an issuer.
type Input struct {
	// Issuer is the exact iss.
	Issuer string
	// Allow is what the provider's function takes beside that: clients, origins, owners,
	// policies or the like.
	Allow []string
	// Audiences are those of the API.
	Audiences []string
}

// Provider is one that has a name on the command line.
type Provider struct {
	// Name on the command line, such as "keycloak".
	Name string
	// Title is its own name.
	Title string
	// Allow says what Input.Allow is, "" for nothing.
	Allow string
	// patterns of iss, with " or " between them: texts and {places}. A place is a part
	// without slash, but {base}, and {rest} is all of it.
	patterns string
	// claim of a token in which what must be allowed stands, for a suggestion.
	claim string
	// make returns the call for the parts of iss.
	make func(part map[string]string, in Input) Call
}

// Names are the names of all providers, in order.
func Names() []string {
	names := make([]string, len(all))
	for i := range all {
		names[i] = all[i].Name
	}
	slices.Sort(names)
	return names
}

// Make returns the Issuer of a provider. The error says what is missing.
func Make(name string, in Input) (Call, error) {
	i := slices.IndexFunc(all, func(p Provider) bool { return p.Name == strings.ToLower(name) })
	if i < 0 {
		return Call{}, fmt.Errorf("no provider has the name %.100q; known are: %s", name, strings.Join(Names(), ", "))
	}
	p := all[i]
	if only := strings.Split(p.patterns, " or ")[0]; in.Issuer == "" && !strings.Contains(only, "{") {
		in.Issuer = only
	}
	part, ok := p.match(in.Issuer)
	switch {
	case !ok:
		return Call{}, fmt.Errorf("the issuer of %s has the form %s; got %.200q", p.Title, p.patterns, in.Issuer)
	case p.Allow != "" && len(in.Allow) == 0 && !strings.HasPrefix(p.Allow, "optional"):
		return Call{}, fmt.Errorf("%s needs -allow: %s", p.Title, p.Allow)
	}
	return p.make(part, in), nil
}

// Guess returns the provider that a token points to by its iss, and the call that would
// let it in. claim returns a text claim of the token, or "". What it returns is not to be
// believed: everybody can write everything into a token that is not verified.
func Guess(iss string, audiences []string, claim func(name string) string) (p Provider, call Call, ok bool) {
	for _, p := range all {
		part, ok := p.match(iss)
		if !ok || p.patterns == "{rest}" || p.patterns == "{host}" { // anything could be that
			continue
		}
		in := Input{Issuer: iss, Audiences: audiences}
		if text := claim(p.claim); text != "" {
			in.Allow = []string{text}
		} else if p.Allow != "" && !strings.HasPrefix(p.Allow, "optional") {
			in.Allow = []string{"..."}
		}
		return p, p.make(part, in), true
	}
	return Provider{}, Call{}, false
}

func (p *Provider) match(iss string) (map[string]string, bool) {
	for pattern := range strings.SplitSeq(p.patterns, " or ") {
		if part, ok := match(pattern, iss); ok {
			return part, true
		}
	}
	return nil, false
}

// match takes the places of a pattern out of a text.
func match(pattern, text string) (map[string]string, bool) {
	part := make(map[string]string)
	for pattern != "" {
		before, rest, found := strings.Cut(pattern, "{")
		if !strings.HasPrefix(text, before) {
			return nil, false
		}
		text = text[len(before):]
		if !found {
			return part, text == ""
		}
		name, after, _ := strings.Cut(rest, "}")
		next, _, _ := strings.Cut(after, "{")
		end := len(text)
		if next != "" {
			if end = strings.Index(text, next); name == "base" {
				end = strings.LastIndex(text, next)
			}
		}
		if end <= 0 || name != "rest" && name != "base" && strings.Contains(text[:end], "/") {
			return nil, false
		}
		part[name] = text[:end]
		text, pattern = text[end:], after
	}
	return part, text == ""
}

// call writes a call in Go.
func call(issuer verifier.Issuer, function string, arguments ...string) Call {
	quoted := make([]string, len(arguments))
	for i, a := range arguments {
		quoted[i] = strconv.Quote(a)
	}
	return Call{issuer, "providers." + function + "(" + strings.Join(quoted, ", ") + ")"}
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}
