"""A model's mistakes to look at, as Markdown: the crop it saw, and where it looked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stages.reporting.text import counted, percent, plain


@dataclass(frozen=True)
class Mistake:
    """One picture, the names of its crop and its heat map among the page's pictures; None without a map."""

    file: str
    truth: str
    prediction: str
    probability: float
    crop: str
    heat: str | None


def gallery(
    title: str, errors: int, surest: Sequence[Mistake], pairs: Mapping[tuple[str, str, int], Sequence[Mistake]]
) -> str:
    """The surest mistakes, then the most confused pairs of classes, each by truth, prediction and how often."""
    blocks = [f"# {plain(title)}: mistakes"]
    if not errors:
        return "\n\n".join([*blocks, "No error on the validation pictures."]) + "\n"
    blocks.append(
        f"{counted(errors, 'error')} on the validation pictures. Beside each crop, as the network saw it, Grad-CAM:"
        " bright where the picture spoke for the class that was named."
    )
    blocks += ["## The surest", _table(surest)]
    for (truth, prediction, number), examples in pairs.items():
        blocks.append(f"## {plain(truth)} taken for {plain(prediction)}: {counted(number, 'time')}")
        blocks.append(_table(examples))
    return "\n\n".join(blocks) + "\n"


def _table(mistakes: Sequence[Mistake]) -> str:
    rows = ["| crop | looked at | truth | named | probability | picture |", "| --- | --- | --- | --- | --- | --- |"]
    for mistake in mistakes:
        looked = "no map" if mistake.heat is None else f"![where it looked]({mistake.heat})"
        cells = [f"![crop]({mistake.crop})", looked, plain(mistake.truth), plain(mistake.prediction)]
        rows.append(f"| {' | '.join([*cells, percent(mistake.probability), plain(mistake.file)])} |")
    return "\n".join(rows)
