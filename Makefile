# The way in: `make demo` and `make test` set everything up themselves on a Debian 12 with git, make and python3.
.DEFAULT_GOAL := build
.PHONY: setup build release samples demo test chaos wheel-check bench bench-recovery format lint clean simulate
python := .venv/bin/python

setup: ## Debian packages and .venv; quick when nothing is missing
	@sh scripts/setup.sh

build: setup ## the dev preset; .venv/bin/python can import mainstem afterwards
	@sh scripts/build.sh dev

release: setup ## what users run
	@sh scripts/build.sh release

samples: setup ## real photos, papers, speech and clips into build/samples
	@$(python) scripts/samples.py

demo: release samples ## the quality demo: Parquet and a page under build/demo
	@PYTHONPATH=build/release/python $(python) examples/quality_demo.py

test: setup ## everything: Python, C++ under the address and thread sanitizers, lint, types
	@$(python) scripts/run_tests.py

SEEDS ?= 5000
TOPOLOGY ?= all
simulate: build ## SEEDS=20000 TOPOLOGY=keyed: seeds of the simulator; the first that fails prints its schedule
	@cmake --build build/dev --target mainstem-simulate -- --quiet
	@build/dev/src/mainstem/simulation/mainstem-simulate --topology $(TOPOLOGY) --seeds $(SEEDS)

chaos: build ## jobs killed for real, MAINSTEM_KILLS times (2000); writes the table of docs/chaos.md
	@rm -f build/reports/chaos.jsonl
	@MAINSTEM_KILLS=$${MAINSTEM_KILLS:-2000} $(python) -m pytest -q tests/chaos
	@$(python) tests/chaos/table.py

wheel-check: setup ## pip's wheel in an empty environment; builds everything once more
	@sh scripts/check_wheel.sh

bench: release samples ## the table of benches; BENCH="--works images --rounds 5" narrows it
	@PYTHONPATH=build/release/python $(python) bench/run.py $(BENCH)

bench-recovery: release samples ## what checkpoints cost and how soon a job goes on; BENCH="--benches worker --rounds 5" narrows it
	@PYTHONPATH=build/release/python $(python) bench/recover.py $(BENCH)

format: setup ## rewrite the Python sources in ruff's format
	@.venv/bin/ruff format python tests examples bench scripts
	@.venv/bin/ruff check --fix python tests examples bench scripts

lint: setup ## style, types and walls
	@.venv/bin/ruff check python tests examples bench scripts
	@.venv/bin/mypy
	@$(python) scripts/check_walls.py

clean: ## build results; .venv stays
	rm -rf build
