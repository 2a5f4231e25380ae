"""A sentence of the report: where it stands, and which files its numbers come from."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facestudy.errors import StudyError
from facestudy.project import parameters, paths
from facestudy.project.sections import Parameters
from facestudy.tracing.described import REPAIR, read_json, read_table
from facestudy.tracing.lines import line, lines
from facestudy.tracing.records import closest, flat

HEADING = re.compile(r"(#+) (.+)")
NUMBER = re.compile(r"(?<![\w.])(\d+(?:,\d{3})*(?:\.\d+)?(?:e[-+]\d+)?)( %| points)?(?![\w.]*\d)")
# The columns that name a row.
ROWS = {"history.csv": ["epoch"], "corruptions.csv": ["kind", "strength"], "predictions.csv": ["file"]}
SHOWN = 6  # places, of which only the number is shown where there are more
# Where a model's numbers come from, by the heading over them.
BY_HEADING = {
    "Epoch log": ["epochs.log", "history.csv"],
    "Run history": ["history.csv"],
    "Corrupted pictures": ["corruptions.csv", "scores.json"],
    "Most confident errors": ["predictions.csv"],
}

Line = tuple[str, list[str]]  # of the report, with the headings over it, that of the whole report first


@dataclass(frozen=True)
class Sentence:
    """A line of the report, the headings over it, and the files that it is made from."""

    line: str
    headings: list[str]
    files: list[str]

    def text(self) -> str:
        """What is known of it, as text."""
        sources = self.files or ["no file of numbers: its words are fixed, or are names and settings of params.yaml"]
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
        values: list[tuple[str, Any]] = []
        for file in self.files:
            try:
                values += _values(Path(file), self.line)
            except StudyError as error:  # the chain below says more of it
                yield str(error)
        for digits, unit in dict.fromkeys(NUMBER.findall(self.line) if self.files else []):
            places = [f"{key} ({value!r})" for key, value in values if _reads(digits, unit, value)]
            shown = ", ".join(places) if len(places) <= SHOWN else f"{len(places)} values"
            yield f"{digits}{unit}: {shown or 'not found as a single value in these files'}"


def find(report: Path, words: str) -> Sentence:
    """The one line of the report that holds the words.

    `words` may start with headings over it, as "Summary of Face recognition > ahead". Raises StudyError where no line
    holds them, or several do.
    """
    if not paths.REPORT_MARKDOWN.is_file():
        raise StudyError(f"{paths.REPORT_MARKDOWN} is not here; `git checkout {paths.REPORT_MARKDOWN}` or `dvc repro`")
    *above, wanted = (_read(part) for part in words.split(" > "))
    if not wanted:
        raise StudyError(f'{report}: name a sentence by a part of it, as {report}:"is ahead"')
    every = list(_lines(_text(paths.REPORT_MARKDOWN)))
    found = _matching(above, wanted, every)
    if not found:
        near = closest(words, [_read(part) for text, _ in every for part in re.split(r"(?<=[.:;]) ", text)])
        raise StudyError(f"{report} has no line with {words!r}{near}")
    if len(found) > 1:
        examples = dict.fromkeys(shlex.quote(f"{report}:{_one(place, wanted, every)}") for place in found[:SHOWN])
        more = f"\n  and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        raise StudyError(
            f"{report} has {len(found)} lines with {words!r}; name more of it, or the headings over it, as in:\n  "
            + "\n  ".join(examples)
            + more
        )
    text, headings = found[0]
    return Sentence(text, headings, _files(text, headings, every))


def _text(report: Path) -> str:
    try:
        return report.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise StudyError(f"{report} is not readable as text ({error}); {REPAIR}") from None


def _matching(above: list[str], wanted: str, every: list[Line]) -> list[Line]:
    """The lines that hold the words under headings that hold those above."""
    under = [(text, headings) for text, headings in every if all(any(part in h for h in headings) for part in above)]
    return [(text, headings) for text, headings in under if wanted in _read(text)]


def _one(place: Line, wanted: str, every: list[Line]) -> str:
    """All headings over a line and as many words of it as tell it from the others."""
    text, (_, *above) = place
    words = _read(text).split()
    starts = (" ".join(words[:number]) for number in range(1, len(words)))
    told = (part for part in (wanted, *starts) if len(_matching(above, part, every)) == 1)
    return " > ".join([*above, next(told, " ".join(words))])


def _read(text: str) -> str:
    """As it reads: without the signs of Markdown, with single blanks."""
    plain = re.sub(r"\\(.)|[`*|]", lambda found: found[1] or " ", text)
    return " ".join(plain.split())


def _lines(text: str) -> Iterator[Line]:
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


def _files(text: str, headings: list[str], every: list[Line]) -> list[str]:
    """The files behind a line, by the section that it is in and the variants that it begins with or stands under."""
    settings = parameters.load()
    section = headings[1] if len(headings) > 1 else ""
    if figure := re.search(r"!\[.*\]\((\S+)\)", text):
        return [(paths.PLOTS / figure[1]).as_posix()]
    if section == "Overview":
        return _counts(text, headings, every, settings)
    if section == "Beside the original study":
        return [path.as_posix() for path in _beside(text, settings)]
    if section == "Results" or section.startswith("Part "):
        return [path.as_posix() for path in _results(text, headings, every, settings)]
    return []


def _counts(text: str, headings: list[str], every: list[Line], settings: Parameters) -> list[str]:
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


def _results(text: str, headings: list[str], every: list[Line], settings: Parameters) -> Iterator[Path]:
    """Of the sections that show models."""
    below = headings[-1]
    in_summary = any(each.startswith("Summary of ") for each in headings)
    start = _read(text) if headings[1] == "Results" or in_summary else ""
    named = [name for name, each in settings.variants.items() if start.startswith(_read(each.title))]
    under = [name for name, each in settings.variants.items() if _starts(headings[-2:], _read(each.title))]
    alone = (text.startswith("|") and named) or ([] if in_summary else under)
    for task in _tasks(text, headings, every, settings):
        for variant in alone or settings.variants:
            for seed in settings.seeds:
                if below == "Time and memory":
                    yield paths.timing(task, variant, seed, "train")
                elif below == "Exported":
                    yield from (paths.export_report(task, variant, seed), paths.timing(task, variant, seed, "export"))
                else:
                    names = BY_HEADING.get(below, ["scores.json"])
                    if in_summary:  # its sentences are about corrupted pictures and convergence too
                        names = ["scores.json", "corruptions.csv", *(["history.csv"] if under else [])]
                    yield from (paths.model_metrics(task, variant, seed) / name for name in names)
                    if in_summary and under:  # they name the shortest training, and the most memory
                        yield paths.timing(task, variant, seed, "train")
        if in_summary or (headings[1] == "Results" and not alone):
            yield paths.differences(task)
        if headings[1] == "Results" and not alone:
            yield from (paths.task_metrics(task) / f"{name}.json" for name in ("split", "leaks"))


def _beside(text: str, settings: Parameters) -> Iterator[Path]:
    """Of a row beside the original study, which begins with the keys of its task and variant."""
    row = re.match(r"(\S+), (\S+) (per class)?", _read(text))
    if row is None or row[1] not in settings.tasks or row[2] not in settings.variants:
        return
    variants = [row[2]]
    if row[3] and row[2] == "resnet18_pretrained" and "resnet18_scratch" in settings.variants:
        variants.append("resnet18_scratch")  # its recall is set against that one's
    for variant in variants:
        yield from (paths.model_metrics(row[1], variant, seed) / "scores.json" for seed in settings.seeds)


def _starts(headings: list[str], title: str) -> bool:
    return any(each == title or each.startswith((f"{title}, seed ", f"{title}: ")) for each in headings)


def _tasks(text: str, headings: list[str], every: list[Line], settings: Parameters) -> list[str]:
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


def _values(path: Path, text: str) -> Iterator[tuple[str, Any]]:
    """The numbers of a file, each with the name that `facestudy trace` takes, in JSON those of fewer words first.

    Of predictions, those of the pictures that the text names.
    """
    if path.suffix == ".json" and path.is_file():
        leaves = sorted(_leaves(read_json(path)), key=lambda pair: pair[0].count("."))
        yield from ((f"{path}:{key}", value) for key, value in leaves)
    elif path.name in ROWS and path.is_file():
        head, rows = read_table(path)
        names = len(ROWS[path.name])
        for row in rows:
            if path.name == "predictions.csv" and row[0] not in text:
                continue
            for column, cell in zip(head, row, strict=True):
                number = None if column == "strength" else _number(cell)  # a small one, of every kind of corruption
                if number is not None:
                    yield f"{path}:{','.join([*row[:names], column])}", number


def _number(cell: str) -> float | None:
    try:
        return int(cell) if cell.isdecimal() else float(cell)
    except ValueError:
        return None


def _leaves(values: Any) -> Iterator[tuple[str, float]]:
    for key, value in flat(values):
        if isinstance(value, list):
            yield from _leaves({f"{key}.{number}": each for number, each in enumerate(value)})
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield key, value


def _reads(digits: str, unit: str, value: float) -> bool:
    """Whether a value is written so: with as many decimals, as a share where a unit follows.

    A fraction below 10 is never written as a whole number: it would be found behind every small one.
    """
    mantissa, exponent, _ = digits.partition("e")
    decimals = len(mantissa.partition(".")[2])
    if isinstance(value, int):
        return not decimals and not unit and digits == f"{value:,}"
    if exponent:
        return digits == f"{abs(value):.{decimals}e}"
    scaled = [100 * value] if unit else [value, 100 * value]  # the ends of an interval have no unit
    if not decimals:
        scaled = [value] if not unit and abs(value) >= 10 else []
    return digits in [f"{abs(each):,.{decimals}f}" for each in scaled]
