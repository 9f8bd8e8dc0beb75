"""docs/afternoon.md quotes files as they are, with the numbers that their lines have."""

from __future__ import annotations

import re

import pytest

from tools import afternoon

pytestmark = pytest.mark.no_c

TEXT = afternoon.PAGE.read_text("utf-8")


def test_quotations_and_their_line_numbers_hold() -> None:
    """Where only numbers moved: ``python -m tools.afternoon``."""
    quotations = list(afternoon.QUOTATION.finditer(TEXT))
    assert len(quotations) == TEXT.count("\n[line") > 20
    for quotation in quotations:
        first, *last = map(int, re.findall(r"\d+", quotation["lines"]))
        place = first, *(last or [first])
        assert place in afternoon.places(quotation["path"], quotation["text"]), quotation[0]
        assert afternoon.numbered(*place) == (quotation["words"], quotation["lines"])


def test_every_file_of_the_path_is_walked() -> None:
    design = (afternoon.ROOT / "docs" / "design.md").read_text("utf-8")
    path = re.findall(r"^\| `(\S+)` \| \d+ \|", design, re.MULTILINE)
    walked = re.findall(r"^## \d+\. .*: (\S+)$", TEXT, re.MULTILINE)
    quoted = dict.fromkeys(quotation["path"] for quotation in afternoon.QUOTATION.finditer(TEXT))
    assert path == walked == list(quoted)


def test_moved_lines_are_found_again() -> None:
    moved = re.sub(r"#L\d+", lambda line: f"{line[0]}0", TEXT, count=1)
    assert moved != TEXT
    assert afternoon.renumbered(moved) == TEXT
