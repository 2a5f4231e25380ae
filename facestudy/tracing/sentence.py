"""A sentence of the report: where it stands, and which files its numbers come from."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facestudy.errors import StudyError
from facestudy.project import parameters, paths
from facestudy.project.sections import Parameters
from facestudy.tracing.described import read_json
from facestudy.tracing.lines import line, lines
from facestudy.tracing.records import closest, flat

HEADING = re.compile(r"(#+) (.+)")
NUMBER = re.compile(r"(?<![\w.])(\d+(?:,\d{3})*(?:\.\d+)?)( %| points)?(?![\w.]*\d)")
ROWS = {"history.csv": ["epoch"], "corruptions.csv": ["kind", "strength"]}  # the columns that name a row
SHOWN = 6  # places, of which only the number is shown where there are more
# Where a model's numbers come from, by the heading over them.
BY_HEADING = {
    "Epoch log": ["epochs.log"],
    "Run history": ["history.csv"],
    "Corrupted pictures": ["corruptions.csv", "scores.json"],
    "Most confident errors": ["predictions.csv"],
}


@dataclass(frozen=True)
class Sentence:
    """A line of the report, the headings over it, and the files that it is made from."""

    line: str
    headings: list[str]
    files: list[str]

    def text(self) -> str:
        """What is known of it, as text."""
        sources = self.files or ["none: these words are the same in every report"]
        found = [line("", each) for each in self._numbers()]
        return "\n".join(
            [
                f"{paths.REPORT_MARKDOWN}: {self.line}",
                "",
                line("under", " > ".join(self.headings[1:]) or self.headings[0]),
                *lines("made from", sources),
                *(
                    [line("numbers", "values in these files that read so (`facestudy trace FILE:KEY`):")]
                    if found
                    else []
                ),
                *found,
            ]
        )

    def _numbers(self) -> Iterator[str]:
        values = [each for file in self.files for each in _values(Path(file))]
        for digits, unit in dict.fromkeys(NUMBER.findall(self.line)):
            places = [f"{key} ({value!r})" for key, value in values if _reads(digits, unit, value)]
            shown = ", ".join(places) if len(places) <= SHOWN else f"{len(places)} values"
            yield f"{digits}{unit}: {shown or 'no single value; it is computed from several, or a fixed number'}"


def find(report: Path, words: str) -> Sentence:
    """The one line of the report that holds the words.

    `words` may start with headings over it, as "Summary of Face recognition > ahead". Raises StudyError where no line
    holds them, or several do.
    """
    if not paths.REPORT_MARKDOWN.is_file():
        raise StudyError(f"{paths.REPORT_MARKDOWN} is not here; `git checkout {paths.REPORT_MARKDOWN}` or `dvc repro`")
    if not words.strip():
        raise StudyError(f'{report}: name a sentence by a part of it, as {report}:"is ahead"')
    *above, wanted = (_read(part) for part in words.split(" > "))
    every = list(_lines(paths.REPORT_MARKDOWN.read_text(encoding="utf-8")))
    found = [
        (text, headings)
        for text, headings in every
        if wanted in _read(text) and all(any(part in _read(each) for each in headings) for part in above)
    ]
    if not found:
        near = closest(words, [_read(part) for text, _ in every for part in re.split(r"(?<=[.:;]) ", text)])
        raise StudyError(f"{report} has no line with {words!r}{near}")
    if len(found) > 1:
        places = "\n".join(f"  {' > '.join(headings[1:])}: {text[:90]}" for text, headings in found[:SHOWN])
        *given, last = words.split(" > ")
        first, second = found[0][1], found[1][1]
        example = " > ".join([*given, next((each for each in first if each not in second), first[-1]), last])
        more = f"\n  and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        raise StudyError(
            f'{report} has {len(found)} lines with {words!r}; name more of it, or a heading before it, as "{example}":'
            f"\n{places}{more}"
        )
    text, headings = found[0]
    return Sentence(text, headings, _files(text, headings, every))


def _read(text: str) -> str:
    """As it reads: without the signs of Markdown, with single blanks."""
    plain = re.sub(r"\\(.)|[`*|]", lambda found: found[1] or " ", text)
    return " ".join(plain.split())


def _lines(text: str) -> Iterator[tuple[str, list[str]]]:
    """Every line that is no heading, with the headings over it; a fenced line is no heading."""
    headings: list[str] = []
    fenced = False
    for each in text.splitlines():
        fenced ^= each.startswith("```")
        heading = None if fenced else HEADING.fullmatch(each)
        if heading:
            headings = [*headings[: len(heading[1]) - 1], _read(heading[2])]
        elif each.strip():
            yield each, headings


def _files(text: str, headings: list[str], every: list[tuple[str, list[str]]]) -> list[str]:
    """The files behind a line, by the section that it is in and the variants that it begins with or stands under."""
    settings = parameters.load()
    section = headings[1] if len(headings) > 1 else ""
    if figure := re.search(r"!\[.*\]\((\S+)\)", text):
        return [(paths.PLOTS / figure[1]).as_posix()]
    if section == "Overview":
        return _counts(text, headings, every, settings)
    if section in ("Results", "Beside the original study") or section.startswith("Part "):
        return [path.as_posix() for path in _results(text, headings, every, settings)]
    return []


def _counts(text: str, headings: list[str], every: list[tuple[str, list[str]]], settings: Parameters) -> list[str]:
    """Of the sections on data and weights, which stand before the tasks' parts."""
    if headings[-1] == "Where the weights come from":
        task = next(iter(settings.tasks))
        names = [name for name, each in settings.variants.items() if _read(each.title) in _read(text)]
        scores = [paths.model_metrics(task, name, settings.seeds[0]) / "scores.json" for name in names]
        return [paths.PRETRAINING_REPORT.as_posix(), *(path.as_posix() for path in scores)]
    if headings[-1] != "The data":
        return []
    tasks = _tasks(text, headings, every, settings)
    if not tasks:
        return [paths.DOWNLOAD_REPORT.as_posix()]
    counted = ("split", "preprocess", "leaks")
    return [(paths.task_metrics(tasks[0]) / f"{each}.json").as_posix() for each in counted]


