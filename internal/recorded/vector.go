package recorded

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ErrInexpressible says that a vector holds a value that the types of Go rule
// out, such as a number in place of a text.
var ErrInexpressible = errors.New("recorded: a value that Go's types rule out")

// A Vector is one recorded behaviour. It has either Request and Expect or Steps.
type Vector struct {
	ID            string      `json:"id"`
	Group         string      `json:"group"`
	Now           json.Number `json:"now"`
	Clock         string      `json:"clock"`
	Config        Members     `json:"config"`
	Upstream      []Upstream  `json:"upstream"`
	Request       *Request    `json:"request"`
	Expect        *Expect     `json:"expect"`
	Steps         []Step      `json:"steps"`
	Note          string      `json:"note"`
	Tests         []string    `json:"tests"`
	Revision      string      `json:"revision"`
	Quirk         string      `json:"quirk"`
	QuirkKind     string      `json:"quirk_kind"`
	QuirkSystemic []string    `json:"quirk_systemic"`
}

// A Step is one of successive requests to one subject.
type Step struct {
	Now      json.Number `json:"now"`
	Upstream []Upstream  `json:"upstream"` // replaces the whole list from now on
	Request  *Request    `json:"request"`
	Expect   *Expect     `json:"expect"`
}

// Sequence returns the steps of a vector; one without steps is one step.
func (v *Vector) Sequence() []Step {
	if v.Request == nil {
		return v.Steps
	}
	return []Step{{Request: v.Request, Expect: v.Expect}}
}

// Performs reports whether a step of the vector is one of some operations.
func (v *Vector) Performs(operations ...string) bool {
	return slices.ContainsFunc(v.Sequence(), func(s Step) bool { return slices.Contains(operations, s.Request.Operation) })
}

// An Upstream is an answer of the network to one method and URL. Error is
// "timeout" or "network" instead of an answer; Times is how often it is given,
// without limit where it is nil.
type Upstream struct {
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
	Body    *string           `json:"body"`
	BodyB64 *[]byte           `json:"body_b64"`
	Error   string            `json:"error"`
	Times   *int              `json:"times"`
}

// A Request is an operation with its arguments. An argument that was not given
// is absent, one that was given as null is there.
type Request struct {
	Operation  string
	Concurrent int // equal calls at once; at least 1
	Members
}

// UnmarshalJSON reads the operation and leaves the arguments as they are.
func (r *Request) UnmarshalJSON(data []byte) error {
	if err := json.Unmarshal(data, &r.Members); err != nil {
		return err
	}
	r.Concurrent = 1
	for name, to := range map[string]any{"operation": &r.Operation, "concurrent": &r.Concurrent} {
		if raw, ok := r.Members[name]; ok {
			if err := json.Unmarshal(raw, to); err != nil {
				return err
			}
			delete(r.Members, name)
		}
	}
	if r.Operation == "" || r.Concurrent < 1 {
		return errors.New("a request without operation, or made less than once")
	}
	return nil
}

// Members are the members of a JSON object, undecoded.
type Members map[string]json.RawMessage

// Known returns an error if a member is none of those.
func (m Members) Known(names ...string) error {
	for name := range m {
		if !slices.Contains(names, name) {
			return fmt.Errorf("unknown member %q", name)
		}
	}
	return nil
}

// Has reports whether a member is there; null is.
func (m Members) Has(name string) bool { return m[name] != nil }

// Null reports whether a member is there and null.
func (m Members) Null(name string) bool { return string(m[name]) == "null" }

// Value returns a decoded member, numbers as [json.Number]; nil where it is
// absent or null.
func (m Members) Value(name string) any {
	value, err := decode(m[name])
	if err != nil {
		return nil
	}
	return value
}

// Text returns a member that is a text. One that is absent or null is "", as
// Go has no text that is null; anything else is [ErrInexpressible].
func (m Members) Text(name string) (string, error) {
	switch value := m.Value(name).(type) {
	case nil:
		return "", nil
	case string:
		return value, nil
	default:
		return "", ErrInexpressible
	}
}

// Read decodes a member into a Go value, which stays as it is where the member
// is absent. A member that is null, or of another type, is [ErrInexpressible]:
// no zero value stands for what was passed.
func (m Members) Read(name string, to any) error {
	if !m.Has(name) {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(m[name]))
	decoder.UseNumber()
	if m.Null(name) || decoder.Decode(to) != nil {
		return ErrInexpressible
	}
	return nil
}

// Fields returns the fields of a header in the order of the vector, with their
// names as they were spelt. A field that is null is absent; a value that is no
// text is [ErrInexpressible].
func (m Members) Fields(name string) ([][2]string, error) {
	if !m.Has(name) || m.Null(name) {
		return nil, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(m[name]))
	if open, err := decoder.Token(); err != nil || open != json.Delim('{') {
		return nil, ErrInexpressible
	}
	var fields [][2]string
	for decoder.More() {
		field, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		var value *string
		if err := decoder.Decode(&value); err != nil {
			return nil, ErrInexpressible
		}
		if value != nil {
			fields = append(fields, [2]string{field.(string), *value})
		}
	}
	return fields, nil
}

