package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/portcullis-go/portcullis/examples/internal/byname"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/reason"
)

// configured says what a statement of the token is compared with, or "".
func (s *settings) configured(name string) string {
	issuer := s.call.Issuer
	switch name {
	case "iss":
		if s.provider == "" {
			return quoted(s.domains)
		}
		return quoted(append([]string{issuer.Name}, issuer.Aliases...))
	case "aud":
		return quoted(s.expected())
	case "alg":
		switch {
		case len(s.algorithms) > 0:
			return quoted(s.algorithms)
		case len(issuer.Algorithms) > 0:
			return quoted(issuer.Algorithms)
		default:
			return quoted([]string{"RS256"})
		}
	case "typ":
		return quoted(append([]string{"JWT", "at+jwt"}, issuer.Types...))
	case issuer.NoAudience.Claim:
		return quoted(issuer.NoAudience.Values)
	default:
		return ""
	}
}

// expected are the audiences that count.
func (s *settings) expected() []string {
	if len(s.call.Issuer.Audiences) > 0 {
		return s.call.Issuer.Audiences
	}
	return s.audiences
}

func quoted(list []string) string {
	all := make([]string, len(list))
	for i, text := range list {
		all[i] = fmt.Sprintf("%.200q", text)
	}
	return strings.Join(all, ", ")
}

// advice says which field of the configuration would let a token in, if one would.
func (r report) advice(e *verifier.Error) []string {
	header, claims := part(r.token, 0), part(r.token, 1)
	switch e.Reason {
	case reason.TokenMalformed:
		return shape(r.token)
	case reason.IssuerNotAllowed, reason.IssuerMalformed, reason.IssuerMismatch:
		return r.otherIssuer(textOf(claims, "iss"))
	case reason.TokenType:
		return []string{fmt.Sprintf("If this is an access token of your issuer: Issuer.Types: []string{%.100q}. ID tokens and logout tokens are not.", textOf(header, "typ"))}
	case reason.Algorithm:
		return []string{fmt.Sprintf("If your issuer signs so: Algorithms: []string{%.20q} (here: -algorithms). Names are exact; none and HS256 never are.", textOf(header, "alg"))}
	case reason.ClaimMissing:
		return missing(e.Claim, claims)
	case reason.ClaimValue:
		return []string{fmt.Sprintf("Issuer.RequiredValues demands %.300q of %q; the token says %s.", r.s.call.Issuer.RequiredValues[e.Claim], e.Claim, shown(claims, e.Claim))}
	case reason.Audience:
		return r.otherAudience(claims)
	case reason.Expired, reason.NotYetValid:
		return []string{"A difference of clocks is allowed for by Leeway (here: -leeway), at most 5 minutes."}
	case reason.KeyUnknown, reason.NoUsableKey:
		return r.keys()
	case reason.BoundTokenAsBearer:
		return []string{"To inspect it with its proof, give -proof, -method and -url."}
	case reason.Discovery, reason.Keys:
		return []string{"See the requests above. A key set on another host needs Keys: verifier.KeysDiscovery(host), an issuer without metadata Keys: verifier.KeysURL(url)."}
	default:
		return nil
	}
}

// shape says what a text that is no signed token looks like.
func shape(token string) []string {
	dots := strings.Count(token, ".")
	switch {
	case strings.ContainsAny(token, " \t\r\n"):
		return []string{"There is white space in it: more than one token, or a broken line."}
	case dots == 4:
		return []string{"It has five parts: an encrypted token. Config.Decryption opens those that are encrypted to your API."}
	case dots == 0:
		return []string{"It has no dots: an opaque token. Issuer.Opaque lets the issuer be asked; or make the client ask for your API's audience, for which many issuers give a JWT."}
	case dots == 2:
		return []string{"It has three parts, but they are not base64url or not strict JSON: cut off, changed on the way, or no JWT."}
	default:
		return []string{fmt.Sprintf("It has %d parts; a signed token has three.", dots+1)}
	}
}

