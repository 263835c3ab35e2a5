#!/usr/bin/env bash
# Installs the Debian packages that `make interop` runs against. Does nothing when
# they are there. Nothing is left running.
set -euo pipefail

declare -A package=([nginx]=nginx-light [caddy]=caddy [haproxy]=haproxy [apache2]=apache2 [chromium]=chromium [node]=nodejs [npm]=npm)
missing=()
for command in "${!package[@]}"; do
	command -v "$command" >/dev/null || missing+=("${package[$command]}")
done
[ ${#missing[@]} -eq 0 ] && exit 0

fail() {
	echo "interop/install: $1; install by hand: ${missing[*]}" >&2
	exit 1
}
command -v apt-get >/dev/null || fail 'apt-get is not here'
[ "$(id -u)" -eq 0 ] || fail 'not root'

# Packages of services start them, unless this file forbids it. One that is
# already there is its owner's, who has decided.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
	trap 'rm -f "$policy"' EXIT
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -q update
apt-get -q install -y --no-install-recommends "${missing[@]}"
