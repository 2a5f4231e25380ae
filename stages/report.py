"""Write the study: plots/report.md, and plots/report.html from it, one page with all pictures inside.

In: metrics/ (counts, histories, logs, scores, predictions, exports, differences), timings/ where there are any, the
pictures in plots/figures/ and plots/comparison/, and the study's names (data/study.json).
Out: the two files, in the order of the original study. A task without labels has its reason in place of its part.
"""

from facestudy.pages.page import page, within_limit
from facestudy.project import files, parameters, paths
from facestudy.report.markdown import markdown
from facestudy.report.study import Study, read_picture
from facestudy.stage import run

PAGE_LIMIT = 5_000_000  # bytes


def report() -> None:
    """Write both files; raises StudyError where a file of an earlier stage is missing."""
    settings = parameters.read()
    study = Study.read(settings.data.source, settings.weights.source)
    text = markdown(study)
    pictures = {name: read_picture(name) for name in study.pictures()}
    html = page(text, within_limit(pictures, PAGE_LIMIT - len(page(text, {}).encode())))
    files.write_text(paths.REPORT_MARKDOWN, text)
    files.write_text(paths.REPORT_HTML, html)


if __name__ == "__main__":
    run(report)
