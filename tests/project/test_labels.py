import sys
import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st

from facestudy.project.labels import clean, label_form


@settings(max_examples=200, derandomize=True, deadline=None, database=None)
@given(st.text(max_size=12))
def test_the_form_of_a_form_is_itself(text: str) -> None:
    assert label_form(label_form(text)) == label_form(text)
    assert clean(clean(text)) == clean(text)


def test_no_space_and_no_sign_without_width_is_left_in_a_form() -> None:
    for number in range(sys.maxunicode + 1):
        sign = chr(number)
        if sign.isspace() or unicodedata.category(sign) == "Zs":
            assert label_form(f"a{sign}b") == "a b", hex(number)
    for sign in "\u00ad\u200b\u200c\u200d\u200e\u2060\ufe0f\ufeff":
        assert label_form(f"a{sign}b") == "ab"


def test_letters_that_only_look_alike_in_some_fonts_stay_apart() -> None:
    words = ["Kızgın", "kizgin", "χαρούμενος", "恐れ", "恐", "josé", "jose", "happy 1", "happy1", "ärger", "arger"]
    assert len({label_form(word) for word in words}) == len(words)
    assert label_form("ΧΑΡΟΎΜΕΝΟΣ") == "χαρούμενος"
