#!/usr/bin/env bash
# Installs the servers that the tests of the cache adapters start themselves:
# redis-server (which is also Sentinel) and memcached, from Debian packages.
# Does nothing when they are there. No server is left running.
set -euo pipefail

missing=()
command -v redis-server >/dev/null || missing+=(redis-server)
command -v memcached >/dev/null || missing+=(memcached)
[ ${#missing[@]} -eq 0 ] && exit 0

fail() {
	echo "install-test-servers: $1; install by hand: ${missing[*]}" >&2
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
log=$(mktemp)
for command in 'apt-get -q update' "apt-get -q install -y --no-install-recommends ${missing[*]}"; do
	$command >"$log" 2>&1 || {
		cat "$log" >&2
		fail "'$command' failed"
	}
done
rm -f "$log"
for server in "${missing[@]}"; do
	command -v "$server" >/dev/null || fail "$server is still missing"
done
echo "installed: ${missing[*]}"
