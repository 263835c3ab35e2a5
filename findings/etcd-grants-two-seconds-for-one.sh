#!/usr/bin/env bash
# Package:  etcd-server and etcd-client 3.4.23 of Debian
# Expected: a lease of one second lives for about one second.
# True:     no lease is shorter than one and a half election time-outs, rounded up:
#           with the defaults, one second becomes two, and the key is there for
#           longer than that. Only the answer to the grant tells.
# Matters:  a store on etcd keeps an entry for longer than it is told. For the
#           record of a proof that is safe, for a cached document it is not.
set -euo pipefail
dir=$(mktemp -d)
server=
trap '[ -z "$server" ] || { kill "$server" && wait "$server" || true; }; rm -rf "$dir"' EXIT
cd "$dir"
packages=('etcd-server=3.4.23*' 'etcd-client=3.4.23*')
apt-get download -qq "${packages[@]}" 2>/dev/null || { apt-get update -qq && apt-get download -qq "${packages[@]}"; }
for package in *.deb; do dpkg -x "$package" .; done
free() { # a port of 127.0.0.1 on which nothing listens
	local port=$((20000 + RANDOM % 20000))
	while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((port + 1)); done
	echo "$port"
}
url=http://127.0.0.1:$(free) peer=http://127.0.0.1:$(free)
usr/bin/etcd --data-dir data --listen-client-urls "$url" --advertise-client-urls "$url" --listen-peer-urls "$peer" \
	--initial-advertise-peer-urls "$peer" --initial-cluster "default=$peer" >etcd.log 2>&1 &
server=$!
export ETCDCTL_API=3
etcdctl() { usr/bin/etcdctl --endpoints "$url" "$@"; }
for _ in $(seq 30); do etcdctl endpoint health >/dev/null 2>&1 && break || sleep 1; done
granted() { etcdctl lease grant "$1" | grep -o 'TTL([0-9]*s)'; }
one=$(granted 1) three=$(granted 3)
lease=$(etcdctl lease grant 1 | cut -d' ' -f2)
start=$(date +%s%N)
etcdctl put key value --lease "$lease" >/dev/null
found=0
while [ -n "$(etcdctl get key)" ]; do
	found=$((($(date +%s%N) - start) / 1000000)) # when it was seen last
	sleep 0.05
done
echo "expected: granted for 1 s: TTL(1s), for 3 s: TTL(3s); a key of 1 s is gone after 1.5 s: yes"
echo "found:    granted for 1 s: $one, for 3 s: $three; a key of 1 s is gone after 1.5 s: $([ "$found" -lt 1500 ] && echo yes || echo no)"
[ "$one" = "TTL(2s)" ] && [ "$three" = "TTL(3s)" ] && [ "$found" -ge 1500 ] || exit 1
