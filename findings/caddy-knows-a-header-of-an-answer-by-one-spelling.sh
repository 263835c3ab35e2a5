#!/usr/bin/env bash
# Package:  caddy 2.6.2 of Debian
# Expected: names of header fields have no case. A placeholder for a field finds
#           it as it is written in RFC 9449: DPoP-Nonce.
# True:     of a request, {http.request.header.DPoP} is found. Of an answer, only
#           {http.reverse_proxy.header.Dpop-Nonce} is, in the spelling of Go. Any
#           other is no error and not empty: its own text is sent to the client.
# Matters:  a forward_auth recipe that is written by the RFC sends a nonce of
#           "{http.reverse_proxy.header.DPoP-Nonce}" to each client.
set -euo pipefail
dir=$(mktemp -d)
server=
trap '[ -z "$server" ] || { kill "$server" && wait "$server" || true; }; rm -rf "$dir"' EXIT
cd "$dir"
apt-get download -qq 'caddy=2.6.2*' 2>/dev/null || { apt-get update -qq && apt-get download -qq 'caddy=2.6.2*'; }
dpkg -x caddy_*.deb .
free() { # a port of 127.0.0.1 on which nothing listens
	local port=$((20000 + RANDOM % 20000))
	while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((port + 1)); done
	echo "$port"
}
api=$(free) front=$(free)
cat >Caddyfile <<CONF
{
	admin off
	auto_https off
}
http://127.0.0.1:$api {
	header DPoP-Nonce nonce
	respond 204
}
http://127.0.0.1:$front {
	reverse_proxy 127.0.0.1:$api {
		@any status 2xx
		handle_response @any {
			header X-Request "{http.request.header.DPoP}"
			header X-RFC "{http.reverse_proxy.header.DPoP-Nonce}"
			header X-Go "{http.reverse_proxy.header.Dpop-Nonce}"
			respond 204
		}
	}
}
CONF
HOME=$dir XDG_DATA_HOME=$dir XDG_CONFIG_HOME=$dir usr/bin/caddy run --config Caddyfile --adapter caddyfile 2>caddy.log &
server=$!
answer=$(curl -s --retry 20 --retry-connrefused --retry-delay 1 -D - -o /dev/null -H 'DPoP: proof' "http://127.0.0.1:$front/" | tr -d '\r')
field() { sed -n "s/^$1: //Ip" <<<"$answer"; }
echo "expected: DPoP of the request: proof; DPoP-Nonce of the answer: nonce; Dpop-Nonce: nonce"
echo "found:    DPoP of the request: $(field X-Request); DPoP-Nonce of the answer: $(field X-RFC); Dpop-Nonce: $(field X-Go)"
[ "$(field X-Request)" = proof ] && [ "$(field X-RFC)" = "{http.reverse_proxy.header.DPoP-Nonce}" ] && [ "$(field X-Go)" = nonce ] || exit 1
