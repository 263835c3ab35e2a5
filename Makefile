# Portcullis. `make test` is everything that must hold before a change lands.
# Go, git, make and a C compiler (for the race detector) are all it needs; it
# installs redis-server and memcached from Debian packages when they are missing.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
GO ?= go
FUZZTIME ?= 30s
SOAK ?= 10m
MUTATE ?= -sample 3

# Every module is vetted and tested by itself, as its users get it: all of it by
# `make vet`, so that the tests need not vet their parts again.
MODULES := $(sort $(patsubst ./%,%,$(patsubst %/,%,$(dir $(shell find . -name go.mod -not -path './.git/*' -not -path '*/testdata/*')))))

# What the modules' conformance tests report in this run.
REPORTS := $(CURDIR)/bin/reports

each = for module in $(MODULES); do ( cd $$module && export GOWORK=off && echo "== $$module: $(strip $(1))" && $(1) ); done

.PHONY: test servers build vet unit table conformance-table drift tidy-check generate tidy lint vuln fuzz soak mutate bench

test: servers build vet unit table drift tidy-check

servers:
	@tools/scripts/install-test-servers.sh

build:
	$(GO) build $$($(GO) list -f '{{.Dir}}/...' -m)

vet:
	@test -z "$$(gofmt -l . | tee /dev/stderr)" || { echo 'gofmt: the files above are not formatted'; exit 1; }
	@$(call each, $(GO) vet ./...)

unit:
	@rm -rf $(REPORTS) && mkdir -p $(REPORTS)
	@export PORTCULLIS_REPORTS=$$(mktemp -d -p $(REPORTS)); $(call each, $(GO) test -race -vet=off -timeout 10m ./...)

# The README's table of implementations and rules is what this run reported.
table:
	@GOWORK=off $(GO) run ./tools/conformancetable -check $(REPORTS)/*

# Rewrites that table from the last `make unit`.
conformance-table:
	@GOWORK=off $(GO) run ./tools/conformancetable $(REPORTS)/*

# Generated files must be what the generators write.
drift: generate
	@git diff --exit-code --stat -- . && test -z "$$(git status --porcelain --untracked-files=all)" \
		|| { git status --short; echo 'generated files or module files differ from what is committed'; exit 1; }

tidy-check:
	@$(call each, $(GO) mod tidy -diff)

generate:
	@$(call each, $(GO) generate ./...)

tidy:
	@$(call each, $(GO) mod tidy)

lint: vet
	@cd tools/lint && GOWORK=off $(GO) build -o ../../bin/ honnef.co/go/tools/cmd/staticcheck
	@$(call each, $(CURDIR)/bin/staticcheck ./...)

# The database of vulnerabilities is not reachable from every network.
vuln:
	@cd tools/lint && GOWORK=off $(GO) build -o ../../bin/ golang.org/x/vuln/cmd/govulncheck
	@$(call each, $(CURDIR)/bin/govulncheck ./...)

fuzz:
	@FUZZTIME=$(FUZZTIME) GO=$(GO) tools/scripts/fuzz.sh

soak:
	@PORTCULLIS_SOAK=$(SOAK) GOWORK=off $(GO) test -timeout 2h -count 1 -v -run TestSoak ./verifier

mutate:
	@GOWORK=off $(GO) run ./tools/mutate $(MUTATE)

bench:
	@cd tools/compare && GOWORK=off $(GO) run ./speed
