"""Memory that the C library gives out again, in place of new pages from the kernel at every step."""

import ctypes

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # as glibc's malloc.h numbers them
NEVER, NONE = -1, 0


def keep_freed() -> None:
    """Let glibc keep the memory that this process frees; other C libraries are left as they are.

    Gradients and activations are freed and asked for again at every step. By glibc's own rules (mallopt(3)) the large
    ones go back to the kernel in between, which clears their pages anew: a tenth of a step of ResNet18 on a CPU.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_TRIM_THRESHOLD, NEVER)
        mallopt(M_MMAP_MAX, NONE)
