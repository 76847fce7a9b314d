# `make help` lists the targets. Every tool is in .venv, pinned with hashes; nothing is installed elsewhere.

PYTHON ?= python3
BIN = .venv/bin
PIP_INSTALL = python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes
# checkov's pins conflict with those of SAM CLI and MiniStack, so it has an environment and a lock of its own.
CHECKOV_BIN = .venv/checkov/bin
SITE_BIN = .venv/site/bin
CLIENTS_BIN = .venv/clients/bin
COMPILE = $(BIN)/uv pip compile --quiet --no-header --universal --python-version 3.11 --generate-hashes \
    --no-emit-index-url $(UPGRADE)
NPM = PATH="$(CURDIR)/$(BIN):$$PATH" npm --loglevel=error
# written by npm after a complete installation
ALTCHA = examples/altcha/node_modules/.package-lock.json
EXPRESS = examples/express/node_modules/.package-lock.json
BETTER_AUTH = examples/better-auth/node_modules/.package-lock.json

# of `make test` and `make prove-races`; empty leaves out DynamoDB Local, whose licence requires an AWS account
DYNAMODB_LOCAL ?= .venv/.dynamodb-local

# of `make deploy`: dev, staging or prod; of `make build`: a table of samconfig.toml
ENV ?= dev
CONFIRM ?= yes

# Plain `sam` reads the table default, which is dev's.
TABLE = $(if $(filter dev,$(ENV)),default,$(ENV))

# with tests that `make test` leaves to `make prove-ci` and `make prove`; the proofs have targets of their own
LONG = tests/e2e tests/browser tests/contract tests/unit/mutants

# of `make cost`
COUNTRIES ?= 1
VERIFICATIONS ?= 10000
TABLES ?=

# of `make lock`
UPGRADE ?=

# of `make run`
HOST ?= 127.0.0.1
PORT ?= 4566
SANDBOX_PORT ?= 4600
PROVIDERS ?=
PARAMETERS ?=

# of `make watch`, `make smoke`, `make rotate-pepper` and `make provision-check`: a deployed stack's name; empty for the local stack
STACK ?=

# of `make restore-items`: the restored table's name
SOURCE ?=

# of `make drill`
ABLATE ?=

# of `make dashboard`
TO ?= .local/dashboard.png

# of `make load`
RATE ?= 50
SECONDS ?= 120
WORKERS ?= 4

# of `make mutants`: another SEED draws another sample; CHANGED limits it to lines changed since that revision
SEED ?= 1
COUNT ?= 100
CHANGED ?=

# of `make sam-local-*`
FUNCTION ?= RequestOtpFunction
EVENT ?= events/request_otp-sms.json
API_PORT ?= 3000

# The AWS CLI reads AWS_REGION; boto3 and SAM CLI read only AWS_DEFAULT_REGION.
ifdef AWS_REGION
export AWS_DEFAULT_REGION := $(AWS_REGION)
endif

# Bytecode is written at the first import, even if this shell disables it: otherwise each of the many processes
# that the targets start would compile its imports again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run screenshots test prove prove-races prove-answers prove-faults prove-fuzz prove-stacks prove-guard prove-ci mutants lint lock docs site build deploy cost outage drill lockout scale bench bench-profile dashboard audit facts release-check provision-check watch smoke load restore-items rotate-pepper sam-local-invoke sam-local-api test-sam-local clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | awk -F '\t' '{printf "  %-18s %s\n", $$1, $$2}'

run: .venv/.run ## Start the local stack; HOST=… PORT=… SANDBOX_PORT=… PROVIDERS=sinch,infobip PARAMETERS="Name=Value …"
	@$(MAKE) --no-print-directory .venv/.web || echo "the npm packages cannot be installed: the API runs without them, the page is plainer"
	@PYTHONPATH=layers/core exec $(BIN)/python -m local.run --host "$(HOST)" --port "$(PORT)" --sandbox-port "$(SANDBOX_PORT)" \
	    --providers "$(PROVIDERS)" --parameters "$(PARAMETERS)"

