#!/usr/bin/env bash
# Package:  apache2-bin 2.4.71 of Debian
# Expected: a header that is set from SSL_CLIENT_CERT is empty, or is not sent,
#           when the client has no certificate.
# True:     its value is the text "(null)", for %{...}s and for %{...}e. "expr="
#           gives the empty text.
# Matters:  the reader of Apache's field takes "(null)" for no certificate, and
#           not for one that cannot be read.
set -euo pipefail
dir=$(mktemp -d)
server=
trap '[ -z "$server" ] || { kill "$server" && wait "$server" || true; }; rm -rf "$dir"' EXIT
cd "$dir"
packages=('apache2-bin=2.4.71*' libapr1 libaprutil1)
apt-get download -qq "${packages[@]}" 2>/dev/null || { apt-get update -qq && apt-get download -qq "${packages[@]}"; }
for package in *.deb; do dpkg -x "$package" .; done
LD_LIBRARY_PATH=$(echo "$dir"/usr/lib/*-linux-gnu)
export LD_LIBRARY_PATH
free() { # a port of 127.0.0.1 on which nothing listens
	local port=$((20000 + RANDOM % 20000))
	while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((port + 1)); done
	echo "$port"
}
port=$(free)
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out cert.pem -subj /CN=localhost -days 1 2>/dev/null
cat >apache.conf <<CONF
ServerRoot $dir
ServerName localhost
PidFile $dir/apache.pid
ErrorLog $dir/error.log
User www-data
Group www-data
Listen 127.0.0.1:$port
LoadModule mpm_event_module usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module usr/lib/apache2/modules/mod_authz_core.so
LoadModule headers_module usr/lib/apache2/modules/mod_headers.so
LoadModule socache_shmcb_module usr/lib/apache2/modules/mod_socache_shmcb.so
LoadModule ssl_module usr/lib/apache2/modules/mod_ssl.so
SSLEngine on
SSLCertificateFile $dir/cert.pem
SSLCertificateKeyFile $dir/key.pem
SSLCACertificateFile $dir/cert.pem
SSLVerifyClient optional
Header always set X-S "%{SSL_CLIENT_CERT}s"
Header always set X-E "%{SSL_CLIENT_CERT}e"
Header always set X-Expr "expr=%{SSL:SSL_CLIENT_CERT}"
CONF
usr/sbin/apache2 -f "$dir/apache.conf" -D FOREGROUND 2>/dev/null &
server=$!
answer=$(curl -sk --retry 20 --retry-connrefused --retry-delay 1 -D - -o /dev/null "https://127.0.0.1:$port/" | tr -d '\r')
field() { sed -n "s/^$1: *//Ip" <<<"$answer"; }
echo "expected: no certificate, %{}s: \"\"; %{}e: \"\"; expr: \"\""
echo "found:    no certificate, %{}s: \"$(field X-S)\"; %{}e: \"$(field X-E)\"; expr: \"$(field X-Expr)\""
[ "$(field X-S)" = "(null)" ] && [ "$(field X-E)" = "(null)" ] && grep -qi '^X-Expr:' <<<"$answer" && [ -z "$(field X-Expr)" ] || exit 1
