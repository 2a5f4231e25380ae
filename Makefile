# Two cores and no GPU are enough; .venv holds all that is installed.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: repro original demo plots screenshots test test-slow test-photos services lint accept-code bench fuzz torture clean

# The check first: DVC runs it for a change of params.yaml alone, and hangs at a pipe among the photos.
repro: .venv/installed
	export PATH="$(CURDIR)/$(BIN):$$PATH"; python -m stages.check && dvc repro

# The original study: its photos from Google Drive, ImageNet's weights, 224 px (presets/original.yaml). For a GPU.
original: .venv/installed
	PATH="$(CURDIR)/$(BIN):$$PATH" facestudy preset original $(ARGS)

# A page to try the models on; then open the address that it prints.
demo: .venv/installed-demo
	$(BIN)/facestudy demo $(ARGS)

# `dvc plots show` and `dvc plots diff` as pages that need no network; ARGS are the revisions to compare.
plots: .venv/installed
	$(BIN)/facestudy plots $(ARGS)

# The pictures of docs/screenshots/, after `make repro`; ARGS are the revisions to compare.
screenshots: .venv/installed-dev
	PATH="$(CURDIR)/$(BIN):$$PATH" python -m tools.screenshots $(ARGS)

test: .venv/installed-dev
	PATH="$(CURDIR)/$(BIN):$$PATH" python -m pytest --numprocesses 2 --dist loadfile $(PYTEST_ARGS)

# Those tests that take long: whole studies run by DVC, killed trainings, several processes, large networks.
test-slow: .venv/installed-dev
	PATH="$(CURDIR)/$(BIN):$$PATH" python -m pytest -m slow --numprocesses 2 --dist loadfile $(PYTEST_ARGS)

# Those tests that need real photos, in ../shared/photos.
test-photos: .venv/installed-dev
	$(BIN)/python -m pytest -m photos $(PYTEST_ARGS)

# Those tests that start services on this machine: Slurm (as root), sshd, a store like S3, Ray.
services: .venv/installed-dev .venv-services/installed .venv-moto/installed
	PATH="$(CURDIR)/$(BIN):$$PATH" python -m pytest -m services --numprocesses 2 --dist loadfile $(PYTEST_ARGS)

lint: .venv/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

# After an edit of code that changes no meaning (comments, docstrings, words of errors): no stage runs again for it.
accept-code: .venv/installed-dev
	PATH="$(CURDIR)/$(BIN):$$PATH" python -m tools.accept_code

# How fast it is, against the bare network and other ways to train (docs/benchmarks.md); on an idle machine.
bench: .venv/installed-dev .venv-bench/installed
	PATH="$(CURDIR)/$(BIN):$$PATH" python -m benchmarks.bench $(ARGS)

# Broken and hostile input through all readers.
fuzz: .venv/installed-dev
	FUZZ_INPUTS=2500 $(BIN)/python -m pytest -q tests/test_fuzz.py

# Kills at random moments, faults, hostile input (docs/reliability.md); as root, for small disks and other users.
torture: .venv/installed-dev
	PATH="$(CURDIR)/$(BIN):$$PATH" python -m tests.torture $(ARGS)

.venv/installed: requirements.txt requirements-detector.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -r requirements.txt
	$(BIN)/python -m pip install --no-deps -r requirements-detector.txt -e .
	touch $@

.venv/installed-demo: .venv/installed requirements-demo.txt
	$(BIN)/python -m pip install --no-deps -r requirements-demo.txt
	touch $@

.venv/installed-dev: .venv/installed-demo requirements-dev.txt
	$(BIN)/python -m pip install -r requirements-dev.txt
	touch $@

.venv-bench/installed: benchmarks/requirements.txt
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python -m pip install -r benchmarks/requirements.txt
	touch $@

# A folder of packages, which goes before those of .venv where a test asks for it.
.venv-services/installed: .venv/installed requirements-services.txt
	$(BIN)/python -m pip install --no-deps --upgrade --target .venv-services -r requirements-services.txt
	touch $@

.venv-moto/installed:
	$(PYTHON) -m venv .venv-moto
	.venv-moto/bin/python -m pip install 'moto[server]==5.2.5'
	touch $@

clean:
	rm -rf .venv .venv-bench .venv-services .venv-moto wandb dvc_plots