screenshots: .venv/.dev .venv/.web-dev ## Take the screenshots in docs/images; needs Chromium
	@PYTHONPATH=layers/core $(BIN)/python -m generators.screenshots

# Three at once, since a third of the time is spent waiting for deadlines and browsers. The deployments first; many small
# files come last, so that no process ends with a long one.
test: .venv/.dev .venv/.web-dev .venv/.tokens .venv/.vendors .venv/.clients $(DYNAMODB_LOCAL) $(ALTCHA) $(EXPRESS) $(BETTER_AUTH) ## Run the tests, the proofs at a small size
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m 'not long' \
	    tests/e2e tests/contract tests/proofs tests/functional tests/races tests/browser tests/unit

# Two at once, the longest first, so that they end together: alone, about 10, 8, 6, 6 and 4 minutes.
prove: .venv/.dev ## Run the proofs in full: races, state machine, mutants, timing, faults, fuzzing, alarms; a quarter of an hour
	@$(MAKE) --no-print-directory --jobs=2 prove-races prove-fuzz prove-answers prove-faults prove-stacks

# CI runs this on top of `make test`. `make test` has one round of races with 60 and 100 callers: a missing or wrong
# condition lets dozens through in each, so more rounds measure how rare a fault is, not whether it exists. It has every
# second row of the fault matrix, which differ from the others in one value, and fuzzes each function with 100 bodies.
# Here run the suites that it skips: tests of half a minute each, most of the form's, the examples, typed clients, one
# mutant in twelve, the guard's goals, Schemathesis.
# `make prove` is the full size, for a release and after changes to the code that it proves.
prove-ci: .venv/.dev .venv/.web-dev .venv/.clients $(ALTCHA) $(EXPRESS)
	PROVE=1 $(BIN)/python -m pytest -q tests/proofs/test_schemathesis.py
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -m long tests/proofs $(LONG)

prove-races: .venv/.dev $(DYNAMODB_LOCAL)
	PROVE=1 $(BIN)/python -m pytest -q tests/races tests/proofs/test_mutants.py

prove-answers: .venv/.dev
	PROVE=1 $(BIN)/python -m pytest -q tests/proofs tests/unit/test_time_budget.py --ignore=tests/proofs/test_mutants.py \
	    --ignore=tests/proofs/test_guard_goals.py

prove-faults: .venv/.dev
	PROVE=1 $(BIN)/python -m pytest -q tests/functional/faults

prove-fuzz: .venv/.dev
	$(BIN)/python -m pytest -q tests/functional/test_fuzz.py --hypothesis-profile=prove

prove-guard: .venv/.dev ## Check the guard's goals: every scenario of the drill, three seeds; half an hour
	PROVE=1 $(BIN)/python -m pytest -q tests/proofs/test_guard_goals.py

prove-stacks: .venv/.dev .venv/.web-dev .venv/.clients $(ALTCHA) $(EXPRESS)
	$(BIN)/python -m pytest -q -m long $(LONG)

mutants: .venv/.dev ## Mutate the code in COUNT places, print the mutants that survive the tests; SEED=… COUNT=… CHANGED=REV
	@$(BIN)/python -m tests.mutants --seed $(SEED) --count $(COUNT) --changed "$(CHANGED)"

