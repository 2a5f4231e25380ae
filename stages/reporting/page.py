"""One HTML page from the report's Markdown: pictures inside it, no script, nothing loaded from elsewhere."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.token import Token

from stages.reporting.text import slugs

STYLE = """
:root { color-scheme: light; }
body { margin: 0 auto; max-width: 62rem; padding: 1rem 1.25rem 4rem; color: #1b1f24; background: #fff;
  font: 16px/1.55 system-ui, "Segoe UI", Helvetica, Arial, sans-serif; }
h1, h2, h3, h4 { line-height: 1.25; margin: 2em 0 .6em; }
h1 { font-size: 1.9rem; margin-top: .5em; }
h2 { font-size: 1.5rem; border-bottom: 2px solid #0072b2; padding-bottom: .2em; }
h3 { font-size: 1.2rem; border-bottom: 1px solid #d5dae0; padding-bottom: .2em; }
h4 { font-size: 1rem; margin-top: 1.5em; }
.wide { overflow-x: auto; margin: 1em 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem; }
th, td { padding: .3em .75em; border-bottom: 1px solid #e2e6ea; text-align: left; vertical-align: top; }
th { background: #f3f5f7; }
pre { overflow-x: auto; background: #f6f8fa; border: 1px solid #e2e6ea; padding: .75em 1em; font-size: .8rem; }
code { font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
img { max-width: 100%; height: auto; }
a { color: #00588c; }
@media print { h2 { break-before: page; } pre, table, img { break-inside: avoid; } }
"""
FRAME = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
{body}</body>
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
    return FRAME.format(title=escapeHtml(texts[0] if texts else "Report"), style=STYLE, body=body)


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
