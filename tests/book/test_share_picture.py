"""The picture that a shared link shows, and the cover of the EPUB, are the front page's race."""

from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from tools.share_picture import COVER, COVER_HEIGHT, HEIGHT, PICTURE, WIDTH, draw, draw_cover


@pytest.mark.parametrize(("picture", "height", "redraw"), [(PICTURE, HEIGHT, draw), (COVER, COVER_HEIGHT, draw_cover)])
def test_the_stored_picture_is_what_is_drawn(tmp_path: Path, picture: Path, height: int, redraw) -> None:
    redraw(tmp_path / "new.png")
    stored, drawn = (matplotlib.image.imread(path) for path in (picture, tmp_path / "new.png"))
    assert stored.shape[:2] == (height, WIDTH)
    # Another processor may round the edge of a letter otherwise.
    assert np.mean(np.abs(stored - drawn)) < 1e-3, "make notebooks で作り直してください"
