"""The report as Markdown: report.md.j2 is its shape, in the order of the original study."""

from pathlib import Path
from typing import Any

from facestudy.contracts.corruptions import TITLES
from facestudy.contracts.predictions import validation_errors
from facestudy.pages.markdown import render
from facestudy.pages.page import contents
from facestudy.report import conclusions, tables, thresholds
from facestudy.report.convergence import convergence
from facestudy.report.original_study import beside_original
from facestudy.report.study import Study

TEMPLATE = Path(__file__).with_name("report.md.j2")


def markdown(study: Study) -> str:
    """The whole report; every text of a user in it is escaped. The page is made from this text alone."""
    values: dict[str, Any] = {
        "study": study,
        "tables": tables,
        "conclusions": conclusions,
        "convergence": convergence,
        "beside_original": beside_original,
        "validation_errors": validation_errors,
        "corruption_titles": TITLES,
        "chance": thresholds.CHANCE,
        "few": thresholds.FEW_PICTURES,
    }
    return render(TEMPLATE, contents=contents(render(TEMPLATE, contents="", **values)), **values)
