"""The pages of the site that stand outside docs/, and links as they read in the repository.

Every page is written to be read in the repository too, so its links are paths of files. On the site, a link to a file
that is a page leads to that page. A link to any other file of the repository becomes its text, or a link into
`repo_url` where mkdocs.yml has one. A link to a file that does not exist stays as it is, so that a strict build fails.
"""

import posixpath
import re
from collections.abc import Mapping
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent

OUTSIDE = {
    "README.md": "index.md",
    "fake/README.md": "fake.md",
    "model/README.md": "model.md",
    "stateful_tests/README.md": "harness.md",
    "scripts/README.md": "scripts.md",
    "adapters/go/README.md": "go.md",
    "adapters/go/example/README.md": "go-example.md",
    "examples/limiter/README.md": "limiter.md",
    "examples/leader/README.md": "leader.md",
    "examples/registry/README.md": "registry.md",
    "examples/slot_client/README.md": "slot-client.md",
    "containers/README.md": "containers.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}
"""Files of the repository that are pages, and where on the site."""

_ORIGINS = {page: path for path, page in OUTSIDE.items()}
_FENCED = re.compile(r"^(`{3,}|~{3,}).*?^\1[`~]*$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[(?P<text>[^\]]*)\]\((?P<target>[^)\s#]+)(?P<anchor>#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that stand outside docs/."""
    for path, page in OUTSIDE.items():
        files.append(File.generated(config, page, content=(ROOT / path).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Rewrite the links of a page, except in code blocks."""
    uri = page.file.src_uri
    origin = _ORIGINS.get(uri, f"docs/{uri}")
    pages = {_ORIGINS.get(file.src_uri, f"docs/{file.src_uri}"): file.src_uri for file in files.documentation_pages()}
    parts, end = [], 0
    for block in _FENCED.finditer(markdown):
        parts += [_rewritten(markdown[end : block.start()], origin, uri, pages, config.repo_url), block.group()]
        end = block.end()
    return "".join([*parts, _rewritten(markdown[end:], origin, uri, pages, config.repo_url)])


def _rewritten(markdown: str, origin: str, uri: str, pages: Mapping[str, str], repo_url: str | None) -> str:
    def link(match: re.Match[str]) -> str:
        text, target, anchor = match["text"], match["target"], match["anchor"] or ""
        if re.match(r"[a-z]+:", target):
            return match.group()
        path = posixpath.normpath(posixpath.join(posixpath.dirname(origin), target))
        if path in pages:
            return f"[{text}]({posixpath.relpath(pages[path], posixpath.dirname(uri) or '.')}{anchor})"
        if not (ROOT / path).exists():
            return match.group()
        return f"[{text}]({repo_url.rstrip('/')}/blob/main/{path}{anchor})" if repo_url else text

    return _LINK.sub(link, markdown)
