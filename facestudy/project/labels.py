"""Labels and persons in the form in which they are compared."""

import re
import unicodedata

# Soft hyphen, joiners and spaces without width, marks of direction, variation selectors, byte order mark.
_UNSEEN = re.compile("[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]")
# What lower() leaves of a capital letter that is no single small one: GROSS and groß, İREM and irem.
_SMALL = {"ß": "ss", "i\u0307": "i"}


def clean(text: str) -> str:
    """A text without what is not seen: outer blanks, signs without width, and one blank for any other between words.

    Letters that are written in several ways (decomposed, full-width, ligatures) are brought into one (NFKC).
    """
    return " ".join(_UNSEEN.sub("", unicodedata.normalize("NFKC", text)).split())


def label_form(label: str) -> str:
    """A `clean` label in lower case; labels that look the same, or differ in capitals alone, have one form."""
    small = clean(label).lower()
    for other, one in _SMALL.items():
        small = small.replace(other, one)
    return clean(small)