lint: .venv/.dev .venv/.checkov ## Check style, types, the template, and security rules
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	PYTHONPATH=layers/core $(BIN)/lint-imports --no-logo
	@for module in web/otp-form/*.js local/sandbox/www/*.js tests/vendors/*.mjs; do $(BIN)/node --check $$module || exit 1; done
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive functions layers/core local ops generators release examples/fastapi examples/cognito
	$(BIN)/cfn-lint template.yaml
	PYTHONPATH=layers/core $(BIN)/python -m release.translated .local/translated
	$(BIN)/cfn-lint .local/translated/*.json
	$(BIN)/cfn-lint --regions ALL_REGIONS -- .local/translated/everything.json
	$(CHECKOV_BIN)/checkov --config-file .checkov.yaml --file template.yaml
	AWS_DEFAULT_REGION=us-east-1 SAM_CLI_TELEMETRY=0 $(BIN)/sam validate --lint
	AWS_DEFAULT_REGION=us-east-1 SAM_CLI_TELEMETRY=0 $(BIN)/sam validate --lint --template examples/cognito/template.yaml

lock: .venv/.dev ## Write requirements*.txt from requirements*.in; UPGRADE=--upgrade for newer versions
	$(COMPILE) --override requirements-overrides.txt requirements-dev.in -o requirements-dev.txt
	$(COMPILE) --override requirements-overrides.txt -c requirements-dev.txt requirements-run.in -o requirements-run.txt
	$(COMPILE) -c requirements-dev.txt layers/dependencies/requirements.in -o layers/dependencies/requirements.txt
	$(COMPILE) requirements-checkov.in -o requirements-checkov.txt
	$(COMPILE) requirements-site.in -o requirements-site.txt
	$(COMPILE) requirements-clients.in -o requirements-clients.txt
	$(COMPILE) -c requirements-dev.txt examples/fastapi/requirements.in -o examples/fastapi/requirements.txt
	cd examples/altcha && $(NPM) install --package-lock-only
	cd examples/express && $(NPM) install --package-lock-only
	cd examples/better-auth && $(NPM) install --package-lock-only
	cd web && $(NPM) install --package-lock-only
	cd tests/vendors && $(NPM) install --package-lock-only
	cd tests/clients && $(NPM) install --package-lock-only
	cd tests/dynamodb_local && $(NPM) install --package-lock-only

docs: .venv/.dev ## Generate docs/api.md, events/, and tables of docs/scaling.md and docs/providers.md
	$(BIN)/python -m generators.api_doc
	PYTHONPATH=layers/core $(BIN)/python -m bench.scale --write
	PYTHONPATH=layers/core $(BIN)/python -m generators.codes_doc
	$(BIN)/python -m generators.events

site: .venv/.run .venv/.site ## Build the documentation site into .local/site, and check every link and anchor
	@$(BIN)/python -m release.site
	@rm -rf .local/site
	@$(SITE_BIN)/zensical build --clean --strict

build: .venv/.run ## Build the template for deployment into .aws-sam
	@grep -qF '[$(TABLE).global.parameters]' samconfig.toml || { echo 'samconfig.toml has no ENV=$(ENV)'; exit 1; }
	@find functions -name __pycache__ -prune -exec rm -rf {} +
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/sam build --config-env $(TABLE)

deploy: .venv/.run ## Deploy to your AWS account; ENV=dev|staging|prod PARAMETERS="Name=Value …" CONFIRM=no STACK=…
	@PYTHONPATH=layers/core $(BIN)/python -m ops.deploy --env "$(ENV)" --stack "$(STACK)" \
	    --parameters '$(subst ','\'',$(PARAMETERS))' --confirm "$(CONFIRM)"

cost: .venv/.run ## Print what a stack costs a month; COUNTRIES=2 PROVIDERS=2 VERIFICATIONS=50000 TABLES=1
	@PYTHONPATH=layers/core $(BIN)/python -m ops.cost --countries "$(COUNTRIES)" --providers "$(or $(PROVIDERS),1)" \
	    --verifications "$(VERIFICATIONS)" $(if $(TABLES),--tables)

outage: .venv/.dev ## Simulate a provider's outage, print the share of codes sent
	@PYTHONPATH=layers/core $(BIN)/python -m bench.outage

scale: .venv/.dev ## Simulate 1 to 10,000 requests a second, print the load on DynamoDB
	@PYTHONPATH=layers/core $(BIN)/python -m bench.scale

bench: .venv/.dev ## Measure cold starts, verifications and provider calls against two baselines; .local/bench.json; five minutes
	@PYTHONPATH=layers/core $(BIN)/python -m bench

bench-profile: .venv/.dev ## Profile a cold start and a verification, by module and by function
	@PYTHONPATH=layers/core $(BIN)/python -m bench.profiles

drill: .venv/.dev ## Simulate SMS pumping before and after the guard, print refused users and the cost; ABLATE=1
	@PYTHONPATH=layers/core $(BIN)/python -m bench.drill $(if $(ABLATE),--ablate)

lockout: .venv/.dev ## Simulate a stranger locking a number's owner out, print how often the owner can verify
	@PYTHONPATH=layers/core $(BIN)/python -m bench.lockout

dashboard: .venv/.dev ## Draw the dashboard from two minutes of traffic on a local stack; TO=docs/images/dashboard.png for the docs
	@PYTHONPATH=layers/core $(BIN)/python -m generators.dashboard "$(TO)"

audit: .venv/.dev ## List the deployed packages with licences and known advisories; writes .local/sbom.cdx.json
	@PYTHONPATH=layers/core $(BIN)/python -m release.audit

facts: .venv/.run ## Print the template's defaults and the counts that documents claim
	@PYTHONPATH=layers/core $(BIN)/python -m release.facts

release-check: .venv/.dev ## Run the release checklist, stop at the first failure; an hour
	@PYTHONPATH=layers/core $(BIN)/python -m release.check

provision-check: .venv/.run ## Compare the resources at Infobip with a stack's parameters, print weaker settings; STACK=…
	@PYTHONPATH=layers/core $(BIN)/python -m ops.provision_check --stack "$(STACK)"

watch: .venv/.run ## Show a stack's metrics live in the terminal, until Ctrl-C; STACK=…
	@PYTHONPATH=layers/core $(BIN)/python -m ops.watch --stack "$(STACK)"

smoke: .venv/.run ## Smoke-test a stack end to end with a test number; STACK=…
	@PYTHONPATH=layers/core $(BIN)/python -m ops.smoke --stack "$(STACK)"

load: .venv/.run ## Load-test the local stack, print latencies and whether every limit held; RATE=… SECONDS=… WORKERS=…
	@PYTHONPATH=layers/core $(BIN)/python -m ops.load --rate $(RATE) --seconds $(SECONDS) --workers $(WORKERS)

restore-items: .venv/.run ## Copy missing items from a restored table into the stack's table; STACK=… SOURCE=…
	@PYTHONPATH=layers/core $(BIN)/python -m ops.restore_items --stack "$(STACK)" --source "$(SOURCE)"

rotate-pepper: .venv/.run ## Take the next step of a pepper rotation, if it is due; STACK=…
	@PYTHONPATH=layers/core $(BIN)/python -m ops.rotate_pepper --stack "$(STACK)"

sam-local-invoke: .venv/.run ## Run one function in a container, beside `make run HOST=docker`; FUNCTION=… EVENT=…
	@PYTHONPATH=layers/core exec $(BIN)/python -m local.containers invoke "$(FUNCTION)" "$(EVENT)"

sam-local-api: .venv/.run ## Serve the API from containers, beside `make run HOST=docker`; API_PORT=…
	@PYTHONPATH=layers/core exec $(BIN)/python -m local.containers api --port "$(API_PORT)"

test-sam-local: .venv/.dev ## Request and verify a code in real containers; needs Docker and Lambda's base image
	$(BIN)/python -m pytest tests/sam_local

clean: ## Remove everything that make created, including .venv
	rm -rf .venv .local .aws-sam examples/*/node_modules .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo "Python 3.11 or later is needed; choose one with PYTHON=…" >&2; exit 1; }
	@$(PYTHON) -m venv .venv

