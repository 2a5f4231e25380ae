"""Trainings on several processes: STUDY_LAUNCHER holds the command that starts them.

Where a training runs is no parameter, so it is read from the environment: no stage runs again for it.
"""

import os
import shlex
import sys

from facestudy.errors import StudyError


def start_under_launcher(*arguments: object) -> None:
    """Where a launcher is named, as `torchrun --nproc-per-node 4` or `srun python`, let it take over this process.

    Its processes run this stage with the same arguments. Raises StudyError where there is no such command.
    """
    try:
        launcher = shlex.split(os.environ.pop("STUDY_LAUNCHER", ""))
    except ValueError as error:
        raise StudyError(f"STUDY_LAUNCHER: {error}") from None
    if not launcher:
        return
    if launcher[0] == "torchrun":  # that of this Python
        launcher[:1] = [sys.executable, "-m", "torch.distributed.run"]
    sys.stdout.flush()
    try:
        os.execvp(launcher[0], [*launcher, "-m", "stages.train", *map(str, arguments)])
    except OSError as error:
        raise StudyError(f"STUDY_LAUNCHER: {launcher[0]} cannot be started ({error.strerror})") from None
