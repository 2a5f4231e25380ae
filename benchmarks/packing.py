"""Preprocess's work on COUNT pictures of data/raw, taken again and again; it answers like contender.py.

python -m benchmarks.packing COUNT
"""

import json
import sys
import time
from itertools import cycle, islice
from pathlib import Path

from benchmarks.ours import peak_memory
from stages import paths
from stages.faces.pack import pack
from stages.params import read


def serve(count: int) -> None:
    """Pack once for each line: a hundred pictures for `warm`, COUNT for `pack`."""
    settings, max_megapixels = read("preprocess", "data.max_megapixels")
    pictures = sorted((paths.RAW / "images").iterdir())
    for line in sys.stdin:
        if not (word := line.strip()):
            return
        files = list(islice(cycle(pictures), count if word == "pack" else 100))
        began = time.perf_counter()
        memory = peak_memory(lambda files=files: pack(files, settings, max_megapixels, Path("bench.npy")))
        told = {"seconds": time.perf_counter() - began, "pictures": len(files), "memory": memory}
        print("@@" + json.dumps(told), flush=True)


if __name__ == "__main__":
    serve(int(sys.argv[1]))
