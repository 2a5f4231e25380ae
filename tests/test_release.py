"""The version is one in all files that name it."""

import re
import tomllib

import yaml

from tests.inputs import ROOT


def test_the_package_the_changelog_and_the_citation_name_one_version() -> None:
    package = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    released = re.findall(
        r"^## (\d+\.\d+\.\d+), (\d{4}-\d\d-\d\d)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.M
    )
    assert (citation["version"], str(citation["date-released"])) == released[0]
    assert package == citation["version"]
