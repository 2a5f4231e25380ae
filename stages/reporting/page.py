"""One HTML page from the report's Markdown: pictures and script inside it, nothing loaded from elsewhere."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.token import Token

from stages.reporting.text import slugs

STYLE, SCRIPT = (Path(__file__).with_suffix(suffix).read_text(encoding="utf-8") for suffix in (".css", ".js"))
# The page's own script alone may run, known by its hash, whatever a label holds.
_HASH = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode("ascii")
POLICY = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{_HASH}'"
FRAME = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
{body}<script>{script}</script>
</body>
</html>
"""


def page(markdown: str, pictures: Mapping[str, bytes]) -> str:
    """The Markdown as one page; `pictures` maps the links to PNG bytes, a link not among them is named instead."""
    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = reader.parse(markdown)
    headings = [place for place, token in enumerate(tokens) if token.type == "heading_open"]
    texts = [_text(tokens[place + 1]) for place in headings]
    for place, anchor in zip(headings, slugs(texts), strict=True):
        tokens[place].attrSet("id", anchor)

    def image(_: Any, inline: Sequence[Token], place: int, *__: Any) -> str:
        source, words = str(inline[place].attrGet("src")), escapeHtml(_text(inline[place]))
        if source not in pictures:
            return f"<em>{words}: {escapeHtml(source)}, left out here to keep the page small.</em>"
        coded = base64.b64encode(pictures[source]).decode("ascii")
        return f'<img alt="{words}" src="data:image/png;base64,{coded}">'

    reader.add_render_rule("image", image)
    reader.add_render_rule("table_open", lambda *_: '<div class="wide"><table>\n')
    reader.add_render_rule("table_close", lambda *_: "</table></div>\n")
    body = reader.renderer.render(tokens, reader.options, {})
    title = escapeHtml(texts[0] if texts else "Report")
    return FRAME.format(policy=POLICY, title=title, style=STYLE, body=body, script=SCRIPT)


def within(pictures: Mapping[str, bytes], limit: int) -> dict[str, bytes]:
    """The first pictures that take, coded in base64, at most `limit` bytes together."""
    taken, total = {}, 0
    for name, content in pictures.items():
        total += 4 * -(-len(content) // 3)
        if total > limit:
            break
        taken[name] = content
    return taken


def _text(token: Token) -> str:
    return "".join(
        child.content for child in token.children or [] if child.type in ("text", "code_inline", "text_special")
    )
