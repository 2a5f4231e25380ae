"""The command `facestudy preset`: a study whose parameters stand in presets/NAME.yaml."""

import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from shutil import which
from typing import Any

from facestudy.errors import StudyError
from facestudy.project import parameters, paths
from facestudy.project.sections import Parameters

FOLDER = Path("presets")
PLAIN = re.compile(r"[A-Za-z][\w./-]*", re.ASCII)  # a text that Hydra's grammar takes without quotes
WORDS = {"null", "true", "false", "nan", "inf"}  # plain, but no texts there
KEY = re.compile(r"[A-Za-z]([\w ./-]*[\w./-])?", re.ASCII)  # a key within braces, which has no quotes there
PICTURES, CLASSES, STEPS = 2, 2, 2  # of the training that is timed


@dataclass(frozen=True)
class Request:
    """What the command line of `facestudy preset` says."""

    name: str
    print_only: bool
    set_param: list[str]


def preset(request: Request) -> None:
    """Run `dvc exp run` with the preset's parameters, or print that command.

    Raises StudyError where there is no such preset, or params.yaml would be wrong with it. Ends with DVC's exit status.
    """
    arguments, settings = read(request.name)
    options = [part for argument in [*arguments, *request.set_param] for part in ("-S", argument)]
    if _changed():
        print(
            f"{paths.PARAMS} differs from the last commit, as an earlier preset or experiment leaves it: this preset's "
            f"parameters come on top of that. `git checkout {paths.PARAMS}` brings the committed ones back",
            file=sys.stderr,
        )
    if request.print_only:
        print(shlex.join(["dvc", "exp", "run", *options]))
        return
    if not _gpu():
        print(_estimate(settings), file=sys.stderr)
    sys.stdout.flush()
    # In place of this process: DVC gets an interrupt itself, and has the time that it needs to end.
    os.execv(sys.executable, [sys.executable, "-m", "dvc", "exp", "run", *options])


def read(name: str, gpu: bool | None = None) -> tuple[list[str], Parameters]:
    """The KEY=VALUE of a preset, as `-S` takes them, and all parameters with them.

    `gpu`: whether there will be one; None for whether there is one here. Raises StudyError where there is no such
    preset, or params.yaml would be wrong with it.
    """
    settings = parameters.load()
    values = parameters.values(paths.PARAMS)
    arguments: list[str] = []
    for file in _files(name, gpu):
        changes = parameters.values(file)
        if not isinstance(changes, Mapping):
            raise StudyError(f"{file}: holds no parameters, as `preprocess: {{size: 96}}`")
        leaves = _leaves(changes, values)
        values = merged(values, changes)
        settings = parameters.checked(values, f"{paths.PARAMS} with {file}")
        arguments += [f"{key}={text}" for key, text in leaves]
    return arguments, settings


def _files(name: str, gpu: bool | None) -> list[Path]:
    """The files of a preset: its own, and where there is a GPU what it has besides."""
    own = FOLDER / f"{name}.yaml"
    known = sorted(path.stem for path in FOLDER.glob("*.yaml") if "." not in path.stem)
    if name not in known:
        raise StudyError(f"there is no preset {name!r}; {FOLDER}/ has {', '.join(known) or 'none'}")
    besides = own.with_suffix(".gpu.yaml")
    return [own, besides] if besides.is_file() and (_gpu() if gpu is None else gpu) else [own]


def _leaves(changes: Mapping[str, Any], values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Keys and values as `-S` takes them; a new key, with + before the one that it is added to."""
    for name, value in changes.items():
        key = f"{above}.{name}".removeprefix(".")
        if name not in values:
            yield f"+{above}", _text({name: value})
        elif isinstance(value, Mapping) and isinstance(values[name], Mapping):
            yield from _leaves(value, values[name], key)
        else:
            yield key, _text(value)


def _text(value: Any) -> str:
    """A value in Hydra's grammar (https://hydra.cc/docs/advanced/override_grammar/basic/)."""
    if isinstance(value, list):
        return f"[{','.join(map(_text, value))}]"
    if isinstance(value, Mapping):
        for key in value:
            if not KEY.fullmatch(str(key)) or str(key).lower() in WORDS:
                raise StudyError(f"{key!r} is no key that `dvc exp run -S` takes; write it into {paths.PARAMS}")
        return f"{{{','.join(f'{key}:{_text(each)}' for key, each in value.items())}}}"
    if isinstance(value, str) and (not PLAIN.fullmatch(value) or value.lower() in WORDS):
        # Backslashes are themselves there, but for those before a quote.
        escaped = re.sub(r'(\\*)("|$)', lambda found: 2 * found[1] + ('\\"' if found[2] else ""), value)
        return f'"{escaped}"'
    return value if isinstance(value, str) else json.dumps(value)


def merged(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The values with those keys changed or added, at any depth."""
    result = dict(values)
    for name, value in changes.items():
        both = isinstance(value, Mapping) and isinstance(result.get(name), Mapping)
        result[name] = merged(result[name], value) if both else value
    return result


def _changed() -> bool:
    """Whether Git knows params.yaml and it differs from the last commit."""
    command = ["git", "status", "--porcelain", "--", str(paths.PARAMS)]
    if which("git") is None:
        return False
    return "M" in subprocess.run(command, capture_output=True, text=True, check=False).stdout[:2]


def _gpu() -> bool:
    import torch  # noqa: PLC0415 (the command's help needs none)

    return bool(torch.cuda.is_available())


def _estimate(settings: Parameters) -> str:
    """How long training takes without a GPU, from steps of each variant; less where frozen layers run once."""
    hours = {}
    for name, variant in settings.variants.items():
        what = (variant.arch, variant.head, tuple(variant.trainable), variant.layout, settings.preprocess.size)
        pictures = 1000 * sum(epochs for task, epochs in variant.epochs.items() if task in settings.tasks)
        hours[name] = pictures * _seconds_a_picture(*what) / 3600
    parts = ", ".join(f"{name} {each:.1f}" for name, each in hours.items())
    return (
        f"no GPU here: for 1,000 training pictures of each task at {settings.preprocess.size} px, training takes "
        f"about {len(settings.seeds) * sum(hours.values()):.1f} hours ({parts}; from {STEPS} steps of each, without "
        "your -S). Ctrl-C ends it; the next call goes on at the last saved epoch."
    )


@cache  # two variants may differ in their weights alone
def _seconds_a_picture(arch: str, head: str, trainable: tuple[str, ...], layout: str, size: int) -> float:
    """Of the shortest of some steps of training, on black pictures."""
    import torch  # noqa: PLC0415
    from torch.nn.functional import cross_entropy  # noqa: PLC0415

    from facestudy.models import networks  # noqa: PLC0415

    network = networks.build(arch, head, CLASSES, 0, layout, size)
    networks.freeze(network, list(trainable))
    networks.training_mode(network)
    pictures, labels = torch.zeros(PICTURES, 3, size, size), torch.zeros(PICTURES, dtype=torch.int64)
    optimizer = torch.optim.SGD([each for each in network.parameters() if each.requires_grad])
    seconds = []
    for _ in range(STEPS):
        began = time.perf_counter()
        optimizer.zero_grad()
        cross_entropy(network(pictures), labels).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        seconds.append(time.perf_counter() - began)
    return min(seconds) / PICTURES
