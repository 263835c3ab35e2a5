package providers_test

import (
	"mime"
	"net/http"
	"strings"
)

// negotiate answers 406 unless the request accepts a media type, as routes of go-restful
// do that produce one: an element is compared without its parameters, and "*/*" accepts
// all; so does no Accept at all.
func negotiate(r *http.Request, produced string) int {
	accepted := r.Header.Get("Accept")
	if accepted == "" {
		return 0
	}
	for element := range strings.SplitSeq(accepted, ",") {
		name, _, err := mime.ParseMediaType(element)
		if err == nil && (name == "*/*" || name == produced) {
			return 0
		}
	}
	return http.StatusNotAcceptable
}
