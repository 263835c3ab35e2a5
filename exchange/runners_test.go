package exchange_test

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/portcullis-go/portcullis/internal/recorded"
	"github.com/portcullis-go/portcullis/verifier"
)

// outcomesOf changes every outcome of an observation.
func outcomesOf(change func(o *recorded.Outcome)) func(*recorded.Observation) {
	return func(o *recorded.Observation) {
		for i := range o.Steps {
			for j := range o.Steps[i].Outcomes {
				change(&o.Steps[i].Outcomes[j])
			}
		}
	}
}

// resultsOf changes a copy of every result.
func resultsOf(change func(result map[string]any)) func(*recorded.Observation) {
	return outcomesOf(func(o *recorded.Outcome) {
		if result, ok := o.Value.(map[string]any); ok {
			result = maps.Clone(result)
			change(result)
			o.Value = result
		}
	})
}

// failuresOf changes a copy of every failure.
func failuresOf(change func(f *recorded.Failure)) func(*recorded.Observation) {
	return outcomesOf(func(o *recorded.Outcome) {
		if o.Failure != nil {
			f := *o.Failure
			change(&f)
			o.Failure = &f
		}
	})
}

// postsOf changes a copy of every call that sends a form.
func postsOf(change func(c *recorded.Call)) func(*recorded.Observation) {
	return func(o *recorded.Observation) {
		for i := range o.Steps {
			for j := range o.Steps[i].Calls {
				if c := &o.Steps[i].Calls[j]; c.Form != nil {
					c.Form = maps.Clone(c.Form)
					change(c)
				}
			}
		}
	}
}

var observationFaults = []struct {
	name  string
	fault func(o *recorded.Observation)
}{
	{"outages answer 418", failuresOf(func(f *recorded.Failure) {
		if f.Status >= 500 {
			f.Status = http.StatusTeapot
		}
	})},
	{"refusals of the endpoint are outages", failuresOf(func(f *recorded.Failure) {
		if f.Status < 500 {
			f.Status = 502
		}
	})},
	{"mistakes of the program are outages", failuresOf(func(f *recorded.Failure) {
		if f.Status == 400 {
			f.Status = 503
		}
	})},
	{"error codes are lost", failuresOf(func(f *recorded.Failure) { f.Code = "" })},
	{"time-outs are network faults", failuresOf(func(f *recorded.Failure) {
		if f.Status == 504 {
			f.Status, f.Code = 502, "network_error"
		}
	})},
	{"failures are results", outcomesOf(func(o *recorded.Outcome) { o.Failure = nil })},
	{"results are failures", outcomesOf(func(o *recorded.Outcome) { o.Failure = &recorded.Failure{Status: 502, Code: "network_error"} })},
	{"the scope is lost", resultsOf(func(r map[string]any) { delete(r, "scope") })},
	{"the type of the token is lost", resultsOf(func(r map[string]any) { delete(r, "token_type") })},
	{"the refresh token is lost", resultsOf(func(r map[string]any) { delete(r, "refresh_token") })},
	{"the ID token is lost", resultsOf(func(r map[string]any) { delete(r, "id_token") })},
	{"null in place of nothing", resultsOf(func(r map[string]any) {
		if r["token_type"] == nil {
			r["token_type"] = nil
		}
	})},
	{"another expiry", resultsOf(func(r map[string]any) { r["expires_at"] = r["expires_in"] })},
	{"every call is made twice", func(o *recorded.Observation) {
		for i := range o.Steps {
			o.Steps[i].Calls = slices.Repeat(o.Steps[i].Calls, 2)
		}
	}},
	{"no call is made", func(o *recorded.Observation) {
		for i := range o.Steps {
			o.Steps[i].Calls = nil
		}
	}},
	{"the scope is not sent", postsOf(func(c *recorded.Call) { delete(c.Form, "scope") })},
	{"the audience is not sent", postsOf(func(c *recorded.Call) { delete(c.Form, "audience") })},
	{"further parameters are not sent", postsOf(func(c *recorded.Call) {
		maps.DeleteFunc(c.Form, func(name string, _ []string) bool {
			return !slices.Contains([]string{"grant_type", "subject_token", "subject_token_type", "audience", "scope", "requested_token_type", "connection", "login_hint", "client_id", "client_secret"}, name)
		})
	})},
	{"only one value of a parameter is sent", postsOf(func(c *recorded.Call) {
		for name, list := range c.Form {
			c.Form[name] = list[:1]
		}
	})},
	{"the client does not identify itself", postsOf(func(c *recorded.Call) { c.Authorization = "" })},
	{"the secret goes into the form, too", postsOf(func(c *recorded.Call) { c.Form["client_secret"] = []string{"csecret"} })},
	{"another media type", postsOf(func(c *recorded.Call) { c.ContentType = "application/json" })},
	{"no deadline", postsOf(func(c *recorded.Call) { c.Timeout = "" })},
	{"a deadline of a minute", postsOf(func(c *recorded.Call) { c.Timeout = "60" })},
	{"New refuses everything", func(o *recorded.Observation) { *o = recorded.Observation{Construction: &recorded.Failure{}} }},
}

