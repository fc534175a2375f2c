"""Published measurements of other kinds than `hayasa.measurements` returns, as frames."""

import pandas as pd  # type: ignore[import-untyped]

from ..catalog.reader import data_directory, read_rows
from ..errors import UnknownNameError, shown


def published(kind: str) -> pd.DataFrame:
    """Return the rows of a folder of ``data/measurements``, numbers as numbers, what is not known as a missing value.

    Parameters
    ----------
    kind : str
        Name of the folder, such as ``"offload"``; its README explains each column.

    Returns
    -------
    pandas.DataFrame
        A row per measurement, in the order of the files; ``file`` is the file's name without ``.csv``.

    Raises
    ------
    UnknownNameError
        If there is no such folder.

    Examples
    --------
    >>> rows = published("offload")
    >>> rows.loc[rows["machine"] == "inventivehq-5060ti", "decode_tokens_per_s"].max()
    np.float64(12.5)
    """
    folder = data_directory() / "measurements"
    kinds = sorted(path.name for path in folder.iterdir() if any(path.glob("*.csv")))
    if kind not in kinds:
        raise UnknownNameError(f"kind に指定された {shown(kind)} はありません。あるもの: {'、'.join(kinds)}。")
    frames = [pd.DataFrame(read_rows(path)).assign(file=path.stem) for path in sorted((folder / kind).glob("*.csv"))]
    rows = pd.concat(frames, ignore_index=True)
    for name in rows:
        known = rows[name].where(rows[name] != "")
        try:
            rows[name] = pd.to_numeric(known)
        except ValueError:
            rows[name] = known
    return rows
