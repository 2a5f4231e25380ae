"""Preprocess's work on COUNT pictures of data/raw, repeated as often as needed; it answers like contender.py.

python -m benchmarks.packing COUNT
"""

import json
import sys
import time
from functools import partial
from itertools import cycle, islice
from pathlib import Path

from benchmarks.ours import peak_memory
from facestudy.faces.packing import pack
from facestudy.project import parameters, paths


def serve(count: int) -> None:
    """Pack once for each line: a hundred pictures for `warm`, COUNT for `pack`."""
    settings = parameters.load()
    pictures = sorted((paths.RAW / "images").iterdir())
    for line in sys.stdin:
        if not (word := line.strip()):
            return
        files = list(islice(cycle(pictures), count if word == "pack" else 100))
        began = time.perf_counter()
        work = partial(pack, files, settings.preprocess, settings.data.max_megapixels, Path("bench.npy"))
        memory = peak_memory(work)
        answer = {"seconds": time.perf_counter() - began, "pictures": len(files), "memory": memory}
        print("@@" + json.dumps(answer), flush=True)


if __name__ == "__main__":
    serve(int(sys.argv[1]))