# Without bytecode, which the first import writes: half the time.
.venv/.run: requirements-run.txt | .venv/bin/python
	@echo "installing requirements-run.txt into .venv; about a minute, once"
	@$(BIN)/$(PIP_INSTALL) --no-compile -r requirements-run.txt
	@touch $@

.venv/.dev: requirements-dev.txt .venv/.run
	@echo "installing requirements-dev.txt into .venv; about a minute, once"
	@$(BIN)/$(PIP_INSTALL) --no-compile -r requirements-dev.txt
	@touch $@

# Checks verification tokens in Node.
.venv/.tokens: tests/tokens/package.json tests/tokens/package-lock.json | .venv/.run
	@echo "installing tests/tokens/package-lock.json into .venv/tokens; seconds, once"
	@mkdir -p .venv/tokens
	@cp tests/tokens/package.json tests/tokens/package-lock.json .venv/tokens
	@cd .venv/tokens && PATH="$(CURDIR)/$(BIN):$$PATH" npm ci --silent --no-audit --no-fund
	@touch $@

# The vendors' Node clients, which the contract suite runs against the sandbox.
.venv/.vendors: tests/vendors/package.json tests/vendors/package-lock.json | .venv/.run
	@echo "installing tests/vendors/package-lock.json into .venv/vendors; seconds, once"
	@mkdir -p .venv/vendors
	@cp tests/vendors/package.json tests/vendors/package-lock.json .venv/vendors
	@cd .venv/vendors && $(NPM) ci --ignore-scripts >/dev/null
	@touch $@