// otherIssuer names the provider that iss points to, and how iss differs from what is
// configured.
func (r report) otherIssuer(iss string) (lines []string) {
	known := r.s.domains
	if r.s.provider != "" {
		known = append(list{r.s.call.Issuer.Name}, r.s.call.Issuer.Aliases...)
	}
	for _, name := range known {
		if how := difference(name, iss); how != "" {
			lines = append(lines, fmt.Sprintf("It differs from %.200q %s. Issuers are compared byte by byte.", name, how))
		}
	}
	claims := part(r.token, 1)
	var audiences []string
	if text := textOf(claims, "aud"); text != "" {
		audiences = []string{text}
	} else {
		_ = json.Unmarshal(claims["aud"], &audiences)
	}
	p, call, ok := byname.Guess(iss, audiences, func(name string) string { return textOf(claims, name) })
	switch {
	case ok:
		return append(lines, fmt.Sprintf("The iss points to %s. If that is your provider: Issuers: []verifier.Issuer{%.400s} (here: -provider %s)", p.Title, call, p.Name))
	case iss == "":
		return append(lines, "A token without iss needs an Issuer that is known by its subjects: providers.SPIFFE.")
	default:
		return append(lines, fmt.Sprintf("If that is your issuer: Issuers: []verifier.Issuer{{Name: %.300q}}, with Keys unless it is an https URL. docs/providers.md lists providers.", iss))
	}
}

// difference says in which small way two names differ, or "".
func difference(configured, found string) string {
	ours, ourScheme := split(configured)
	theirs, theirScheme := split(found)
	switch {
	case configured == found:
		return ""
	case ours == theirs && ourScheme == theirScheme:
		return "by the slash at the end"
	case ours == theirs:
		return "by http, https or no scheme"
	case strings.EqualFold(ours, theirs):
		return "by capitals"
	case strings.ReplaceAll(ours, "localhost", "127.0.0.1") == strings.ReplaceAll(theirs, "localhost", "127.0.0.1"):
		return "by localhost or 127.0.0.1"
	default:
		return ""
	}
}

// split cuts the scheme and the slash at the end off.
func split(name string) (rest, scheme string) {
	scheme, rest, found := strings.Cut(name, "://")
	if !found {
		scheme, rest = "", name
	}
	return strings.TrimSuffix(rest, "/"), scheme
}

func missing(claim string, claims map[string]json.RawMessage) []string {
	switch claim {
	case "aud":
		for _, name := range []string{"client_id", "azp", "cid", "appid"} {
			if client := textOf(claims, name); client != "" {
				return []string{
					"Better: make the issuer put your API's audience into its tokens.",
					fmt.Sprintf("Else, for every API of this client: Issuer.NoAudience: verifier.AudienceRule{Claim: %q, Values: []string{%.200q}}.", name, client),
				}
			}
		}
		return []string{"Issuer.NoAudience says which claim takes the place of aud; this token has none that names a client."}
	case "iat":
		return []string{`Issuer.Optional: []string{"iat"}, unless the profile of RFC 9068 is demanded.`}
	case "exp":
		return []string{"A token without end is never accepted."}
	default:
		return []string{fmt.Sprintf("Issuer.RequiredClaims or RequiredValues demands %q, which an access token of the provider has: this may be another kind of token.", claim)}
	}
}

func (r report) otherAudience(claims map[string]json.RawMessage) (lines []string) {
	var found []string
	if text := textOf(claims, "aud"); text != "" {
		found = []string{text}
	} else {
		_ = json.Unmarshal(claims["aud"], &found)
	}
	if rule := r.s.call.Issuer.NoAudience; len(found) == 0 && rule.Claim != "" {
		return []string{fmt.Sprintf("It has no aud, and %s is %s; allowed are %s (here: -allow).", rule.Claim, shown(claims, rule.Claim), quoted(rule.Values))}
	}
	for _, aud := range found[:min(len(found), 10)] {
		for _, name := range r.s.expected() {
			if how := difference(name, aud); how != "" {
				lines = append(lines, fmt.Sprintf("Its audience %.200q differs from %.200q %s. Audiences are compared byte by byte.", aud, name, how))
			}
		}
	}
	if len(found) > 0 && slices.ContainsFunc([]string{"client_id", "azp"}, func(name string) bool { return slices.Contains(found, textOf(claims, name)) }) {
		lines = append(lines, "Its audience is the client itself, as in an ID token: make the client ask for your API.")
	}
	return append(lines, "If the token is meant for your API: Audience or Issuer.Audiences (here: -audience).")
}

func shown(claims map[string]json.RawMessage, name string) string {
	if raw, ok := claims[name]; ok {
		return show(raw)
	}
	return "nothing"
}

// maxKeys is how many keys are listed.
const maxKeys = 20

func (r report) keys() []string {
	published := r.watch.published()
	if len(published) == 0 {
		return nil
	}
	lines := []string{"The issuer publishes:"}
	for _, key := range published[:min(len(published), maxKeys)] {
		lines = append(lines, "  "+key)
	}
	if more := len(published) - maxKeys; more > 0 {
		lines = append(lines, fmt.Sprintf("  and %d more", more))
	}
	return lines
}
