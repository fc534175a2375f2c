"""The picture that a shared link shows is the front page's race."""

from pathlib import Path

import matplotlib.image
import numpy as np

from tools.share_picture import HEIGHT, PICTURE, WIDTH, draw


def test_the_stored_picture_is_what_is_drawn(tmp_path: Path) -> None:
    draw(tmp_path / "share.png")
    stored, drawn = (matplotlib.image.imread(path) for path in (PICTURE, tmp_path / "share.png"))
    assert stored.shape[:2] == (HEIGHT, WIDTH)
    # Another processor may round the edge of a letter otherwise.
    assert np.mean(np.abs(stored - drawn)) < 1e-3, "make notebooks で作り直してください"
