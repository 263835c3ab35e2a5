#!/usr/bin/env bash
# Package:  lighttpd 1.4.69 of Debian
# Expected: a proxy passes the path of a URL on as it came. "%2F" within a segment
#           is data and no delimiter (RFC 3986, Section 2.2).
# True:     mod_proxy asks for what lighttpd made of it: "%2F" is a slash, "//" one,
#           unless server.http-parseopts says otherwise.
# Matters:  a DPoP proof names the URL that the client sent. Behind this proxy the
#           URL must be taken from elsewhere, or this must be switched off.
set -euo pipefail
dir=$(mktemp -d)
server= backend=
trap 'for pid in $server $backend; do kill "$pid" && wait "$pid" || true; done 2>/dev/null; rm -rf "$dir"' EXIT
cd "$dir"
apt-get download -qq 'lighttpd=1.4.69*' 2>/dev/null || { apt-get update -qq && apt-get download -qq 'lighttpd=1.4.69*'; }
dpkg -x lighttpd_*.deb .
free() { # a port of 127.0.0.1 on which nothing listens
	local port=$((20000 + RANDOM % 20000))
	while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((port + 1)); done
	echo "$port"
}
front=$(free) api=$(free)
cat >main.go <<'GO'
package main

import (
	"io"
	"net/http"
	"os"
)

// The backend answers with the path that it was asked for.
func main() {
	panic(http.ListenAndServe(os.Args[1], http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.RequestURI)
	})))
}
GO
GOWORK=off go build -o backend main.go
./backend "127.0.0.1:$api" &
backend=$!
config() {
	cat <<CONF
server.document-root = "$dir"
server.bind = "127.0.0.1"
server.port = $front
server.modules = ("mod_proxy")
server.errorlog = "$dir/error.log"
proxy.server = ("" => (("host" => "127.0.0.1", "port" => $api)))
$1
CONF
}
# ask starts lighttpd with one more line of configuration and asks for the paths.
ask() {
	config "$1" >lighttpd.conf
	usr/sbin/lighttpd -D -f lighttpd.conf -m usr/lib/lighttpd 2>/dev/null &
	server=$!
	got=
	for path in /orders/a%2Fb /orders//1; do
		got+="$(curl -s --path-as-is --retry 20 --retry-connrefused --retry-delay 1 "http://127.0.0.1:$front$path") "
	done
	kill "$server"
	wait "$server" || true
	server=
}
ask ''
found=$got
ask 'server.http-parseopts = ("url-normalize" => "disable")'
echo "expected: /orders/a%2Fb and /orders//1 arrive as /orders/a%2Fb /orders//1"
echo "found:    /orders/a%2Fb and /orders//1 arrive as $found(without url-normalize: ${got% })"
[ "$found" = "/orders/a/b /orders/1 " ] || exit 1
