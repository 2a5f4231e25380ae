"""What `dvc plots show` and `dvc plots diff` draw, as pages that need no network.

DVC's own pages load Vega from a public host; here it stands inside the page.
"""

import subprocess
import sys
import webbrowser
from pathlib import Path

import vl_convert

from facestudy.project.files import write_text

TEMPLATE, FOLDER = Path(".dvc/tmp/plots.html"), Path("dvc_plots")
VEGA_LITE = "5.21"  # DVC's templates are written for version 5
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>DVC plots</title>
<style>body { font: 16px system-ui, sans-serif; margin: 1rem; } img { max-width: 100%; }</style>
<script>
SCRIPT
</script>
</head>
<body>
{plot_divs}
</body>
</html>
"""


def plots(revisions: list[str], no_open: bool) -> None:
    """Write both pages, print their addresses and open them; ends with DVC's own exit status where it fails."""
    for page in pages(revisions):
        url = page.absolute().as_uri()
        print(url)
        if not no_open:
            webbrowser.open(url)


def pages(revisions: list[str]) -> list[Path]:
    """The pages of `dvc plots show` and, where something differs, of `dvc plots diff` (revisions; HEAD if none)."""
    script = vl_convert.javascript_bundle(vl_version=VEGA_LITE)  # type: ignore[call-arg]
    write_text(TEMPLATE, PAGE.replace("SCRIPT", script.replace("</script", "<\\/script")))
    written: list[Path] = []
    FOLDER.mkdir(exist_ok=True)  # DVC makes one level of folders
    for name, arguments in {"show": [], "diff": revisions or ["HEAD"]}.items():
        page = FOLDER / name / "index.html"
        command = [sys.executable, "-m", "dvc", "plots", name, *arguments]
        options = ["--out", str(page.parent), "--html-template", str(TEMPLATE)]
        done = subprocess.run([*command, *options], check=False, stdout=subprocess.DEVNULL)  # noqa: S603
        if done.returncode:
            sys.exit(done.returncode)  # DVC has said why
        written += [page] if page.is_file() else []
    return written
