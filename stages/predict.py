"""Not a stage any more: `facestudy predict` answers for photos."""

import sys

if __name__ == "__main__":
    command = "`facestudy predict` (or `python -m facestudy.cli predict`)"
    sys.exit(f"error: stages.predict is now {command}, with the same arguments")
