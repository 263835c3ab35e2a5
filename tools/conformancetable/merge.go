package main

import "github.com/portcullis-go/portcullis/conformance"

// merge puts reports on one implementation, such as those of its Cache and its
// ReplayStore, into one. A check that is in several counts once: it failed if
// one says so, and else passed if one says so.
func merge(implementation string, reports ...conformance.Report) conformance.Report {
	merged := conformance.Report{Implementation: implementation, Suite: conformance.Version, Results: []conformance.Result{}}
	at := make(map[[2]string]int)
	for _, report := range reports {
		merged.Profiles = append(merged.Profiles, report.Profiles...)
		for _, r := range report.Results {
			id := [2]string{r.Interface, r.Check}
			i, ok := at[id]
			switch {
			case !ok:
				at[id] = len(merged.Results)
				merged.Results = append(merged.Results, r)
			case r.Status == conformance.Failed, r.Status == conformance.Passed && merged.Results[i].Status == conformance.Skipped:
				merged.Results[i] = r
			}
		}
	}
	return merged
}
