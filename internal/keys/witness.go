package keys

import (
	"net/http"

	"github.com/portcullis-go/portcullis/internal/fetch"
)

// witness remembers the error of the Doer, for those who look for the cause of
// a failed fetch.
type witness struct {
	doer fetch.Doer
	err  error
}

func (w *witness) Do(r *http.Request) (*http.Response, error) {
	resp, err := w.doer.Do(r)
	w.err = err
	return resp, err
}
