"""The command `facestudy`: run and preset for the study; predict, demo, plots and trace on what it made.

`python -m facestudy.cli` is the same with the code of the current folder; a subcommand's modules are imported when it
is called.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import facestudy
from facestudy import process, stage


def main() -> None:
    """Run the subcommand that the command line names; ends with 1 and a message where it fails."""
    process.start()
    given = vars(_parser().parse_args())
    code, here = Path(facestudy.__file__), Path("facestudy", "__init__.py")
    if here.is_file() and not here.samefile(code):  # as in an experiment's copy of the repository
        sys.exit(
            f"error: this command runs the code in {code.parent}, and the current folder has its own in facestudy/; "
            "use `python -m facestudy.cli` in place of `facestudy` here, or install this folder "
            "(`pip install --no-deps -e .`)"
        )
    given.pop("run")(**given)


def _predict(**request: Any) -> None:
    from facestudy.inference.predict import Request, predict

    stage.main(predict, Request(**request))


def _demo(port: int) -> None:
    if not 0 < port < 2**16:
        sys.exit(f"error: --port {port}: give a number from 1 to 65535")
    from facestudy.inference.demo import demo

    stage.main(demo, port)


def _plots(revisions: list[str], no_open: bool) -> None:
    from facestudy.dvc_plots import plots

    stage.main(plots, revisions, no_open)


def _run(**options: Any) -> None:
    from facestudy.scheduling.run import Options, run

    stage.main(run, Options(**options))


def _preset(name: str, print: bool, set_param: list[str]) -> None:
    from facestudy.presets import Request, preset

    stage.main(preset, Request(name, print, set_param))


def _trace(target: str) -> None:
    from facestudy.tracing.trace import trace

    stage.main(trace, target)


def _number(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def _number_or_none(text: str) -> int:
    return 0 if text == "0" else _number(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("facestudy", description="Run the study, and use what it made.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    text = "run the study's stages side by side, on this machine or on Slurm"
    more = "Ends as `dvc repro` does, of which it runs one for each stage."
    run = commands.add_parser("run", help=text, description=f"{text.capitalize()}. {more}")
    run.set_defaults(run=_run)
    jobs = "stages at the same time on this machine; one for each core or GPU by default, at most 8 without GPUs"
    run.add_argument("--jobs", type=_number, metavar="N", help=jobs)
    threads = "of a training on the CPU; all cores by default. Another number gives other rounding, so other bytes"
    run.add_argument("--training-threads", type=_number, metavar="N", help=threads)
    run.add_argument("--gpus", type=_number_or_none, metavar="N", help="GPUs to use, 0 for none; all by default")
    run.add_argument("--jobs-per-gpu", type=_number, default=1, metavar="N", help="where small models share one")
    processes = "processes of one training, each with a GPU of its own (DistributedDataParallel)"
    run.add_argument("--nproc-per-node", type=_number, default=1, metavar="N", help=processes)
    run.add_argument("--slurm", action="store_true", help="submit each stage to Slurm, as slurm.yaml says")
    run.add_argument("--cancel", action="store_true", help="end the jobs that an earlier --slurm left to Slurm")
    run.add_argument("--preset", metavar="NAME", help="with the parameters of presets/NAME.yaml, as `facestudy preset`")
    change = "change a parameter, as `dvc exp run -S` does; the result is an experiment"
    run.add_argument("-S", "--set-param", action="append", default=[], metavar="KEY=VALUE", help=change)

    text = "run a study whose parameters stand in presets/NAME.yaml, as `dvc exp run` does"
    preset = commands.add_parser("preset", help=text, description=f"{text[0].upper()}{text[1:]}.")
    preset.set_defaults(run=_preset)
    preset.add_argument("name", metavar="NAME", help="original, public or your-photos")
    preset.add_argument("--print", action="store_true", help="print the command, and run nothing")
    more = "change a parameter further, as `dvc exp run -S` does"
    preset.add_argument("-S", "--set-param", action="append", default=[], metavar="KEY=VALUE", help=more)

    text = "find every face in photos and say who it is and which emotion it shows"
    more = "Of each task the variant with the best validation accuracy answers, unless others are named."
    predict = commands.add_parser("predict", help=text, description=f"{text.capitalize()}. {more}")
    predict.set_defaults(run=_predict)
    photos = "file, folder, pattern in quotes, or - for standard input (one photo, or names, one in a line)"
    predict.add_argument("photos", nargs="+", metavar="PHOTO", help=photos)
    for name, default in (("task", "all"), ("variant", "the best")):
        use = f"of the study, may be repeated; {default} by default"
        predict.add_argument(f"--{name}", action="append", default=[], metavar="NAME", help=use)
    predict.add_argument("--int8", action="store_true", help="models in eight bits: smaller and faster")
    form = predict.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON in place of a table")
    form.add_argument("--csv", type=Path, metavar="FILE", help="write a CSV file in place of a table")
    predict.add_argument("--draw", type=Path, metavar="FOLDER", help="write copies with boxes and answers there")

    text = "serve a page to try the models on, for this machine alone"
    demo = commands.add_parser("demo", help=text, description=f"{text.capitalize()}.")
    demo.set_defaults(run=_demo)
    demo.add_argument("--port", type=int, default=7860, help="7860 by default")

    text = "write `dvc plots show` and `dvc plots diff` as pages that need no network"
    plots = commands.add_parser("plots", help=text, description=f"{text.capitalize()}, and open them.")
    plots.set_defaults(run=_plots)
    plots.add_argument("revisions", nargs="*", metavar="REVISION", help="as `dvc plots diff` takes them; HEAD if none")
    plots.add_argument("--no-open", action="store_true", help="only write the pages")
    _add_trace(commands)
    return parser


def _add_trace(commands: Any) -> None:
    text = "print how a number, a file, a sentence of the report or a picture came about"
    more = "From what is named back to the photos: stages, commands, parameters, hashes, commits, versions."
    traced = commands.add_parser("trace", help=text, description=f"{text.capitalize()}. {more}")
    traced.set_defaults(run=_trace)
    named = "FILE, FILE:KEY, FILE.csv:ROW,COLUMN, plots/report.md:TEXT, or a photo by its name"
    traced.add_argument("target", metavar="TARGET", help=named)


if __name__ == "__main__":
    main()