func decode(raw json.RawMessage) (value any, err error) {
	if len(raw) == 0 {
		return nil, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	return value, decoder.Decode(&value)
}

// An Expect is what came out. Claims and Result tell null from absent.
type Expect struct {
	OK            bool            `json:"ok"`
	Claims        json.RawMessage `json:"claims"`
	Result        json.RawMessage `json:"result"`
	Error         *Error          `json:"error"`
	At            string          `json:"at"`
	UpstreamCalls []Call          `json:"upstream_calls"`
	Resolver      *Context        `json:"resolver_context"`
	ResolverCalls int             `json:"resolver_calls"`
	Concurrent    int             `json:"concurrent"` // callers, for Outcomes; otherwise all ended alike
	Outcomes      []Tally         `json:"outcomes"`
}

// A Tally says how many of several callers at once had an outcome.
type Tally struct {
	Count   int    `json:"count"`
	Outcome Expect `json:"outcome"`
}

// An Error is a recorded failure.
type Error struct {
	Class     string  `json:"class"`
	Status    int     `json:"status_code"`
	Code      any     `json:"error_code"`
	Message   any     `json:"message"`
	Prefix    string  `json:"message_prefix"`
	Challenge *string `json:"www_authenticate"`
	Template  string  `json:"www_authenticate_template"`
}

// A Call is a request to the network.
type Call struct {
	Method        string              `json:"method"`
	URL           string              `json:"url"`
	Form          map[string][]string `json:"form"`
	Authorization string              `json:"authorization"`
	ContentType   string              `json:"content_type"`
	Timeout       json.Number         `json:"timeout_seconds"` // 10 where it is absent
}

// A Context is what a resolver was told.
type Context struct {
	Issuer  string            `json:"unverified_iss"`
	URL     *string           `json:"request_url"`
	Headers map[string]string `json:"request_headers"`
}

// ReadFolder returns the recorded vectors in the JSON files of a folder and
// those below it. Files of another shape are passed over: the attack corpus has
// a player of its own.
func ReadFolder(folder string) ([]Vector, error) {
	var all []Vector
	err := filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".json") {
			return err
		}
		list, err := ReadFile(path)
		if errors.Is(err, errOtherShape) {
			return nil
		}
		all = append(all, list...)
		return err
	})
	return all, err
}

var errOtherShape = errors.New("recorded: not a list of recorded vectors")

// ReadFile returns the vectors of a file: a JSON array.
func ReadFile(name string) ([]Vector, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var list []json.RawMessage
	if json.Unmarshal(data, &list) != nil || len(list) == 0 {
		return nil, errOtherShape
	}
	var all []Vector
	for _, raw := range list {
		var members Members
		if json.Unmarshal(raw, &members) != nil || !members.Has("group") || !members.Has("request") && !members.Has("steps") {
			return nil, errOtherShape
		}
		var v Vector
		decoder := json.NewDecoder(bytes.NewReader(raw))
		decoder.UseNumber()
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&v); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", filepath.Base(name), members["id"], err)
		}
		if err := v.check(); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", filepath.Base(name), v.ID, err)
		}
		all = append(all, v)
	}
	return all, nil
}

// arguments are those of each operation. The two helpers with nil take one of
// any name.
var arguments = map[string][]string{
	"verify_request":                  {"headers", "headers_list", "http_method", "http_url"},
	"verify_access_token":             {"access_token", "required_claims", "request_url", "request_headers"},
	"verify_dpop_proof":               {"access_token", "proof", "http_method", "http_url"},
	"get_access_token_for_connection": {"access_token", "connection", "login_hint"},
	"get_token_by_exchange_profile":   {"subject_token", "subject_token_type", "audience", "scope", "requested_token_type", "extra"},
	"get_token_on_behalf_of":          {"access_token", "audience", "scope"},
	"get_current_actor":               {"claims"},
	"get_delegation_chain":            {"claims"},
	"new_client":                      {},
	"resolve_allowed_domains":         {"issuer", "request_url", "request_headers"},
	"normalize_domain":                {"domain"},
	"normalize_url_for_htu":           nil,
	"sha256_base64url":                nil,
	"parse_cache_control":             {"headers"},
	"calculate_jwk_thumbprint":        {"jwk"},
	"get_unverified_payload":          {"token"},
	"get_unverified_header":           {"token"},
	"cache_sequence":                  {"ops", "max_entries"},
}

// check returns what of a vector is not understood.
func (v *Vector) check() error {
	if v.ID == "" || (v.Request == nil) == (v.Steps == nil) || v.Request != nil && v.Expect == nil {
		return errors.New("a vector has an id and either request and expect or steps")
	}
	if v.Clock != "" && v.Clock != "ticking" {
		return fmt.Errorf("unknown clock %q", v.Clock)
	}
	upstream := slices.Clone(v.Upstream)
	for i, step := range v.Sequence() {
		upstream = append(upstream, step.Upstream...)
		if step.Request == nil || step.Expect == nil {
			return fmt.Errorf("step %d has no request or no expect", i)
		}
		known, ok := arguments[step.Request.Operation]
		switch {
		case !ok:
			return fmt.Errorf("unknown operation %q", step.Request.Operation)
		case known == nil && len(step.Request.Members) != 1:
			return fmt.Errorf("%s takes one argument", step.Request.Operation)
		case known != nil:
			if err := step.Request.Known(known...); err != nil {
				return err
			}
		}
		if !step.Expect.OK && step.Expect.Error == nil && step.Expect.Outcomes == nil {
			return fmt.Errorf("step %d fails without an error", i)
		}
	}
	for _, u := range upstream {
		if u.Error != "" && u.Error != "timeout" && u.Error != "network" {
			return fmt.Errorf("unknown error %q of the network", u.Error)
		}
	}
	return nil
}

// Only returns the single argument of an operation that has one.
func (r *Request) Only() (name string) {
	for name = range r.Members {
		return name
	}
	return ""
}
