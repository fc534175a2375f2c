"""Measure this machine, with a prediction beside each measurement: ``hayasa measure``.

`run` does it, in a fresh process, because a BLAS reads how many threads it
may use when numpy is first imported.  `recorded` and `recorded_rows` give
what was measured for the book.  Only `hayasa.measure.probes` needs numpy.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

from ..errors import HayasaError
from .record import (
    PITFALLS,
    Record,
    checks,
    from_json,
    read_record,
    recorded,
    recorded_rows,
    require_writable,
    to_json,
    write_record,
)

__all__ = [
    "ONE_THREAD",
    "PITFALLS",
    "checks",
    "read_record",
    "recorded",
    "recorded_rows",
    "require_numpy",
    "require_writable",
    "run",
    "to_json",
    "write_record",
]

ONE_THREAD = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "BLIS_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
}
"""Environment under which numpy's BLAS, whichever it is, uses one thread."""


def require_numpy() -> None:
    """Raise at once, before anything is measured, if numpy is not there."""
    if importlib.util.find_spec("numpy") is None:
        raise HayasaError("測るには numpy 2.0 以上が必要です。pip install 'numpy>=2' を実行してください。")


def run() -> Record:
    """Measure this machine in a fresh process whose BLAS uses one thread.

    Raises
    ------
    HayasaError
        Without numpy, in a browser, where there is no process to start, or if the measurement ends half-way.
    """
    require_numpy()
    if sys.platform == "emscripten":
        raise HayasaError(
            "ブラウザの中のPythonでは測れません。ノートブックをダウンロードして手元のJupyterで動かすか、"
            "本の「この機械を測る」のページで測ってください。"
        )
    done = subprocess.run(
        [sys.executable, "-m", "hayasa.measure._run"],
        env={**os.environ, **ONE_THREAD, "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["理由は不明です。"])[-1]
        raise HayasaError(f"測定が途中で止まりました: {reason}")
    return from_json(done.stdout, "測定の結果")
