#!/usr/bin/env bash
# Runs every fuzz target of every module for FUZZTIME, one after the other, and
# counts. What is found stays in testdata/fuzz of its package: commit it with
# the fix. FUZZPARALLEL bounds the workers, FUZZONLY picks targets by a pattern
# over "folder target".
set -euo pipefail
cd "$(dirname "$0")/../.."
go=${GO:-go} time=${FUZZTIME:-30s} only=${FUZZONLY:-.}
export GOWORK=off
targets=0 crashers=0 began=$SECONDS
while read -r dir target; do
	targets=$((targets + 1))
	echo "== $dir $target"
	(cd "$dir" && $go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 200x ${FUZZPARALLEL:+-parallel "$FUZZPARALLEL"} . </dev/null) ||
		{ crashers=$((crashers + 1)); echo "!! $dir $target failed"; }
done < <(grep -rE --include='*_test.go' -o '^func Fuzz[A-Za-z0-9_]+' . |
	sed -E 's#/[^/]+:func # #' | grep -E "$only" | sort -u)
echo "fuzz: $targets targets, $(((SECONDS - began + 59) / 60)) minutes, $crashers failed"
[ "$targets" -gt 0 ] && [ "$crashers" -eq 0 ]