def _results(
    text: str, headings: list[str], every: list[tuple[str, list[str]]], settings: Parameters
) -> Iterator[Path]:
    """Of the sections that show models."""
    below = headings[-1]
    in_summary = any(each.startswith("Summary of ") for each in headings)
    start = _read(text) if headings[1] in ("Results", "Beside the original study") or in_summary else ""
    named = [name for name, each in settings.variants.items() if start.startswith(_read(each.title))]
    under = [name for name, each in settings.variants.items() if _starts(headings[-2:], _read(each.title))]
    alone = (text.startswith("|") and named) or ([] if in_summary else under)
    for task in _tasks(text, headings, every, settings):
        for variant in alone or settings.variants:
            for seed in settings.seeds:
                if below == "Time and memory":
                    yield paths.timing(task, variant, seed, "train")
                elif below == "Exported":
                    yield paths.export_report(task, variant, seed)
                else:
                    names = BY_HEADING.get(below, ["scores.json"])
                    if in_summary:  # its sentences are about corrupted pictures and convergence too
                        names = ["scores.json", "corruptions.csv", *(["history.csv"] if under else [])]
                    yield from (paths.model_metrics(task, variant, seed) / name for name in names)
        if in_summary or (headings[1] == "Results" and not alone):
            yield paths.differences(task)
        if headings[1] == "Results" and not alone:
            yield from (paths.task_metrics(task) / f"{name}.json" for name in ("split", "leaks"))


def _starts(headings: list[str], title: str) -> bool:
    return any(each == title or each.startswith((f"{title}, seed ", f"{title}: ")) for each in headings)


def _tasks(text: str, headings: list[str], every: list[tuple[str, list[str]]], settings: Parameters) -> list[str]:
    """The task that a heading names, or the last line up to this one in the same section that begins with its title."""
    titles = {_read(task.title): name for name, task in settings.tasks.items()}
    for heading in headings:
        if heading.startswith("Part ") and heading.partition(": ")[2] in titles:
            return [titles[heading.partition(": ")[2]]]
    before = [each for each, above in every[: every.index((text, headings)) + 1] if above == headings]
    for each in reversed(before):
        found = [name for title, name in titles.items() if _read(each).startswith(title)]
        if found:
            return found
    return []


def _values(path: Path) -> Iterator[tuple[str, Any]]:
    """The numbers of a file, each with the name that `facestudy trace` takes, in JSON those of fewer words first."""
    if path.suffix == ".json" and path.is_file():
        leaves = sorted(_leaves(read_json(path)), key=lambda pair: pair[0].count("."))
        yield from ((f"{path}:{key}", value) for key, value in leaves)
    elif path.name in ROWS and path.is_file():
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                first = [row[column] for column in ROWS[path.name]]
                for column in [name for name in row if name not in ROWS[path.name]]:
                    if row[column]:
                        yield f"{path}:{','.join([*first, column])}", float(row[column])


def _leaves(values: Any) -> Iterator[tuple[str, float]]:
    for key, value in flat(values):
        if isinstance(value, list):
            yield from _leaves({f"{key}.{number}": each for number, each in enumerate(value)})
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield key, value


def _reads(digits: str, unit: str, value: float) -> bool:
    """Whether a value is written so: with as many decimals, as a share where a unit follows."""
    decimals = len(digits.partition(".")[2])
    if isinstance(value, int):
        return not decimals and not unit and digits == f"{value:,}"
    scaled = [100 * value] if unit else [value, 100 * value]  # the ends of an interval have no unit
    return bool(decimals) and digits in [f"{abs(each):,.{decimals}f}" for each in scaled]
