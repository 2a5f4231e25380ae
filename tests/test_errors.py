from collections.abc import Callable

import pytest

from stages.errors import StudyError
from stages.evaluate import evaluate
from stages.plot import plot
from stages.train import train


@pytest.mark.parametrize("stage", [train, evaluate, plot])
@pytest.mark.parametrize("text", ["one", "-1", "0.5", ""])
def test_a_seed_that_is_no_number_is_refused(stage: Callable[[str, str, str], None], text: str) -> None:
    with pytest.raises(StudyError, match=f"'{text}' is no seed"):
        stage("face", "vgg16", text)
