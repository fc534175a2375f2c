"""Write what a script of the book is told, so that two engines can be compared."""

import json
import os
import sys
from pathlib import Path

print("作ります")
product, *arguments = sys.argv[1:]
root = Path(os.environ["QUARTO_PROJECT_DIR"])
told = {
    "arguments": arguments,
    "runs in the book": root.samefile("."),
    "output": Path(os.environ["QUARTO_PROJECT_OUTPUT_DIR"]).relative_to(root).as_posix(),
    "all": os.environ["QUARTO_PROJECT_RENDER_ALL"],
    "inputs": os.environ["QUARTO_PROJECT_INPUT_FILES"].splitlines(),
}
Path(product).write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")
