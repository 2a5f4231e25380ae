"""Addresses in params.yaml, which is published, hold no secret."""

import re
from typing import Annotated

from pydantic import AfterValidator


def _without_secret(address: str) -> str:
    """A user alone is none in ssh://git@host, but in https://TOKEN@host."""
    login = re.search(r"(\w*)://([^/?#]*)@", address)
    if login and (":" in login[2] or login[1].lower() != "ssh"):
        raise ValueError(
            "holds a user or password, which params.yaml, dvc.lock and messages would show; take it out, and fetch by "
            "hand what it leads to: weights into torch's cache, hub/checkpoints below TORCH_HOME, which is read first; "
            "photos for data.source: folder"
        )
    return address


Address = Annotated[str, AfterValidator(_without_secret)]
