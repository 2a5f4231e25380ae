"""Slurm on loopback: munge, the controller and a daemon with two cores, of this test alone."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

PROGRAMS = ["slurmctld", "slurmd", "munged", "sbatch"]
MISSING = [name for name in PROGRAMS if shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") is None]
NEEDED = "Slurm on loopback needs root and `apt install slurm-wlm munge`"
AVAILABLE = not MISSING and os.geteuid() == 0
SETTINGS = """\
ClusterName=loopback
SlurmctldHost={host}(127.0.0.1)
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
ReturnToService=2
MpiDefault=none
KillWait=20
SlurmctldPort={controller}
SlurmdPort={daemon}
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


@contextmanager
def slurm(folder: Path, cores: int = 2) -> Iterator[dict[str, str]]:
    """The environment in which sbatch, squeue and the rest work."""
    munge = folder / "munge"
    for path in (folder / "state", folder / "spool", munge):
        path.mkdir(parents=True)
    for path in (folder, *folder.parents):  # munged refuses a socket that others cannot reach
        if path.owner() == "root" and path != Path("/"):
            path.chmod(path.stat().st_mode | 0o055)
    shutil.chown(munge, "munge", "munge")
    host = socket.gethostname().partition(".")[0]
    configuration = folder / "slurm.conf"
    ports = free_ports(2)
    configuration.write_text(
        SETTINGS.format(host=host, folder=folder, controller=ports[0], daemon=ports[1], cores=cores), encoding="utf-8"
    )
    environment = {"SLURM_CONF": str(configuration), "PATH": f"{os.environ['PATH']}:/usr/sbin"}
    names = ["socket", "pid-file", "log-file", "seed-file"]
    munged = ["munged", "--foreground", *(f"--{name}={munge / name.split('-')[0]}" for name in names)]
    as_munge = ["setpriv", "--reuid=munge", "--regid=munge", "--clear-groups"]
    commands = {"munged": [*as_munge, *munged], "slurmctld": ["slurmctld", "-D"], "slurmd": ["slurmd", "-D"]}
    with ExitStack() as stack:
        for name, command in commands.items():
            log = stack.enter_context((folder / f"{name}.log").open("wb"))
            process = subprocess.Popen(command, env=os.environ | environment, stdout=log, stderr=log)
            stack.callback(process.wait)
            stack.callback(process.terminate)
            if name == "munged":
                until_ready(["munge", "--no-input", f"--socket={munge / 'socket'}"], environment)
        until_ready(["srun", "--ntasks=1", "true"], environment)
        stack.callback(until_ready, ["bash", "-c", "scancel --me; [ -z $(squeue --me --noheader) ]"], environment)
        yield environment


def until_ready(command: list[str], environment: dict[str, str]) -> None:
    """Wait until a command succeeds."""
    end = time.monotonic() + 60
    while True:
        done = subprocess.run(
            command, env=os.environ | environment, capture_output=True, text=True, check=False, timeout=60
        )
        if done.returncode == 0:
            return
        assert time.monotonic() < end, done.stderr
        time.sleep(0.2)


def free_ports(number: int) -> list[int]:
    """Ports of loopback that nobody listens on."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(number)]
        return [each.getsockname()[1] for each in sockets]
