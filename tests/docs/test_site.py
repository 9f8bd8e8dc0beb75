"""The site that was built in the folder TINYTENSOR_SITE, as Chromium shows it without a network."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from ..browser import chromium

pytestmark = pytest.mark.browser


def shown(page: str) -> str:
    """The tree of a page after its scripts ran."""
    address = (Path(os.environ["TINYTENSOR_SITE"]) / "index.html").resolve().as_uri()
    alone = "--host-resolver-rules=MAP * ~NOTFOUND"
    address = address.replace("index.html", page)
    return chromium(alone, "--virtual-time-budget=20000", "--dump-dom", address)


def test_the_search_finds_an_op_and_its_rules() -> None:
    page = shown("index.html?q=conv2d")
    assert re.search(r">\d+ matching documents<", page)
    found = re.findall(r'href="([^"]+)" class="md-search-result__link"', page)
    assert any(link.endswith("reference/ops.html?h=conv2d#conv-conv2d") for link in found), found


def test_a_link_to_a_source_leads_to_its_line() -> None:
    page = shown("afternoon.html")
    link = re.search(r'href="(source/tinytensor/engine/core\.py\.html)#(L\d+)"', page)
    assert link
    assert f'id="{link[2]}"' in shown(link[1])
