import platform
import subprocess
import sys

import pytest

# Pages that the kernel has to clear while 64 MB are requested, written and freed again and again, as at each step.
CODE = """
import resource, torch
from facestudy.models.device import fabric_for
def allocate_and_free():
    for _ in range(20):
        torch.ones(16_000_000)
for step in (lambda: None, lambda: fabric_for("32-true")):
    step()
    allocate_and_free()  # smaller pieces may lie in what was freed first, and the next large one then needs new pages
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    allocate_and_free()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="memory is kept where the C library is glibc")
def test_a_training_gets_the_memory_that_it_freed() -> None:
    freed, kept = map(int, subprocess.check_output([sys.executable, "-c", CODE], text=True).split())
    assert kept * 100 < freed
