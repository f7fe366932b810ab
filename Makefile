# make demo   see the whole thing run on drawn faces
# make test   check the code and run every test that needs no network
# Both make .venv first, from nothing but Python 3.10-3.13 and a package index.
# make test EXTRAS=test,cluster,torch   with more of pyproject.toml's optional parts
PYTHON ?= python3
EXTRAS ?= test,cluster
VENV := .venv
RUN := $(VENV)/bin/python

.PHONY: demo test install clean

# The extras are part of the stamp's name: other ones are installed too.
STAMP := $(VENV)/.installed-$(EXTRAS)
install: $(STAMP)

$(STAMP): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 10) <= v <= (3, 13) else "Python 3.10 to 3.13 is needed, %d.%d came; name another one: make PYTHON=python3.12 test" % v)'
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --upgrade pip
	$(RUN) -m pip install --quiet --requirement requirements.txt
	$(RUN) -m pip install --quiet --editable '.[$(EXTRAS)]'
	touch $@

test: install
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m pytest -n auto --dist worksteal -m 'not slow'

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
		--pairs demo/pairs --datasets lfw georgia_tech --models dlib --alignment A B \
		--cache demo --output demo --name verification
	@echo 'Drawn faces, masked: demo/masked, listed in demo/masked/manifest.csv.'
	@echo 'Counts: demo/masked/summary.md. Who is who behind the masks: demo/verification.md.'
	@echo 'Look at demo/masks.png (every mask type and style) and demo/verification_roc.png.'

clean:
	rm -rf $(VENV) demo

# every table and figure from the published scores: make tables PUBLISHED=folder
PUBLISHED ?= data/published
.PHONY: tables
tables: install
	$(RUN) DICTA2021/regenerate_all.py --published $(PUBLISHED)
	$(RUN) DICTA2021/fill_run_here_tables.py

# the papers' models, trained, and Benchmark 2 from them: make paper_models BASE=masked
# BASE: what generate_mask_to_datasets.py wrote. TRAIN: more words for every training, as
# TRAIN='--distribute gpus'. TESTS: datasets kept for testing.
MODELS ?= models
RUNS ?= runs
TESTS ?= lfw
.PHONY: paper_models
TRAINING = $(RUN) DICTA2021/train_siamese.py --base_folder $(BASE) --test_datasets $(TESTS) \
	--models_folder $(MODELS) $(TRAIN)
paper_models: install
	$(if $(BASE),,$(error name the folder of masked datasets: make paper_models BASE=masked))
	$(TRAINING) --recipe moco --output $(RUNS)/moco
	$(TRAINING) --recipe CP1 --output $(RUNS)/CP1
	$(TRAINING) --recipe CP2 --output $(RUNS)/CP2
	$(TRAINING) --recipe FT1 --output $(RUNS)/FT1
	$(TRAINING) --recipe FT2 --output $(RUNS)/FT2
	$(TRAINING) --recipe FT3 --output $(RUNS)/FT3
	$(RUN) DICTA2021/generate_pairs.py --base_folder $(BASE) --datasets $(TESTS) \
		--output $(MODELS)/pairs
	@# Exit code 1 says that a figure is not the paper's.
	$(RUN) DICTA2021/regenerate_experiment_2_results_from_models.py --base_folder $(BASE) \
		--pairs $(MODELS)/pairs --datasets $(TESTS) --models_folder $(MODELS) || [ $$? = 1 ]
