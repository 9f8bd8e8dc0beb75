"""The explorer's page as a text: nothing is loaded, and no data can become markup or a script."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any

import pytest

from tinytensor.viz.explorer.page import frame, page

pytestmark = pytest.mark.no_c

EVIL = "</script><script>document.title = 'broken'</script><!-- <script> \u2028 & %%data%%"


class Parts(HTMLParser):
    """Elements with their attributes, and what stands in each script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.titles: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        texts = {"script": self.scripts, "title": self.titles}
        if self.elements and self.elements[-1][0] in texts:
            texts[self.elements[-1][0]].append(data)


def test_own_size_and_nothing_loaded() -> None:
    text = page({})
    assert len(text.encode()) <= 300_000
    parts = Parts(text)
    for tag, attributes in parts.elements:
        assert tag not in ("link", "img", "iframe", "object", "embed", "base")
        assert not {"src", "href", "srcset", "onclick", "onload"} & set(attributes)
    assert "@import" not in text
    assert "url(" not in text.replace("url(#arrow)", "")
    assert text.replace("http://www.w3.org/2000/svg", "").count("://") == 0


@pytest.mark.parametrize("text", [EVIL, "<b>&amp;", "x\u2029y"])
def test_data_stay_data(text: str) -> None:
    data = {"title": text, "files": [{"name": text, "lines": {"1": text}}]}
    parts = Parts(page(data))
    assert [tag for tag, _ in parts.elements].count("script") == 2
    assert json.loads(parts.scripts[0]) == data
    assert parts.titles[0] == text
    assert "broken" not in parts.scripts[1]


def test_numbers_that_scripts_lack() -> None:
    """inf and NaN are no JSON, and integers from 2⁵³ on are rounded by a script."""
    for numbers, said in (
        ([float("nan"), float("inf"), -float("inf"), 0.1], ["nan", "inf", "-inf", 0.1]),
        ([2**53, -(2**53) - 1, 2**63, 7, True], [2**53, str(-(2**53) - 1), str(2**63), 7, True]),
    ):
        parts = Parts(page({"values": [{"whole": numbers}]}))
        assert json.loads(parts.scripts[0]) == {"values": [{"whole": said}]}


def test_the_frame_of_notebooks_holds_the_page() -> None:
    data: dict[str, Any] = {"title": 'a "quoted" <b>'}
    ((tag, attributes),) = Parts(frame(data)).elements
    assert tag == "iframe"
    assert attributes["srcdoc"] == page(data)
    assert attributes["sandbox"] == "allow-scripts"
