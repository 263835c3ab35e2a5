# Portcullis. `make test` is everything that must hold before a change lands.
# Go, git, make and a C compiler (for the race detector) are all it needs.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
GO ?= go
FUZZTIME ?= 30s

# Every module is built, vetted and tested by itself, as its users get it.
MODULES := $(sort $(patsubst ./%,%,$(patsubst %/,%,$(dir $(shell find . -name go.mod -not -path './.git/*')))))

each = for module in $(MODULES); do ( cd $$module && export GOWORK=off && echo "== $$module: $(1)" && $(1) ); done

.PHONY: test servers build vet unit drift tidy-check generate tidy lint fuzz bench

test: servers build vet unit drift tidy-check

servers:
	@if [ -x scripts/install-test-servers.sh ]; then scripts/install-test-servers.sh; fi

build:
	$(GO) build ./...
	@$(call each,$(GO) build ./...)

vet:
	@test -z "$$(gofmt -l . | tee /dev/stderr)" || { echo 'gofmt: the files above are not formatted'; exit 1; }
	@$(call each,$(GO) vet ./...)

unit:
	@$(call each,$(GO) test -race -timeout 8m ./...)

# Generated files must be what the generators write.
drift: generate
	@git diff --exit-code --stat -- . && test -z "$$(git status --porcelain --untracked-files=all)" \
		|| { git status --short; echo 'generated files or module files differ from what is committed'; exit 1; }

tidy-check:
	@$(call each,$(GO) mod tidy -diff)

generate:
	@$(call each,$(GO) generate ./...)

tidy:
	@$(call each,$(GO) mod tidy)

lint:
	@$(call each,$(GO) vet ./...)
	@$(call each,$(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...)
	@$(call each,$(GO) run golang.org/x/vuln/cmd/govulncheck@v1.9.0 ./...)

fuzz:
	@FUZZTIME=$(FUZZTIME) GO=$(GO) scripts/fuzz.sh

bench:
	@cd bench && GOWORK=off $(GO) run .
