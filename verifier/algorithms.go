package verifier

import (
	"fmt"
	"strings"

	"github.com/portcullis-go/portcullis/internal/keyset"
)

// algorithmList is an allow-list of algorithms.
type algorithmList []*keyset.Algorithm

// find returns the algorithm of exactly this name, or nil.
func (l algorithmList) find(name string) *keyset.Algorithm {
	for _, a := range l {
		if a.Name == name {
			return a
		}
	}
	return nil
}

func (l algorithmList) String() string {
	names := make([]string, len(l))
	for i, a := range l {
		names[i] = a.Name
	}
	return strings.Join(names, " ")
}

func (m *mistakes) algorithms(field string, names []string, known *keyset.Algorithms) algorithmList {
	list := make(algorithmList, 0, len(names))
	for i, name := range names {
		a := known.ByName(name)
		if a == nil {
			m.of(fmt.Sprintf("%s[%d]", field, i), name, "is not a supported asymmetric algorithm, nor one of Config.SignatureAlgorithms; names are exact, one per entry: "+strings.Join(known.Names(), ", "))
			continue
		}
		list = append(list, a)
	}
	return list
}
