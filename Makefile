# make run: live dashboard from the default microphone; make test: all tests. Both set up first.
.PHONY: help run test lint wheel card aarch64 clean

PYTHON_BIN = .venv/bin/python

help:
	@echo "make run    live dashboard from the default microphone (a synthesised clip without one)"
	@echo "make test   all tests; ARGS=... goes to pytest"
	@echo "make lint   ruff and mypy"
	@echo "make wheel  the wheel, into dist/"
	@echo "make card   a sound card without a sound server, in a virtual machine (fetches a kernel)"
	@echo "make aarch64  the clip analysed on an emulated Pi, and compared (fetches Debian for arm64)"
	@echo "make clean  remove .venv and everything built"
	@echo "PYTHON=...  chooses Python 3.11, 3.12 or 3.13 for .venv"

run:
	@scripts/setup run
	@.venv/bin/streamser live $(ARGS)

test:
	@scripts/setup test
	@$(PYTHON_BIN) -m pytest $(ARGS)

lint:
	@scripts/setup test
	@$(PYTHON_BIN) -m ruff check .
	@$(PYTHON_BIN) -m ruff format --check .
	@$(PYTHON_BIN) -m mypy

wheel:
	@scripts/setup test
	@$(PYTHON_BIN) -m build --wheel

card:
	@scripts/try-card

aarch64:
	@scripts/setup run
	@scripts/aarch64

clean:
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