# Generators of typed clients in Python and Node, and the clients' dependencies.
.venv/.clients: requirements-clients.txt tests/clients/package.json tests/clients/package-lock.json | .venv/.run
	@echo "installing requirements-clients.txt and tests/clients/package-lock.json into .venv/clients; seconds, once"
	@$(BIN)/python -m venv .venv/clients
	@$(CLIENTS_BIN)/$(PIP_INSTALL) --no-compile -r requirements-clients.txt
	@cp tests/clients/package.json tests/clients/package-lock.json tests/clients/.npmrc .venv/clients
	@cd .venv/clients && $(NPM) ci --ignore-scripts >/dev/null
	@touch $@

# DynamoDB Local, from an npm package of AWS. The tests that need it are skipped if npm cannot install it.
.venv/.dynamodb-local: tests/dynamodb_local/package.json tests/dynamodb_local/package-lock.json | .venv/.run
	@echo "installing tests/dynamodb_local/package-lock.json into .venv/dynamodb-local; seconds, once"
	@echo "its licence is Amazon's and requires an AWS account; DYNAMODB_LOCAL= leaves it out"
	@mkdir -p .venv/dynamodb-local
	@cp tests/dynamodb_local/package.json tests/dynamodb_local/package-lock.json tests/dynamodb_local/.npmrc .venv/dynamodb-local
	@{ cd .venv/dynamodb-local && $(NPM) ci --ignore-scripts >/dev/null && touch ../.dynamodb-local; } \
	    || echo "DynamoDB Local cannot be installed; the tests that need it are skipped"

# Beside each example, where Node resolves its imports.
$(ALTCHA) $(EXPRESS) $(BETTER_AUTH): examples/%/node_modules/.package-lock.json: examples/%/package-lock.json | .venv/.run
	@echo "installing $<; some seconds, once"
	@cd examples/$* && $(NPM) ci --ignore-scripts >/dev/null
	@touch $@

# Packages of the page, from a lock of their own, and the dev packages of its tests.
.venv/.web: NPM_OMIT = --omit=dev
.venv/.web .venv/.web-dev: web/package-lock.json | .venv/.run
	@echo "installing web/package-lock.json into .venv/web; some seconds, once"
	@mkdir -p .venv/web && cp web/package.json web/package-lock.json web/.npmrc .venv/web
	@cd .venv/web && $(NPM) ci --ignore-scripts $(NPM_OMIT) >/dev/null
	@touch .venv/.web $@

.venv/.checkov: requirements-checkov.txt | .venv/bin/python
	@echo "installing requirements-checkov.txt into .venv/checkov; about a minute, once"
	@$(BIN)/python -m venv .venv/checkov
	@$(CHECKOV_BIN)/$(PIP_INSTALL) --no-compile -r requirements-checkov.txt
	@touch $@

.venv/.site: requirements-site.txt | .venv/bin/python
	@echo "installing requirements-site.txt into .venv/site; seconds, once"
	@$(BIN)/python -m venv .venv/site
	@$(SITE_BIN)/$(PIP_INSTALL) --no-compile -r requirements-site.txt
	@touch $@
