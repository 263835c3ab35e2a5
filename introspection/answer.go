package introspection

import (
	"time"

	"github.com/portcullis-go/portcullis/internal/strictjson"
)

// maxAnswer is how long an answer can be, in bytes; it is what the Verifier takes.
const maxAnswer = 64 << 10

// answer is a well-formed answer of an endpoint.
type answer struct {
	active bool
	claims []byte    // of an active token
	until  time.Time // exp, or zero
}

// parseAnswer reads the body of an answer (RFC 7662, Section 2.2). Its content type
// is not looked at: what parses is JSON.
func parseAnswer(body []byte) (answer, bool) {
	if len(body) > maxAnswer {
		return answer{}, false
	}
	members, err := strictjson.Parse(string(body), nil)
	if err != nil {
		return answer{}, false
	}
	active := strictjson.Find(members, "active")
	switch {
	case active.Kind() != strictjson.Bool:
		return answer{}, false
	case !active.True():
		return answer{}, true
	}
	until, _ := strictjson.Find(members, "exp").Time() // the Verifier judges it
	return answer{active: true, claims: body, until: until}, true
}
