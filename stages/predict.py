"""Not a stage any more: `facestudy predict` answers for photos."""

import sys

if __name__ == "__main__":
    sys.exit(
        "error: stages.predict is now `facestudy predict` (or `python -m facestudy.cli predict`); it takes the same"
    )
