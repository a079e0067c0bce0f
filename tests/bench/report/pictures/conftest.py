import html
import re

import pytest


@pytest.fixture
def texts(build, tmp_path):
    """Draws a picture, and returns every text in it: its SVG has each in a comment."""

    def draw(plot, *records, ceilings=None):
        drawn = plot(tmp_path / "plot", build.cells(*records, ceilings=ceilings))
        return drawn and re.findall(r"<!-- (.*?) -->", html.unescape((tmp_path / "plot.svg").read_text()), re.DOTALL)

    return draw
