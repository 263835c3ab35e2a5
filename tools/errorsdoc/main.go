// Errorsdoc writes docs/errors.md, the catalogue of every reason for which a
// request is refused, from the catalogue in package verifier.
package main

import (
	"bytes"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/reason"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: errorsdoc FILE")
	}
	if err := os.WriteFile(os.Args[1], document(reason.Catalogue()), 0o644); err != nil {
		log.Fatal(err)
	}
}

const preface = `# Errors

Every refusal is a ` + "`*verifier.Error`" + ` with one of the reasons below: stable words for logs, metrics, alerts and tests. A client sees
the status, the challenge and the description, never the reason's cause. This page is generated from ` + "`reason.Catalogue()`" + `;
` + "`make generate`" + ` writes it and ` + "`make test`" + ` fails when it is out of date.

How to read the challenge:

- The ` + "`error`" + ` stands on the challenge of the scheme that the client used; the other scheme that the mode allows is offered beside it,
  without an error (RFC 9449, Section 7.2).
- A challenge without an error names the ` + "`realm`" + ` (RFC 6750, Section 3), and for DPoP the ` + "`algs`" + `.
- "none" means that there is no challenge: the token may be good, and a client must not throw it away. Status 503 comes with
  ` + "`Retry-After`" + `.
- A status in parentheses is what ` + "`Config.Auth0Statuses`" + ` answers instead.

For code, ` + "`errors.Is(err, verifier.ErrUnavailable)`" + ` and its siblings tell the families apart; ` + "`Error.Reason`" + ` is finer.
`

// document is the whole page.
func document(reasons []reason.Info) []byte {
	var b bytes.Buffer
	b.WriteString(preface)
	family := ""
	for _, r := range reasons {
		if title := familyOf(r); title != family {
			family = title
			fmt.Fprintf(&b, "\n## %s\n", title)
			b.WriteString("\n| reason | status | challenge | the client is told | what an operator does |\n|---|---|---|---|---|\n")
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", r.Reason, status(r), challenge(r), r.Description, cell(r.Advice))
	}
	return b.Bytes()
}

func familyOf(r reason.Info) string {
	switch {
	case r.Status == 503:
		return "Could not decide"
	case r.Status >= 500:
		return "Mistakes of the calling program"
	}
	switch r.Code {
	case string(verifier.CodeInvalidToken):
		return "The access token"
	case string(verifier.CodeInvalidDPoPProof), string(verifier.CodeUseDPoPNonce):
		return "The DPoP proof"
	case string(verifier.CodeInsufficientScope), string(verifier.CodeInsufficientUserAuthentication):
		return "Authorization"
	default:
		return "The credentials of the request"
	}
}

func status(r reason.Info) string {
	if r.Auth0Status != 0 && r.Auth0Status != r.Status {
		return fmt.Sprintf("%d (%d)", r.Status, r.Auth0Status)
	}
	return fmt.Sprint(r.Status)
}

func challenge(r reason.Info) string {
	switch {
	case r.Status >= 500:
		return "none"
	case r.Code == "":
		return "without an error"
	default:
		return fmt.Sprintf("`error=\"%s\"`", r.Code)
	}
}

func cell(text string) string { return strings.ReplaceAll(text, "|", "\\|") }
