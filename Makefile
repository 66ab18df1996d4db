# `make` alone prints the targets.
.DEFAULT_GOAL := help
LINT := go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

.PHONY: help
help: ## print the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

.PHONY: build
build: ## build bin/seatlake
	go build -trimpath -ldflags '-s -w' -o bin/seatlake ./cmd/seatlake

.PHONY: demo
demo: ## run everything against a simulated tenant
	go run ./cmd/seatlake demo

.PHONY: test
test: ## run all tests
	go test -timeout 30m ./...

.PHONY: sim
sim: ## faults, deaths and tenants at random: SEEDS simulations (default 20) and 200 killed runs
	go test ./cmd/seatlake -run '^(TestSimulation|TestKilledRunsGoOn)$$' -seeds $(or $(SEEDS),20) -kills 200 -timeout 60m -v

.PHONY: reclaim-crash
reclaim-crash: ## kill apply and rollback on new tenants for as long as FOR says (default 10m)
	go test ./cmd/seatlake -run '^TestKilledReclaimTakesEachLicenceOnce$$' -reclaim-for $(or $(FOR),10m) -timeout 24h -v

.PHONY: crash
crash: ## kill runs for FOR (default 1m) at each place of a lake; ./.ci/servers make crash adds real stores
	go test ./load/lake -run '^TestKilledRuns$$' -crash $(or $(FOR),1m) -timeout 0 -v

.PHONY: properties
properties: ## what holds for any tenant, on TENANTS random ones (default 10,000)
	go test ./sql -run '^TestPropertiesOfManyTenants$$' -tenants $(or $(TENANTS),10000) -v

.PHONY: vet
vet: ## go vet
	go vet ./...

.PHONY: lint
lint: ## run the linters, the layering rule among them
	$(LINT) run ./...

.PHONY: generated
generated: ## fail when a generated file is not what its source says
	go run ./cmd/seatlake docs data-dictionary | diff -u docs/data-dictionary.md -

.PHONY: golden
golden: ## rewrite the expectations that tests compare to; review the diff
	go run ./cmd/seatlake docs data-dictionary > docs/data-dictionary.md
	go test ./load/parquet ./sql ./cmd/seatlake -update

.PHONY: check
check: test properties vet lint generated ## the hook, the pull request and the release gate

.PHONY: bench
bench: ## run the benchmarks beside the code
	GOMAXPROCS=1 go test -run '^$$' -bench . -benchtime 2x ./extract/decode ./load/parquet ./transform

.PHONY: bench-peers
bench-peers: ## compare with the usual ways to do the same work; ARGS='-only decode'
	cd bench && go run -mod=mod . $(ARGS)

.PHONY: bench-memory
bench-memory: ## measure a run's memory over 1,000,000 users and 10,000,000 sign-ins
	cd bench && go run -mod=mod . -memory $(ARGS)

.PHONY: fuzz
fuzz: ## fuzz every target for FUZZTIME (default 30s)
	./.ci/fuzz $(or $(FUZZTIME),30s)
