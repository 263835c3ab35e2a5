#!/usr/bin/env bash
# Runs every fuzz target of the core module for FUZZTIME, one after the other.
set -euo pipefail
cd "$(dirname "$0")/.."
go=${GO:-go} time=${FUZZTIME:-30s}
export GOWORK=off
grep -rEl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u | while read -r dir; do
	grep -rhoE '^func Fuzz[A-Za-z0-9_]+' "$dir"/*_test.go | sed 's/^func //' | sort -u | while read -r target; do
		echo "== $dir $target"
		(cd "$dir" && $go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" .)
	done
done
