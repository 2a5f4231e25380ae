"""The part of docs/benchmarks.md that holds what `benchmarks.gpu` measured."""

from collections.abc import Callable
from typing import Any

Parts = dict[str, Any]


def _seconds(parts: Parts) -> float | None:
    rows = _rows(parts, "models")
    return round(sum(row["train"] + row["evaluate"] for row in rows), 1) if rows else None


def _share(parts: Parts) -> float | None:
    shares = [row["share"] for row in _rows(parts, "precisions") if row["precision"] == "auto" and "share" in row]
    return min(shares) if shares else None


def _rows(parts: Parts, part: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = parts.get(part, {}).get("rows", [])
    return rows


BOUNDS: dict[str, tuple[str, Callable[[Parts], float | None]]] = {
    "seconds of six models, from packed arrays to scores": ("at most 180", _seconds),
    "share of the bare network's speed, the lowest at `auto`": ("at least 0.85", _share),
}


def section(results: dict[str, Any] | None) -> str:
    """Markdown, of what lies in docs/benchmarks/gpu.json; None where nothing does."""
    if results is None or results["machine"]["gpu"] is None:
        return "Not measured: `python -m benchmarks.gpu FOLDER` has not run on a GPU."
    parts, machine = results["parts"], results["machine"]
    blocks = [
        "The original study's six models at 224 px on drawn faces (`python -m benchmarks.gpu`). Bounds: "
        + "; ".join(f"{name} {_found(value(parts))} ({bound})" for name, (bound, value) in BOUNDS.items())
        + ".",
        _table(
            "task | variant | train, s | evaluate, s | peak memory, MB",
            [[row["task"], row["variant"], row["train"], row["evaluate"], row["peak_memory_mb"]]
             for row in _rows(parts, "models")],
        ),
        _table(
            "variant | precision | compiled | pictures/s | bare, pictures/s | share | first epoch, s | peak, MB",
            [_speed(row) for part in ("precisions", "compiled") for row in _rows(parts, part)],
        ),
        _table("training | waits for the GPU within its steps",
               [[row["what"], row["waits"]] for row in _rows(parts, "waits")]),
        _table(
            "variant | twice, apart by at most | without a deterministic kernel",
            [[row["variant"], row["apart"], ", ".join(row["not_deterministic"]) or "none"]
             for row in _rows(parts, "twice")],
        ),
        _table(
            "variant | epoch, s | streamed, s | frozen features | streamed | apart by at most",
            [[row["variant"], row["resident"], row["streamed"], row.get("resident_cache", ""),
              row.get("streamed_cache", ""), row["apart"]] for row in _rows(parts, "streamed")],
        ),
        *(f"Killed after epoch {row['after']} and resumed, {row['variant']} is apart by at most {row['apart']:.2g}."
          for row in _rows(parts, "resumed")),
        *(f"{row['variant']}: a probability on the GPU and on a CPU differs by at most {row['largest_difference']:.2g} "
          f"({row['pictures']} pictures)." for row in _rows(parts, "agreement")),
        *(f"`{part}` failed: {result['error']}" for part, result in parts.items() if "error" in result),
        f"{machine['date']}, {machine['gpu']} ({machine['gpu_memory_gb']} GB), CUDA {machine['cuda']}, "
        f"{machine['cores']} cores; Python {machine['python']}, "
        + ", ".join(f"{library} {number}" for library, number in machine["versions"].items())
        + f". Measuring took {results['minutes']:.1f} minutes.",
    ]  # fmt: skip
    return "\n\n".join(block for block in blocks if block)


def _found(value: float | None) -> str:
    return "not measured" if value is None else f"**{value}**"


def _speed(row: dict[str, Any]) -> list[Any]:
    cells = [row["variant"], row["precision"], "yes" if row["compiled"] else "no"]
    if "share" not in row:
        return [*cells, row.get("left_out") or row["error"].splitlines()[0], "", "", "", ""]
    more = ("pictures_per_second", "bare_pictures_per_second", "share", "first_epoch_seconds", "peak_memory_mb")
    return [*cells, *(row[key] for key in more)]


def _table(head: str, rows: list[list[Any]]) -> str:
    """A table in Markdown; nothing where there is no row."""
    names = head.split(" | ")
    lines = [names, ["---"] * len(names), *([_cell(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) if rows else ""


def _cell(value: Any) -> str:
    text = f"{value:.4g}" if isinstance(value, float) and abs(value) < 1000 else str(value)
    return text.replace("|", "\\|")
