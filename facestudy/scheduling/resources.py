"""How this machine's cores and GPUs are shared out among the stages that run at the same time."""

import math
import os
import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass

from facestudy.errors import StudyError

TRAINS = {"weights", "train"}
USES_GPU = TRAINS | {"evaluate", "mistakes"}
# By which torch and numpy decide on how many threads they compute. Searching for faces uses all cores in any case.
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def kind(stage: str) -> str:
    """The name of a stage in dvc.yaml, without what its matrix adds."""
    return stage.split("@", maxsplit=1)[0]


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def gpus() -> list[str]:
    """The GPUs that this process sees, as CUDA_VISIBLE_DEVICES names them."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name for name in visible.split(",") if name not in ("", "-1", "NoDevFiles")]
    if shutil.which("nvidia-smi") is None:
        return []
    listed = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True, check=False)
    number = sum(line.startswith("GPU ") for line in listed.stdout.splitlines())
    return [str(each) for each in range(number)] if listed.returncode == 0 else []


@dataclass(frozen=True)
class Resources:
    """What the stages share: slots, of which a stage takes one or more, and GPUs.

    A training computes on `training_threads` threads where it has no GPU, all other stages on their share of the cores.
    """

    jobs: int
    cores: int
    training_threads: int
    gpus: list[str]
    jobs_per_gpu: int
    gpus_per_training: int
    hide_gpus: bool = False

    @classmethod
    def of_machine(
        cls, jobs: int | None, threads: int | None, gpu_number: int | None, jobs_per_gpu: int, processes: int
    ) -> "Resources":
        """From the options of `facestudy run`. Raises StudyError where this machine has less than they ask for."""
        seen = gpus()
        if gpu_number is not None and gpu_number > len(seen):
            raise StudyError(f"--gpus {gpu_number}: this machine shows {len(seen)}")
        taken = seen[:gpu_number]
        if taken and processes > len(taken):
            raise StudyError(f"--nproc-per-node {processes}: a training would need more than {len(taken)} GPUs")
        jobs = jobs or max(min(cores(), 8), len(taken) * jobs_per_gpu)
        hide = gpu_number == 0
        return cls(jobs, cores(), threads or cores(), taken, jobs_per_gpu, processes if taken else 0, hide)

    def share(self) -> int:
        """The threads of a stage that takes one slot."""
        return max(1, self.cores // self.jobs)

    def threads(self, stage: str) -> int:
        """The threads that a stage computes on."""
        on_cpu = kind(stage) in TRAINS and not self.gpus
        return self.training_threads if on_cpu else self.share()

    def slots(self, stage: str) -> int:
        """How many of the `jobs` slots a stage takes, 1 to `jobs`."""
        return min(self.jobs, math.ceil(self.threads(stage) / self.share()))

    def gpus_needed(self, stage: str) -> int:
        """How many GPUs a stage gets."""
        if not self.gpus or kind(stage) not in USES_GPU:
            return 0
        return self.gpus_per_training if kind(stage) == "train" else 1

    def free_gpus(self, stage: str, in_use: list[str]) -> list[str] | None:
        """The GPUs for a stage, those with the fewest jobs first; None where too few have room."""
        number, jobs = self.gpus_needed(stage), Counter(in_use)
        free = sorted((name for name in self.gpus if jobs[name] < self.jobs_per_gpu), key=lambda name: jobs[name])
        return free[:number] if len(free) >= number else None

    def environment(self, stage: str, taken: list[str]) -> dict[str, str | None]:
        """The variables of a stage that gets these GPUs; as they are where it has all cores for itself."""
        shown = self.gpus or self.hide_gpus  # else as this process sees them
        devices = ",".join(taken) if shown else os.environ.get("CUDA_VISIBLE_DEVICES")
        settings: dict[str, str | None] = {"CUDA_VISIBLE_DEVICES": devices}
        if self.threads(stage) != self.cores:
            settings |= dict.fromkeys(THREADS, str(self.threads(stage)))
        return settings
