#!/usr/bin/env bash
# Runs every script of findings/ and counts those that are not true any more.
set -euo pipefail
cd "$(dirname "$0")/../../findings"
ran=0 changed=0
for script in *.sh; do
	echo "== $script"
	ran=$((ran + 1))
	bash "$script" || { changed=$((changed + 1)); echo "!! $script: not as it is written down"; }
done
echo "findings: $ran ran, $changed changed"
[ "$changed" -eq 0 ]
