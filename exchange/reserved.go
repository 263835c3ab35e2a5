package exchange

import "strings"

// reserved are the parameters that Extra cannot have: those that this package
// sends, and those with which a server could be made to read another grant,
// client or token.
var reserved = [...]string{
	"grant_type", "client_id", "client_secret", "client_assertion", "client_assertion_type",
	"subject_token", "subject_token_type", "requested_token_type", "actor_token", "actor_token_type",
	"subject_issuer", "audience", "aud", "resource", "resources", "resource_indicator", "scope",
	"connection", "login_hint", "organization", "assertion", "requested_token_use",
}

// reservedLetters are the reserved names by their letters.
var reservedLetters = func() map[string]bool {
	m := make(map[string]bool, len(reserved))
	for _, name := range reserved {
		m[letters(name)] = true
	}
	return m
}()

// isReserved reports whether some server may read a name as one of the reserved
// ones. Names in Extra may come from a client, and form parsers differ in what
// they make of a name: they fold its case, drop what is around it, take "[]",
// "[0]" or ".x" behind it for a further value or a part of it, and put "_" for
// "." and other characters. So neither the letters and digits of the whole name
// nor those before its first bracket, dot or the like may be those of a reserved
// name. Names that are not of visible ASCII, or have a "%", which a server might
// decode once more, are reserved as a whole.
func isReserved(name string) bool {
	if strings.ContainsFunc(name, func(r rune) bool { return r <= 0x20 || r >= 0x7f || r == '%' }) {
		return true
	}
	root := strings.TrimLeftFunc(name, func(r rune) bool { return !letterOrDigit(r) })
	if root == "" {
		return true
	}
	if end := strings.IndexFunc(root, func(r rune) bool { return !letterOrDigit(r) && r != '_' && r != '-' }); end >= 0 {
		root = root[:end]
	}
	return reservedLetters[letters(root)] || reservedLetters[letters(name)]
}

// letters returns the letters and digits of a name, in lower case.
func letters(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case !letterOrDigit(r):
			return -1
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		default:
			return r
		}
	}, name)
}

func letterOrDigit(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}
