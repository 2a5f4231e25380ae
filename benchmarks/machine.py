"""Timing on this machine: one process at work at a time, and no window during which others were busy."""

import json
import os
import platform
import subprocess
import time
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import psutil

OTHERS = 0.03  # share of the CPU that others may use during a window
TRIES = 8


class BusyError(RuntimeError):
    """Others kept using the machine."""


class Process:
    """A contender that waits on its standard input and works through one word at a time."""

    def __init__(self, command: list[str], folder: Path, **environment: str) -> None:
        settings = {**os.environ, "WANDB_MODE": "offline", "WANDB_SILENT": "true", **environment}
        self._log = (folder / "bench.log").open("a", encoding="utf-8")
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env=settings,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        self.command = command

    def ask(self, word: str) -> dict[str, Any]:
        """Its answer: seconds, pictures, and memory where requested."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(word + "\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            if line.startswith("@@"):
                answer: dict[str, Any] = json.loads(line[2:])
                return answer
        raise RuntimeError(f"{' '.join(self.command)} ended with {self._process.wait()}; see {self._log.name}")

    def window(self, word: str) -> dict[str, Any]:
        """An answer during which others used at most 3 % of the CPU; asks again otherwise."""
        for _ in range(TRIES):
            before, own, began = _busy(), _own(), time.monotonic()
            answer = self.ask(word)
            whole = (time.monotonic() - began) * psutil.cpu_count()
            if (_busy() - before) - (_own() - own) <= OTHERS * whole:
                return answer
        raise BusyError(f"others used more than {OTHERS:.0%} of the CPU in {TRIES} windows of {' '.join(self.command)}")

    def stop(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)
        self._log.close()


def _busy() -> float:
    """CPU seconds that the whole machine was at work, all cores together."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - times.iowait - getattr(times, "guest", 0) - getattr(times, "guest_nice", 0))


def _own() -> float:
    """CPU seconds of the bench and all that it started."""
    total = 0.0
    me = psutil.Process()
    for process in [me, *me.children(recursive=True)]:
        try:
            total += sum(process.cpu_times()[:4])
        except psutil.NoSuchProcess:
            continue
    return total


def spread(values: list[float]) -> dict[str, Any]:
    """Median, least and largest, and how many."""
    return {"median": median(values), "least": min(values), "largest": max(values), "windows": len(values)}


def description() -> dict[str, Any]:
    """What the figures hold for."""
    versions = ["torch", "torchvision", "lightning-fabric", "wandb", "opencv-python-headless", "dvc"]
    flags = Path("/proc/cpuinfo").read_text(encoding="ascii")
    model = next((line.split(":")[1].strip() for line in flags.splitlines() if line.startswith("model name")), "")
    return {
        "date": time.strftime("%Y-%m-%d"),
        "processor": model or platform.processor(),
        "cores": psutil.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9),
        "bf16": "avx512_bf16" in flags,
        "python": platform.python_version(),
        "versions": {name: version(name) for name in versions},
    }
