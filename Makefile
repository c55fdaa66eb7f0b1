BIN := .venv/bin

.PHONY: help setup demo check audit test test-fast test-e2e test-long bench-verdict bench-sandbox e2e-zero-loss screenshots bench-scale chaos chaos-replicas soak strategies dashboards docs picture chart dist lock clean
help:  ## this list
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup:  ## make .venv with everything the other targets need (seconds when nothing changed)
	@.ci/setup

demo:  ## three canaries on the mesh in a box: one good, one failing, one slow
	@.ci/setup --for-demo
	@$(BIN)/canary-analyzer demo

check: setup audit  ## lint (security among it), format, types, import contracts, known vulnerabilities
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

audit: setup  ## known vulnerabilities of all that goes into the images; where nobody can be asked, it says so
	@$(BIN)/python tests/audit.py

test: test-fast test-e2e  ## all tests

test-fast: setup  ## decisions, statistics, documents, the API emulator: some two minutes
	@$(BIN)/pytest -m "not e2e and not long" -n auto --dist loadfile

test-e2e: setup  ## whole canaries on the mesh in a box
	@$(BIN)/pytest -m e2e tests/e2e -n 3 --dist loadfile

test-long: setup  ## more whole canaries: the chart's rights, bring your own, dashboards, causes of loss, strategies, images
	@$(BIN)/pytest -m long

bench-verdict: setup  ## judges and ramps on simulated canaries; RUNS=400 for the real thing (see tests/benchmarks)
	@$(BIN)/python tests/benchmarks/verdict.py

bench-sandbox: setup  ## judges and ramps on real ones, on the mesh in a box; RUNS=1 ONLY=v2-tail for a part
	@$(BIN)/python tests/benchmarks/sandbox.py

e2e-zero-loss: setup  ## what could lose requests, done to apps under load; RUNS=3 in a row, ONLY=pattern for a part
	@$(BIN)/python -m tests.e2e.zero_loss

bench-scale: setup  ## what N=1000 rollouts at once cost, and as many idle Deployments, each figure with its bar (20 minutes)
	@$(BIN)/python tests/benchmarks/scale.py --rollouts $(or $(N),1000)

chaos: setup  ## kill every rollout after each of its writes, lose the answer to each, break Prometheus, RUNS=1000 random sequences (FROM=7: from that seed on); SEED=7 tells one
	@$(if $(SEED),,$(BIN)/python tests/chaos/crashes.py && $(BIN)/pytest tests/chaos/prometheus_faults.py &&) \
		$(BIN)/python tests/chaos/sequences.py --runs $(or $(RUNS),1000) $(if $(FROM),--from $(FROM)) $(if $(SEED),--seed $(SEED))

chaos-replicas: setup  ## three replicas share 200 rollouts, five times killed and frozen: all is taken over in time (10 minutes); ROLLOUTS=20 BLOWS=1
	@$(BIN)/python tests/benchmarks/replicas.py --rollouts $(or $(ROLLOUTS),200) --blows $(or $(BLOWS),5)

soak: setup  ## rollouts come and go for MINUTES=20: memory and file descriptors stay flat; too short a time tells nothing
	@$(BIN)/python tests/benchmarks/soak.py --minutes $(or $(MINUTES),20)

strategies: setup  ## measure the strategies on the mesh in a box and write the figures into docs/strategies.md
	@WRITE_STRATEGIES=1 $(BIN)/pytest -m long tests/e2e/rollouts/test_strategies.py

dashboards: setup  ## renew the Grafana dashboards' JSON from their Python
	@$(BIN)/python -m dashboards

docs: setup  ## renew the pages that are made from the code, and build the site, strictly: build/site
	@$(BIN)/python docs/generate.py
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

picture: setup  ## draw README's picture of a verdict anew, from a canary on the mesh in a box
	@WRITE_PICTURE=1 $(BIN)/pytest -m long tests/e2e/rollouts/test_picture.py

chart: setup  ## renew what the chart has from elsewhere: version, schema of the config, dashboards, rules, table of values
	@$(BIN)/python chart/generate.py

dist: setup  ## what a release consists of, in dist/: wheel, sdist, the packaged chart, and the bill of materials (SBOM)
	@rm -rf dist
	@$(BIN)/python -m hatchling build -d dist
	@$(BIN)/python .ci/release/sbom.py dist/canary-analyzer.cdx.json
	@PATH="$(CURDIR)/$(BIN):$$PATH" helm package chart --destination dist

LOCK := uv pip compile --generate-hashes --universal --python-version 3.11 --no-header --no-annotate --no-emit-index-url \
	--no-emit-find-links --quiet

screenshots: setup  ## the status page as pictures to look at, light and dark, wide and on a phone: build/screenshots
	@SCREENSHOTS=build/screenshots $(BIN)/pytest -m e2e tests/e2e/pages

lock: setup  ## renew the locks: of development, of the two images, and of what builds them (needs uv on PATH)
	@$(LOCK) pyproject.toml --extra sandbox --group dev --output-file requirements.lock
	@$(LOCK) pyproject.toml --constraint requirements.lock --output-file requirements-service.lock
	@$(LOCK) flask_app/requirements.in --constraint requirements.lock --output-file flask_app/requirements.lock
	@echo hatchling | $(LOCK) - --constraint requirements.lock --output-file requirements-build.lock

clean:  ## take away what setup made
	rm -rf .venv .tools .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build
