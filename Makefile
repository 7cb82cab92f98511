# Each target makes what it needs. `make test` is what a change must pass; `make help` lists the others.
# noxfile.py is the list of everything that is run.

# Any Python from 3.9 on can make the environment of the checks.
bootstrap := $(firstword $(foreach name,python3 python3.13 python3.12,$(shell command -v $(name) 2>/dev/null)))
python := .cache/venv/bin/python
checks := $(python) -m checks

without_lab := lint typing unit clients checks-test tarball execution-environment oldest sanity glossary
with_lab := lab-test integration molecule interfaces v1alpha1 releases

.NOTPARALLEL:
.PHONY: help env copy test list $(without_lab) $(with_lab) matrix demo bench fuzz mutation findings variables surface clean root

# New examples of each fuzz test: make fuzz FUZZ_EXAMPLES=100000
FUZZ_EXAMPLES ?= 5000
# One group of `make mutation`: proof, identity, build or rollout
GROUP ?=
# Version of MachineOSConfig of `make demo`: v1, or v1alpha1 as in OpenShift 4.16
API ?= v1
# Scripts of `make bench`, such as "node_tasks quiet_wait"
SCRIPTS ?=

help:
	@echo 'make demo         run the whole collection on a cluster on this machine (root); API=v1alpha1 as on OpenShift 4.16'
	@echo 'make test         run every check and test (root)'
	@echo 'make $(without_lab)'
	@echo 'make $(with_lab)   run one of them (the latter as root)'
	@echo 'make matrix       test the oldest and newest ansible-core, kubernetes.core, client and Python (root)'
	@echo 'make bench        measure requests, seconds and memory beside kubectl and oc (root); SCRIPTS="NAME ..." for some'
	@echo 'make fuzz         give hostile input to what reads nodes and the API server; FUZZ_EXAMPLES=N (5000)'
	@echo 'make mutation     count the changes of the code that tests detect; GROUP=proof, identity, build or rollout for one'
	@echo 'make env copy     make the Python environment; update the copy of the collection that tests use'
	@echo 'make findings     write the page of findings from the table in the code'
	@echo 'make variables    write what is generated from the specification of the variables'
	@echo 'make surface      record the public surface of the version in galaxy.yml'
	@echo 'make list         list everything that is run'
	@echo 'make clean        remove everything that make made'

env:
	@test -n "$(bootstrap)" || { echo 'Could not make the Python environment: Python is not installed. Install it with `apt-get install python3.12-venv` or `dnf install python3.12`.' >&2; exit 1; }
	@$(bootstrap) -m checks.environment

# Checked before anything is installed.
root:
	@test "$$(id -u)" = 0 || { echo 'Could not start a lab: mount namespaces and buildah need root. Run make as root, or choose a target without a lab: $(without_lab).' >&2; exit 1; }

copy: env
	@$(checks) copy

list: env
	@$(python) -m nox --list

unit: env
	@$(checks) run unit fuzz

$(filter-out unit,$(without_lab)) findings variables surface: env
	@$(checks) run $@

$(with_lab): root env
	@$(checks) run $@

test: root env
	@$(checks) run

matrix: root env
	@$(checks) run versions modules-python

demo: root env
	@$(python) -m demo $(API)

bench: root env
	@$(python) -m nox --session bench -- $(SCRIPTS)

fuzz: env
	@FUZZ_EXAMPLES=$(FUZZ_EXAMPLES) $(checks) run fuzz

mutation: env
	@$(checks) run 'mutation$(if $(GROUP),($(GROUP)))'

clean:
	@if test -x .cache/venv/bin/lab && test "$$(id -u)" = 0; then .cache/venv/bin/lab down --all; fi
	rm -rf .cache lab/src/*.egg-info
