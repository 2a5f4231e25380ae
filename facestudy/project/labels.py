"""Labels in the form in which they are compared."""

import unicodedata


def label_form(label: str) -> str:
    """A label without outer blanks, in lower case, its letters composed (NFC)."""
    return unicodedata.normalize("NFC", label).strip().lower()
