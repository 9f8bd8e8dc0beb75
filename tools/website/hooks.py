"""What mkdocs does beyond rendering docs/, by its events; ``mkdocs.yml`` names this file.

A document is written for the repository: its links lead from file to file. Here README.md and the
other documents outside docs/ become pages, and each source file that a document links to becomes
one too, with numbered lines. So all links lead on in the site, which needs no repository.
"""

from __future__ import annotations

import html
import logging
import posixpath
import re
import sys
from functools import cache
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import TextLexer, get_lexer_for_filename
from pygments.util import ClassNotFound

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # mkdocs loads this file alone; of this tree are all that it imports

from tools.website import lessons, op_page, public  # noqa: E402

log = logging.getLogger("mkdocs.hooks.tinytensor")  # its warnings fail a strict build

# Documents that stand outside docs/, and where they are in the site.
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "benchmarks/README.md": "measuring.md",
}
SELDOM = ("changelog.md", "reference/ops.md")  # found below others
ASSETS = ("iframe-worker.js", "site.css")
FENCED = re.compile(r"(^ *```.*?^ *```$|`[^`\n]+`)", re.MULTILINE | re.DOTALL)
ASKED = re.compile(
    r"<(?:script|img|iframe|link(?= [^>]*stylesheet))[^>]* (?:src|href)=\"?(https?:[^\" >]+)"
)
LINK = re.compile(r"\]\((?![a-z]+:|#)([^)\s#]+)(#[^)\s]*)?\)")


def on_config(config: MkDocsConfig) -> None:
    """``folder/*`` in the navigation stands for the pages of a folder that it does not name."""
    config.nav = expanded(config.nav, Path(config.docs_dir), set(leaves(config.nav)))


def leaves(nav: Any) -> list[str]:
    if isinstance(nav, str):
        return [nav]
    parts = nav.values() if isinstance(nav, dict) else nav
    return [leaf for part in parts for leaf in leaves(part)]


def expanded(nav: Any, docs: Path, named: set[str]) -> Any:
    if isinstance(nav, dict):
        return {title: expanded(part, docs, named) for title, part in nav.items()}
    if not isinstance(nav, list):
        return nav
    out: list[Any] = []
    for part in nav:
        if isinstance(part, str) and part.endswith("/*"):
            pages = sorted(docs.glob(f"{part}.md"))
            names = [page.relative_to(docs).as_posix() for page in pages]
            out += [name for name in names if name not in named]
        else:
            out.append(expanded(part, docs, named))
    return out


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the documents outside docs/, the sources that are linked, and what lessons make."""
    for source, uri in PAGES.items():
        files.append(File.generated(config, uri, abs_src_path=str(ROOT / source)))
    for name in ASSETS:
        content = (Path(__file__).parent / name).read_bytes()
        files.append(File.generated(config, f"assets/{name}", content=content))
    for uri in lessons.begin(Path(config.docs_dir) / "lessons"):
        files.append(File.generated(config, f"lessons/{uri}", content=""))  # on_post_build has it
    linked = {
        target
        for file in files.documentation_pages()
        for target, _ in targets(repository_path(file), completed(file.content_string))
    }
    for target in sorted(linked):
        uri = site_path(target)
        if uri.startswith("source/") and (ROOT / target).is_file():
            text, hidden = source_page(target), InclusionLevel.NOT_IN_NAV
            files.append(File.generated(config, uri, content=text, inclusion=hidden))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    if page.file.src_uri.startswith("source/"):
        page.meta["search"] = {"exclude": True}
        page.meta["hide"] = ["navigation", "toc"]
        return markdown
    if page.file.src_uri in SELDOM:
        page.meta["search"] = {"boost": 0.5}
    return relinked(completed(markdown), page.file)


def completed(markdown: str) -> str:
    """With what the site puts into a page."""
    return (
        markdown.replace(op_page.PLACE, op_page.text()) if op_page.PLACE in markdown else markdown
    )


def on_post_build(config: MkDocsConfig) -> None:
    """Put the lessons' pages in their places. Then every public name is on a page, and no page asks
    anything of another host."""
    for uri, lesson in lessons.begin(Path(config.docs_dir) / "lessons").items():
        (Path(config.site_dir) / "lessons" / uri).write_bytes(lesson.result()[uri])
    for name in public.missing(Path(config.site_dir) / "objects.inv"):
        log.warning(f"no page of docs/reference documents {name}")
    for path in Path(config.site_dir).rglob("*.html"):
        for asked in ASKED.findall(path.read_text("utf-8")):
            log.warning(f"{path.relative_to(config.site_dir)} asks for {asked}")


# --- Links -----------------------------------------------------------------------------------


def repository_path(file: File) -> str:
    """Where a page of the site stands in the repository."""
    for source, uri in PAGES.items():
        if uri == file.src_uri:
            return source
    return f"docs/{file.src_uri}"


def site_path(target: str) -> str:
    """Where a file of the repository stands in the site."""
    if target in PAGES:
        return PAGES[target]
    if (ROOT / target).is_dir() and (ROOT / target / "README.md").exists():
        return site_path(posixpath.join(target, "README.md"))
    inside = target.startswith("docs/") and not target.endswith(".py")
    return target.removeprefix("docs/") if inside else f"source/{target}.md"


def targets(path: str, markdown: str) -> list[tuple[str, str]]:
    """The files of the repository that the document at ``path`` links to, with anchors."""
    folder = posixpath.dirname(path)
    return [
        (posixpath.normpath(posixpath.join(folder, target)), anchor)
        for text in FENCED.split(markdown)[::2]
        for target, anchor in LINK.findall(text)
    ]


def relinked(markdown: str, file: File) -> str:
    """A page's Markdown with links to where their targets are in the site."""
    path = repository_path(file)
    here = posixpath.dirname(file.src_uri) or "."

    def rewritten(link: re.Match[str]) -> str:
        ((target, _),) = targets(path, link[0])
        anchor = re.sub(r"-L\d+$", "", link[2] or "")  # of #L3-L9 the first line
        return f"]({posixpath.relpath(site_path(target), here)}{anchor})"

    parts = FENCED.split(markdown)
    parts[::2] = [LINK.sub(rewritten, text) for text in parts[::2]]
    return "".join(parts)


# --- Sources ---------------------------------------------------------------------------------


@cache
def source_page(path: str) -> str:
    """A file with the numbers of its lines, which are anchors as on pages of repositories: #L12."""
    text = (ROOT / path).read_text("utf-8")
    try:
        lexer = get_lexer_for_filename(path, stripnl=False)
    except ClassNotFound:
        lexer = TextLexer(stripnl=False)
    lines = highlight(text, lexer, HtmlFormatter(nowrap=True)).splitlines()
    width = len(str(len(lines)))
    numbered = [
        f'<a class="number" id="L{n}" href="#L{n}">{str(n).rjust(width)}</a> {line}'
        for n, line in enumerate(lines, 1)
    ]
    body = "\n".join(numbered)
    return f'# {html.escape(path)}\n\n<div class="highlight source"><pre>{body}\n</pre></div>\n'
