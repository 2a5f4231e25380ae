"""One value of a file by its name, also where the file or the name is not what it should be."""

from pathlib import Path

import pytest

from facestudy.errors import StudyError
from facestudy.tracing.value import value

TABLE = "epoch,train_loss,val_loss\n1,0.5,0.6\n2,0.4,0.5\n"


@pytest.mark.parametrize(
    ("content", "key", "message"),
    [
        (TABLE, "1,2,3,4,5,val_loss", r"has 3 columns, too few for '1,2,3,4,5,val_loss'"),
        (TABLE, "1,0.5,0.6,val_loss", "has 3 columns, too few"),
        (TABLE, "1" * 200_000, "names no cell .*field larger"),
        (TABLE, "1\r2,val_loss", "names no cell"),
        (f"{TABLE}3,0.3\n", "3,val_loss", r"table\.csv: line 4 has 2 cells, where the head has 3; `git checkout`"),
        (f"{TABLE}3,{'4' * 200_000},1\n", "3,val_loss", r"table\.csv is not readable as a table \(field larger"),
        (f"{TABLE}\xff,1,1\n", "3,val_loss", r"table\.csv is not readable as a table .*utf-8"),
        ("", "3,val_loss", "has no column 'val_loss'"),
    ],
)
def test_what_names_no_cell_is_an_error_that_helps(tmp_path: Path, content: str, key: str, message: str) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(StudyError, match=message):
        value(path, key)


def test_a_cell_may_be_named_by_all_columns_before_the_last(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(TABLE, encoding="utf-8")
    assert value(path, "2,0.4,val_loss") == value(path, "2,val_loss") == "0.5"
