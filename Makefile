# `make` and `make help` print the lines that begin with two hash signs. Every other target but clean
# creates .venv first; that takes Python 3.10-3.13 and a package index.
# make test EXTRAS=test,cluster,download,report,heif,onnx,torch   also installs these optional parts
PYTHON ?= python3
EXTRAS ?= test,cluster,download,report
VENV := .venv
RUN := $(VENV)/bin/python

.DEFAULT_GOAL := help
.PHONY: help
## make help          list the targets
help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

.PHONY: demo test install clean

# The extras are part of the stamp's name, so that a changed list is installed.
STAMP := $(VENV)/.installed-$(EXTRAS)
## make install       create .venv and install everything into it; PYTHON=python3.12, EXTRAS=a,b
install: $(STAMP)

$(STAMP): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 10) <= v <= (3, 13) else "Python 3.10 to 3.13 is needed, %d.%d came; name another one: make PYTHON=python3.12 test" % v)'
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --upgrade pip
	$(RUN) -m pip install --quiet --requirement requirements.txt
	$(RUN) -m pip install --quiet --editable '.[$(EXTRAS)]'
	touch $@

## make test          check style and imports, and run every test that needs no network
test: install
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m pytest -n auto --dist worksteal -m 'not slow'

## make demo          draw faces, mask and compare them, and train a network to predict their sex
demo: install
	rm -rf demo
	$(RUN) -m mask_utils.demo_faces --output demo/drawn
	$(RUN) generate_mask_to_datasets.py --base_folder demo/drawn --new_dataset_folder demo/masked \
		--landmark_cache demo/landmarks.csv
	$(RUN) -m mask_utils.preview --output demo/masks.png \
		--input demo/drawn/lfw/Drawn_Person_0001/Drawn_Person_0001_0001.jpg
	$(RUN) DICTA2021/generate_pairs.py --base_folder demo/masked --datasets lfw georgia_tech \
		--output demo/pairs
	TF_CPP_MIN_LOG_LEVEL=3 $(RUN) DICTA2021/evaluate_model.py --base_folder demo/masked \
		--pairs demo/pairs --datasets lfw georgia_tech --models masked_dlib \
		--cache demo --output demo --name verification
	$(RUN) -m mask_utils.demo_faces --output demo/people --datasets UTKFace --identities 200 \
		--pictures 1
	$(RUN) AJCAI2021/dataset_util/utkfaces_dataset.py --dataset demo/people/UTKFace \
		--output demo/utkface --type sex --link --landmark_cache demo/landmarks.csv
	$(RUN) AJCAI2021/train_attributes.py --attribute sex --data demo/utkface/split.csv \
		--backbone dlib --views 2 --epochs 2 --batch_size 16 --cache demo --output demo/sex
	@echo 'Drawn faces, masked: demo/masked, listed in demo/masked/manifest.csv.'
	@echo 'Counts: demo/masked/summary.md. Who is who behind the masks: demo/verification.md.'
	@echo 'Sex behind the masks, learnt from 160 of them: demo/sex/predictions.csv.'
	@echo 'Look at demo/masks.png (every mask type and style) and demo/verification_roc.png.'

## make clean         remove .venv and demo
clean:
	rm -rf $(VENV) demo

PUBLISHED ?= data/published
.PHONY: tables
## make tables        all tables and figures from the authors' scores; PUBLISHED=data/published
tables: install
	$(RUN) DICTA2021/regenerate_all.py --published $(PUBLISHED)
	$(RUN) DICTA2021/fill_run_here_tables.py

REPORT ?= report.html
PICTURES ?=
.PHONY: report
## make report        one web page of the stored results; REPORT=report.html, PICTURES=folder of chips
report: install
	$(RUN) -m reproduction.report --results DICTA2021/results DICTA2021/graphs AJCAI2021/results \
		AJCAI2021/data benchmarks/results --expected DICTA2021/expected AJCAI2021/expected \
		$(if $(PICTURES),--pictures $(PICTURES)) --output $(REPORT)

BASE ?= data
ATTRIBUTES := sex race age age_classification
.PHONY: utkface
## make utkface       train and test sex, race, age and age class on BASE/UTKFace; BASE=data
utkface: install
	$(RUN) AJCAI2021/dataset_util/utkfaces_dataset.py --dataset $(BASE)/UTKFace \
		--output runs/utkface/data --split random
	@for faces in masked unmasked; do for attribute in $(ATTRIBUTES); do \
		echo "$$attribute, $$faces"; \
		$(RUN) AJCAI2021/train_attributes.py --attribute $$attribute --faces $$faces \
			--data runs/utkface/data/split.csv --backbone dlib --cache runs/utkface/cache \
			--output runs/utkface/$$attribute-$$faces || exit 1; \
	done; done
	cp runs/utkface/data/groups.csv AJCAI2021/results/trained_here_mask_failures.csv
	cd AJCAI2021 && $(CURDIR)/$(RUN) regenerate_masked_vs_unmasked_results.py --name trained_here \
		--config trained_here.json --readme README.md
	cd AJCAI2021 && $(CURDIR)/$(RUN) draw_attribute_figures.py --name trained_here \
		--config trained_here.json --data ../runs/utkface/data/split.csv
	$(RUN) DICTA2021/fill_run_here_tables.py

# TRAIN holds further options, such as '--distribute gpus'; TESTS are reserved for testing.
MASKED ?= masked
MODELS ?= models
RUNS ?= runs
TESTS ?= lfw
TRAIN ?=
TRAINING = $(RUN) DICTA2021/train_siamese.py --base_folder $(MASKED) --test_datasets $(TESTS) \
	--models_folder $(MODELS) $(TRAIN)
.PHONY: paper_models
## make paper_models  train the DICTA2021 models on BASE's datasets, then Benchmark 2; BASE, TESTS, TRAIN
paper_models: install
	$(RUN) generate_mask_to_datasets.py --base_folder $(BASE) --new_dataset_folder $(MASKED)
	$(TRAINING) --recipe moco --output $(RUNS)/moco
	$(TRAINING) --recipe CP1 --output $(RUNS)/CP1
	$(TRAINING) --recipe CP2 --output $(RUNS)/CP2
	$(TRAINING) --recipe FT1 --output $(RUNS)/FT1
	$(TRAINING) --recipe FT2 --output $(RUNS)/FT2
	$(TRAINING) --recipe FT3 --output $(RUNS)/FT3
	$(RUN) DICTA2021/generate_pairs.py --base_folder $(MASKED) --datasets $(TESTS) \
		--output $(MODELS)/pairs
	@# Exit code 1: a figure differs from the paper's.
	$(RUN) DICTA2021/regenerate_experiment_2_results_from_models.py --base_folder $(MASKED) \
		--pairs $(MODELS)/pairs --datasets $(TESTS) --models_folder $(MODELS) || [ $$? = 1 ]
