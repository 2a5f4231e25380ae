"""One HTML page from Markdown: pictures and script inside it, nothing loaded from elsewhere."""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.token import Token

from facestudy.pages.markdown import render

FRAME = Path(__file__).with_suffix(".html.j2")
STYLE, SCRIPT = (Path(__file__).with_suffix(suffix).read_text(encoding="utf-8") for suffix in (".css", ".js"))
# The page's own script alone may run, known by its hash, whatever a label holds.
_HASH = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode("ascii")
POLICY = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{_HASH}'"


def page(markdown: str, pictures: Mapping[str, bytes]) -> str:
    """The Markdown as one page; `pictures` maps the links to PNG bytes, a link not among them is named instead."""
    reader, tokens = _parsed(markdown)
    title = next((_text(tokens[index + 1]) for index in _headings(tokens)), "Report")

    def image(_: Any, inline: Sequence[Token], index: int, *__: Any) -> str:
        source, words = str(inline[index].attrGet("src")), escapeHtml(_text(inline[index]))
        if source not in pictures:
            return f"<em>{words}: {escapeHtml(source)}, left out here to keep the page small.</em>"
        coded = base64.b64encode(pictures[source]).decode("ascii")
        return f'<img alt="{words}" src="data:image/png;base64,{coded}">'

    reader.add_render_rule("image", image)
    reader.add_render_rule("table_open", lambda *_: '<div class="wide"><table>\n')
    reader.add_render_rule("table_close", lambda *_: "</table></div>\n")
    body = reader.renderer.render(tokens, reader.options, {})
    return render(FRAME, policy=POLICY, title=title, style=STYLE, body=body, script=SCRIPT)


def contents(markdown: str) -> str:
    """The second and third level of headings as a Markdown list with links to them, for a section "Contents"."""
    _, tokens = _parsed(markdown)
    return "\n".join(
        f"{'  ' if tokens[index].tag == 'h3' else ''}- [{tokens[index + 1].content}](#{tokens[index].attrGet('id')})"
        for index in _headings(tokens)
        if tokens[index].tag in ("h2", "h3") and tokens[index].attrGet("id") != "contents"
    )


def within_limit(pictures: Mapping[str, bytes], limit: int) -> dict[str, bytes]:
    """The first pictures that take, coded in base64, at most `limit` bytes together."""
    taken, total = {}, 0
    for name, content in pictures.items():
        total += 4 * -(-len(content) // 3)
        if total > limit:
            break
        taken[name] = content
    return taken


def _parsed(markdown: str) -> tuple[MarkdownIt, list[Token]]:
    """The tokens of the text; headings have anchors as GitHub makes them, numbered where they repeat."""
    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = reader.parse(markdown)
    seen: dict[str, int] = {}
    for index in _headings(tokens):
        anchor = re.sub(r"[^\w\- ]", "", _text(tokens[index + 1]).lower()).replace(" ", "-")
        tokens[index].attrSet("id", f"{anchor}-{seen[anchor]}" if anchor in seen else anchor)
        seen[anchor] = seen.get(anchor, 0) + 1
    return reader, tokens


def _headings(tokens: Sequence[Token]) -> list[int]:
    return [index for index, token in enumerate(tokens) if token.type == "heading_open"]


def _text(token: Token) -> str:
    return "".join(
        child.content for child in token.children or [] if child.type in ("text", "code_inline", "text_special")
    )
