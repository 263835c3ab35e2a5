#!/usr/bin/env bash
# Package:  nginx 1.22.1 of Debian
# Expected: a refusal of auth_request has the challenges that the authorization
#           server sent, as proxy_pass has them.
# True:     auth_request copies the first WWW-Authenticate line alone. proxy_pass to
#           the same server gives both.
# Matters:  the challenge of the scheme that a request used goes first here: a
#           client of DPoP behind auth_request would not see use_dpop_nonce.
set -euo pipefail
dir=$(mktemp -d)
server=
trap '[ -z "$server" ] || { kill "$server" && wait "$server" || true; }; rm -rf "$dir"' EXIT
cd "$dir"
apt-get download -qq 'nginx=1.22.1*' 2>/dev/null || { apt-get update -qq && apt-get download -qq 'nginx=1.22.1*'; }
dpkg -x nginx_*.deb .
free() { # a port of 127.0.0.1 on which nothing listens
	local port=$((20000 + RANDOM % 20000))
	while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((port + 1)); done
	echo "$port"
}
issuer=$(free) front=$(free)
mkdir -p logs temp
cat >nginx.conf <<CONF
daemon off;
master_process off;
pid nginx.pid;
error_log stderr;
events {}
http {
	access_log off;
	client_body_temp_path temp/1;
	proxy_temp_path temp/2;
	fastcgi_temp_path temp/3;
	uwsgi_temp_path temp/4;
	scgi_temp_path temp/5;
	server {
		listen 127.0.0.1:$issuer;
		add_header WWW-Authenticate 'Bearer realm="api"' always;
		add_header WWW-Authenticate 'DPoP error="use_dpop_nonce"' always;
		return 401;
	}
	server {
		listen 127.0.0.1:$front;
		location /proxied { proxy_pass http://127.0.0.1:$issuer; }
		location /protected {
			auth_request /authorize;
			proxy_pass http://127.0.0.1:$issuer;
		}
		location = /authorize {
			internal;
			proxy_pass http://127.0.0.1:$issuer;
		}
	}
}
CONF
usr/sbin/nginx -p "$dir" -c nginx.conf 2>nginx.log &
server=$!
curl -s --retry 20 --retry-connrefused --retry-delay 1 -o /dev/null "http://127.0.0.1:$front/proxied"
challenges() { curl -s -D - -o /dev/null "http://127.0.0.1:$front$1" | grep -i '^www-authenticate:' | cut -d' ' -f2 | tr '\n' ' '; }
proxied=$(challenges /proxied) protected=$(challenges /protected)
echo "expected: challenges by proxy_pass: Bearer DPoP; by auth_request: Bearer DPoP"
echo "found:    challenges by proxy_pass: ${proxied% }; by auth_request: ${protected% }"
[ "$proxied" = "Bearer DPoP " ] && [ "$protected" = "Bearer " ] || exit 1
