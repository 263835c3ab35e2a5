# Portcullis. `make check` takes minutes and is for the desk; `make test` is
# everything that must hold before a change lands. Go, git, make and a C compiler
# (for the race detector) are all that they need; `make test` installs
# redis-server and memcached from Debian packages when they are missing.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
GO ?= go
FUZZTIME ?= 30s
SOAK ?= 30m
MUTATE ?= -sample 3

# Every module is looked at by itself, as its users get it.
MODULES := $(sort $(patsubst ./%,%,$(patsubst %/,%,$(dir $(shell find . -name go.mod -not -path './.git/*' -not -path '*/testdata/*')))))

each = for module in $(MODULES); do ( cd $$module && export GOWORK=off && echo "== $$module: $(strip $(1))" && $(1) ); done

.PHONY: check test servers map conformance-table generate tidy lint vuln fuzz soak strangers mutate bench interop test-newest findings

check:
	@GOWORK=off $(GO) run ./tools/ci check

test: servers
	@GOWORK=off $(GO) run ./tools/ci test

servers:
	@tools/scripts/install-test-servers.sh

# The packages and who imports whom; the files of package verifier and who uses
# whom.
map:
	@GOWORK=off $(GO) test -count=1 -v -run 'TestMap|TestTies$$' ./tools/rules

# Adapters for backends that we ship none for. Needs redis-server; downloads their
# clients.
strangers: servers
	@rm -rf bin/reports-strangers && mkdir -p bin/reports-strangers
	@cd tools/strangers && GOWORK=off PORTCULLIS_REPORTS=$(CURDIR)/bin/reports-strangers $(GO) test -count=1 -timeout 20m .
	@GOWORK=off $(GO) run ./tools/conformancetable -strangers bin/reports-strangers

# Rewrites docs/conformance-results.md from the last `make test`.
conformance-table:
	@GOWORK=off $(GO) run ./tools/conformancetable bin/reports/*

generate:
	@$(call each, $(GO) generate ./...)

tidy:
	@$(call each, $(GO) mod tidy)

lint:
	@cd tools/lint && GOWORK=off $(GO) build -o ../../bin/ honnef.co/go/tools/cmd/staticcheck
	@$(call each, $(CURDIR)/bin/staticcheck ./...)

# The database of vulnerabilities is not reachable from every network.
vuln:
	@cd tools/lint && GOWORK=off $(GO) build -o ../../bin/ golang.org/x/vuln/cmd/govulncheck
	@$(call each, $(CURDIR)/bin/govulncheck ./...)

fuzz:
	@FUZZTIME=$(FUZZTIME) GO=$(GO) tools/scripts/fuzz.sh

# Both at once: the second one mostly waits for a Redis that is killed and frozen.
soak: servers
	@PORTCULLIS_SOAK=$(SOAK) GOWORK=off $(GO) test -timeout 2h -count 1 -v -run 'TestSoak$$' ./verifier & \
	first=$$!; cd cacheadapter/redis && PORTCULLIS_SOAK=$(SOAK) GOWORK=off $(GO) test -timeout 2h -count 1 -v -run 'TestSoak$$' .; \
	second=$$?; wait $$first && exit $$second

mutate:
	@GOWORK=off $(GO) run ./tools/mutate $(MUTATE)

bench: servers
	@cd tools/compare && GOWORK=off $(GO) run ./speed

# The released modules with the newest release of everything that they require
# directly. Needs the network.
test-newest: servers
	@GO=$(GO) tools/scripts/test-newest.sh

# The product against real proxies, clients, servers and a browser. Installs
# Debian packages and npm packages.
interop:
	@tools/interop/install.sh
	@cd tools/interop && GOWORK=off $(GO) test -tags interop -count 1 -timeout 30m -v ./... | grep -E '^(pass |FAIL|ok |[0-9]+ rows|    *[a-z_]+_test.go)'

# What public libraries do that one would not expect. Needs the network, and is
# no part of `make test`.
findings:
	@tools/scripts/findings.sh
