# Every target makes what it needs. `make test` is what a change has to pass; `make help` lists the rest.

# Any Python from 3.9 on can make the environment that everything else runs in.
bootstrap := $(firstword $(foreach name,python3 python3.13 python3.12,$(shell command -v $(name) 2>/dev/null)))
python := .cache/venv/bin/python

without_lab := lint typing unit clients checks-test tarball sanity
with_lab := lab-test integration molecule

.NOTPARALLEL:
.PHONY: help env copy test $(without_lab) $(with_lab) matrix releases demo bench fuzz mutation findings clean root

# Examples of each fuzz test: make fuzz FUZZ_EXAMPLES=100000
FUZZ_EXAMPLES ?= 5000

help:
	@echo 'make demo         watch the collection do its whole job, on this machine (root)'
	@echo 'make test         every check and test (root); one failure fails it'
	@echo 'make $(without_lab)'
	@echo 'make $(with_lab)   one of them on its own; the latter need root'
	@echo 'make matrix       oldest and newest ansible-core, kubernetes.core, client and Python'
	@echo 'make releases     what the operator does from an edit to a rollout, case by case, on each release of the lab (root)'
	@echo 'make bench        requests, seconds and memory beside kubectl and oc, over 1000 nodes, long outages, failed builds, and what peers answer (root)'
	@echo 'make fuzz         give hostile input to what reads nodes and the API server; FUZZ_EXAMPLES=N examples of each test (5000)'
	@echo 'make mutation     change the code of the verdict and see whether the tests notice'
	@echo 'make env copy     only the Python environment; only the copy of the collection that tests run against'
	@echo 'make findings     write the page of findings of the documentation from the table in the code'
	@echo 'make clean        remove everything that these made'

env:
	@test -n "$(bootstrap)" || { echo 'Could not make the Python environment: there is no Python. Install it, with `apt-get install python3.12-venv` or `dnf install python3.12`.' >&2; exit 1; }
	@$(bootstrap) -m checks.environment

# Said before anything is installed.
root:
	@test "$$(id -u)" = 0 || { echo 'Could not start a lab: it needs root, for mount namespaces and buildah. Run make as root, or choose a step that needs no lab: $(without_lab).' >&2; exit 1; }

copy: env
	@$(python) -m checks copy

$(without_lab): env
	@$(python) -m checks run $@

$(with_lab): root env
	@$(python) -m checks run $@

test: root env
	@$(python) -m checks run --all

matrix: root env
	@$(python) -m checks matrix

releases: root env
	@$(python) -m checks releases

demo: root env
	@$(python) -m demo

bench: root env
	@$(python) -m checks bench

fuzz: env
	@$(python) -m checks fuzz --examples $(FUZZ_EXAMPLES)

mutation: env
	@$(python) -m checks mutation

findings: env
	@$(python) -m checks findings

clean:
	@if test -x .cache/venv/bin/lab && test "$$(id -u)" = 0; then .cache/venv/bin/lab down --all; fi
	rm -rf .cache lab/src/*.egg-info
