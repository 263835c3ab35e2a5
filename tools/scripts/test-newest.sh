#!/usr/bin/env bash
# Runs the tests of the released modules with the newest release of each module
# that they require directly (go-jose, go-redis, gomemcache, bigcache, gomock,
# OpenTelemetry), whatever their go.mod says. No go.mod is changed. Needs the
# network, and the servers of the adapters (make servers). Arguments: folders of
# modules, instead of all.
set -euo pipefail
cd "$(dirname "$0")/../.."

GO=${GO:-go}
export GOWORK=off
core=github.com/portcullis-go/portcullis
if [ $# -eq 0 ]; then
	mapfile -t modules < <(find . -name go.mod -not -path './.git/*' -not -path '*/testdata/*' \
		-not -path './examples/*' -not -path './tools/*' -not -path './findings/*' -exec dirname {} + | sort)
	set -- "${modules[@]}"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=()
for module; do
	echo "== $module"
	file=$work/$(echo "$module" | tr / _).mod
	cp "$module/go.mod" "$file"
	[ ! -e "$module/go.sum" ] || cp "$module/go.sum" "${file%.mod}.sum"
	direct=($(cd "$module" && $GO list -m -f '{{if not (or .Indirect .Main)}}{{.Path}}{{end}}' all | grep -v "^$core" || true))
	(
		cd "$module"
		for dependency in "${direct[@]}"; do
			$GO get -modfile="$file" "$dependency@latest" &&
				$GO list -modfile="$file" -m -f '   {{.Path}} {{.Version}}' "$dependency" || exit 1
		done
		$GO test -modfile="$file" -mod=mod -timeout 20m ./...
	) || failed+=("$module")
done
if [ ${#failed[@]} -gt 0 ]; then
	echo "test-newest: failed: ${failed[*]}" >&2
	exit 1
fi
