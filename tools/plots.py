"""What `dvc plots show` and `dvc plots diff` draw, as pages that need no network.

    python -m tools.plots [REVISION...] [--no-open]

DVC's own pages load Vega from a public host; here it stands inside the page. The revisions are those of `dvc plots
diff`, HEAD by default, which shows what was changed since the last commit.
"""

import argparse
import subprocess
import webbrowser
from pathlib import Path

import vl_convert

from stages.writing import write_text

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


def pages(revisions: list[str]) -> list[Path]:
    """Write both pages; where the second is missing, nothing differs."""
    script = vl_convert.javascript_bundle(vl_version=VEGA_LITE)  # type: ignore[call-arg]
    write_text(TEMPLATE, PAGE.replace("SCRIPT", script.replace("</script", "<\\/script")))
    written = []
    for name, arguments in {"show": [], "diff": revisions or ["HEAD"]}.items():
        folder = FOLDER / name
        command = ["dvc", "plots", name, *arguments, "--out", str(folder), "--html-template", str(TEMPLATE)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        if (folder / "index.html").is_file():
            written.append(folder / "index.html")
    return written


def main() -> None:
    """From the command line; DVC's own message and exit status where it fails."""
    parser = argparse.ArgumentParser("python -m tools.plots", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("revisions", nargs="*", metavar="REVISION", help="as `dvc plots diff` takes them")
    parser.add_argument("--no-open", action="store_true", help="only write the pages")
    given = parser.parse_args()
    try:
        written = pages(given.revisions)
    except subprocess.CalledProcessError as error:
        raise SystemExit(error.returncode) from None
    for page in written:
        url = page.absolute().as_uri()
        print(url)
        if not given.no_open:
            webbrowser.open(url)


if __name__ == "__main__":
    main()
