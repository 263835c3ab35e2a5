#!/usr/bin/env bash
# Tags every released module at HEAD with one version.
set -euo pipefail
cd "$(dirname "$0")/../.."
version=${1:-}
[[ $version =~ ^v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.]+)?$ ]] || { echo "usage: tools/scripts/tag.sh vX.Y.Z" >&2; exit 2; }
[[ -z $(git status --porcelain) ]] || { echo "the work tree is not clean" >&2; exit 1; }
tags=("$version")
modules=$(git ls-files '*/go.mod' | grep -vE '^(examples|tools)/|testdata' | xargs -n 1 dirname)
for module in $modules; do
	wanted=$(sed -nE 's|^(require )?[[:space:]]*github.com/portcullis-go/portcullis (v[^ ]+).*|\2|p' "$module/go.mod" | head -n 1)
	[[ -z $wanted || $wanted == "$version" ]] || { echo "$module requires the core at $wanted" >&2; exit 1; }
	tags+=("$module/$version")
done
for tag in "${tags[@]}"; do git tag -a "$tag" -m "$tag"; done
echo "git push origin ${tags[*]}"
