package verifier

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/portcullis-go/portcullis/internal/cachecontrol"
	"github.com/portcullis-go/portcullis/internal/keys"
	"github.com/portcullis-go/portcullis/internal/lifecycle"
	"github.com/portcullis-go/portcullis/internal/strictjson"
)

var errUnitedSet = errors.New("verifier: one of the united key sets is not a JSON Web Key Set")

// united fetches several key sets as one. The tag tells what they are.
func (d *sourceDefaults) united(m *mistakes, field string, name spellings, i *Issuer, parts []Keys) (fetch keys.FetchFunc, tag string) {
	sources := make([]*keys.Source, 0, len(parts))
	tags := []string{"united"}
	for _, part := range parts {
		source := d.source(m, field, name, &Issuer{Name: i.Name, Aliases: i.Aliases, Keys: part, Doer: i.Doer})
		if source == nil {
			continue
		}
		sources = append(sources, source)
		tags = append(tags, source.Identity())
	}
	return func(ctx context.Context, _ string) (lifecycle.Answer, error) { return unite(ctx, sources) }, strings.Join(tags, " + ")
}

// unite fetches one set after the other: each fetch is bounded, and so is the
// number of sets.
func unite(ctx context.Context, sources []*keys.Source) (lifecycle.Answer, error) {
	answer := lifecycle.Answer{}
	all := []json.RawMessage{} // not null, if all are empty
	for n, source := range sources {
		a, err := source.FetchKeys(ctx, "")
		if err != nil {
			return lifecycle.Answer{}, err
		}
		list, err := keysIn(a.Body)
		if err != nil {
			return lifecycle.Answer{}, err
		}
		all = append(all, list...)
		if n == 0 {
			answer.Freshness = a.Freshness
		}
		answer.Freshness = shorter(answer.Freshness, a.Freshness)
	}
	var err error
	answer.Body, err = json.Marshal(map[string][]json.RawMessage{"keys": all})
	return answer, err
}

// keysIn returns the entries of a key set as they stand. Which of them can be used
// is judged with the whole.
func keysIn(document []byte) ([]json.RawMessage, error) {
	members, err := strictjson.ParseDocument(string(document), nil)
	if err != nil {
		return nil, errUnitedSet
	}
	keys, once := strictjson.One(members, "keys")
	entries, ok := keys.Elements(nil)
	if !once || !ok {
		return nil, errUnitedSet
	}
	list := make([]json.RawMessage, len(entries))
	for i, entry := range entries {
		list[i] = json.RawMessage(entry.Raw())
	}
	return list, nil
}

// shorter returns the directives under which an answer is fresh for less long. One
// that states nothing leaves it to the other.
func shorter(a, b cachecontrol.Directives) cachecontrol.Directives {
	noStore, noCache := a.NoStore || b.NoStore, a.NoCache || b.NoCache
	if b.HasMaxAge && (!a.HasMaxAge || b.MaxAge-b.Age < a.MaxAge-a.Age) {
		a = b
	}
	a.NoStore, a.NoCache = noStore, noCache
	return a
}