// networkFaults stand between the client and the network.
var networkFaults = []struct {
	name string
	doer func(verifier.Doer) verifier.Doer
}{
	{"answers are cut", rewriting(func(b []byte) []byte { return b[:len(b)/2] })},
	{"answers are empty objects", rewriting(func([]byte) []byte { return []byte("{}") })},
	{"error codes are spelt in capitals", rewriting(bytes.ToUpper)},
	{"statuses are all 200", func(doer verifier.Doer) verifier.Doer {
		return verifier.DoerFunc(func(req *http.Request) (*http.Response, error) {
			resp, err := doer.Do(req)
			if resp != nil {
				resp.StatusCode = http.StatusOK
			}
			return resp, err
		})
	}},
	{"secrets are sent elsewhere", func(doer verifier.Doer) verifier.Doer {
		return verifier.DoerFunc(func(req *http.Request) (*http.Response, error) {
			if req.Method == http.MethodPost {
				other := *req.URL
				other.Host = "evil.example"
				req = req.Clone(req.Context())
				req.URL = &url.URL{Scheme: other.Scheme, Host: other.Host, Path: other.Path}
			}
			return doer.Do(req)
		})
	}},
}

func rewriting(change func([]byte) []byte) func(verifier.Doer) verifier.Doer {
	return func(doer verifier.Doer) verifier.Doer {
		return verifier.DoerFunc(func(req *http.Request) (*http.Response, error) {
			resp, err := doer.Do(req)
			if err != nil {
				return nil, err
			}
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				return nil, err
			}
			body = change(body)
			resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
			return resp, nil
		})
	}
}

// TestRunnerNoticesFaults puts faults into what comes out of the product, one at
// a time, and demands that the runner goes red.
func TestRunnerNoticesFaults(t *testing.T) {
	own, _ := parityVectors(t)
	differences := parityDifferences(t, own)
	named := make([]*recorded.Vector, len(own))
	for i := range own {
		named[i], _ = anonymous(&own[i])
	}
	notices := func(doer func(verifier.Doer) verifier.Doer, fault func(*recorded.Observation)) bool {
		return slices.ContainsFunc(named, func(v *recorded.Vector) bool {
			o := recorded.Play(t.Context(), v, startParity(true, doer))
			if fault != nil {
				fault(&o)
			}
			problem, _ := differences.Judge(v, recorded.Compare(v, &o))
			return problem != ""
		})
	}
	if notices(nil, nil) {
		t.Fatal("the runner is red without a fault")
	}
	faults, noticed := 0, 0
	count := func(name string, ok bool) {
		if faults++; ok {
			noticed++
			return
		}
		t.Errorf("%s: not noticed", name)
	}
	for _, f := range observationFaults {
		count(f.name, notices(nil, f.fault))
	}
	for _, f := range networkFaults {
		count(f.name, notices(f.doer, nil))
	}
	named200 := func(doer verifier.Doer) verifier.Doer {
		return verifier.DoerFunc(func(req *http.Request) (*http.Response, error) {
			resp, err := doer.Do(req)
			if err == nil && strings.HasSuffix(req.URL.Path, "/openid-configuration") {
				return rewriting(func(b []byte) []byte {
					return bytes.Replace(b, []byte("{"), []byte(`{"issuer":"https://auth0.local/",`), 1)
				})(verifier.DoerFunc(func(*http.Request) (*http.Response, error) { return resp, nil })).Do(req)
			}
			return resp, err
		})
	}
	count("metadata without issuer is taken", slices.ContainsFunc(own, func(v recorded.Vector) bool {
		_, unnamed := anonymous(&v)
		return unnamed && v.Request != nil && replayAnonymous(t.Context(), &v, startParity(true, named200)) != ""
	}))
	t.Logf("%d faults, %d noticed", faults, noticed)
}
