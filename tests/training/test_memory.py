import platform
import subprocess
import sys

import pytest

# Pages that the kernel has to clear while 64 MB are asked for, written and freed again and again, as at each step.
CODE = """
import resource, torch
from stages.training.loop import fabric_for
if {kept}:
    fabric_for("32-true")
def take_and_free():
    for _ in range(20):
        torch.ones(16_000_000)
take_and_free()  # smaller pieces may settle in what was freed first, and the next large one then takes new pages
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
take_and_free()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="memory is kept where the C library is glibc")
def test_a_training_is_given_the_memory_that_it_freed() -> None:
    def pages(kept: bool) -> int:
        return int(subprocess.check_output([sys.executable, "-c", CODE.format(kept=kept)], text=True))

    assert pages(kept=True) * 100 < pages(kept=False)
