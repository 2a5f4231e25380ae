"""params.yaml, read and checked. A stage that DVC runs reads just the keys that it declares in dvc.yaml."""

import os
import re
from pathlib import Path
from typing import Any, cast

import yaml
from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from facestudy.errors import StudyError
from facestudy.project import paths
from facestudy.project.sections import Parameters, Recipe, Variant, Weights


def load() -> Parameters:
    """All of params.yaml, checked. Raises StudyError that names each faulty key."""
    if not paths.PARAMS.exists():
        raise StudyError(f"{paths.PARAMS} is not there; run in the folder that holds it")
    return checked(values(paths.PARAMS), str(paths.PARAMS))


def values(file: Path) -> Any:
    """What a file in the form of params.yaml holds, not checked. Raises StudyError where it is no YAML."""
    try:
        # The reader that DVC uses: PyYAML takes 1e-05, as `dvc exp run -S` writes it, for a text.
        return YAML(typ="safe", pure=True).load(file.read_text(encoding="utf-8"))
    except (YAMLError, UnicodeDecodeError) as error:
        reason = str(error).split("To suppress")[0].strip()
        raise StudyError(f"{file} is not readable as YAML: {reason}") from None


def checked(read: Any, source: str) -> Parameters:
    """The parameters of what was read. Raises StudyError that names the source and each faulty key."""
    try:
        return Parameters.model_validate(read)
    except ValidationError as error:
        faults = "\n".join(f"  {_described(fault)}" for fault in error.errors())
        raise StudyError(f"{source} is wrong:\n{faults}") from None


def _described(fault: Any) -> str:
    """A fault in pydantic's words, behind its key; for an unknown key those that are known."""
    key = ".".join(str(part) for part in fault["loc"]).removesuffix(".[key]") or "the file"
    if fault["type"] == "extra_forbidden":
        return f"{key}: no such key; allowed are {', '.join(_keys_beside(fault['loc']))}"
    if fault["type"] == "value_error":
        return f"{key}: {fault['ctx']['error']}"
    if fault["type"] == "missing":
        return f"{key}: is missing"
    if fault["type"] == "string_type" and isinstance(fault["input"], bool | int | float):
        quoted = f'"{fault["input"]!s}"'
        return f"{key}: {fault['input']!r} is no text; put it in quotes, as {quoted} here or -S '{key}={quoted}'"
    return f"{key}: {fault['input']!r} is refused; {fault['msg'][0].lower()}{fault['msg'][1:]}"


def _keys_beside(location: tuple[int | str, ...]) -> list[str]:
    """The keys that the JSON schema has in the section of an unknown one."""
    root = Parameters.model_json_schema()
    schema: Any = root
    for part in location[:-1]:
        by_name = [*schema.get("patternProperties", {}).values(), schema.get("additionalProperties")]
        schema = schema.get("items") if isinstance(part, int) else schema.get("properties", {}).get(part) or by_name[0]
        if "$ref" in schema:
            schema = root["$defs"][schema["$ref"].rsplit("/", 1)[-1]]
    return list(schema["properties"])


def read() -> Parameters:
    """What params.yaml holds; in a stage that DVC runs the keys that dvc.yaml declares under its `params`.

    Another key would be read without DVC's knowledge, and outputs would go stale unseen: it raises StudyError, and so
    does a name that is not there.
    """
    parameters = load()
    stage = os.environ.get("DVC_STAGE", "").rpartition(":")[2].split("@")[0]
    if not stage or not paths.PIPELINE.is_file():
        return cast(Parameters, _Part(parameters, "", None))
    entry = yaml.safe_load(paths.PIPELINE.read_text(encoding="utf-8"))["stages"][stage]
    declared = entry.get("do", entry).get("params", [])
    # A template, as in variants.${item.variant}.arch, stands for one part of a key.
    patterns = [re.sub(r"\\\$\\\{.*?\\\}", "[^.]+", re.escape(key)).split(r"\.") for key in declared if key is not None]
    return cast(Parameters, _Part(parameters, "", (stage, patterns)))


class _Part:
    """A section of which a stage declares some keys; behaves like it for those, and refuses the others."""

    def __init__(self, values: Any, key: str, declared: tuple[str, list[list[str]]] | None) -> None:
        self._values, self._key, self._declared = values, key, declared

    def __getattr__(self, name: str) -> Any:
        return self._value(name, getattr)

    def __getitem__(self, name: str) -> Any:
        if name not in self._values:
            known = ", ".join(self._values)
            raise StudyError(f"{self._key}.{name}: {paths.PARAMS} has no {name!r} there; it has {known}")
        return self._value(name, lambda values, key: values[key])

    def recipe(self) -> Recipe:
        """As `Variant.recipe`, of the keys that are declared."""
        return Variant.recipe(cast(Variant, self))

    def _value(self, name: str, get: Any) -> Any:
        key = f"{self._key}.{name}".removeprefix(".")
        value = get(self._values, name)
        if self._declared is None:
            return _Part(value, key, None) if isinstance(value, dict | Weights) else value
        stage, patterns = self._declared
        parts = key.split(".")
        matching = [
            pattern for pattern in patterns if all(map(re.fullmatch, pattern[: len(parts)], parts[: len(pattern)]))
        ]
        if not matching:
            raise StudyError(f"{stage} reads {key}; {paths.PIPELINE}: declare it under the `params` of {stage}")
        return value if any(len(pattern) <= len(parts) for pattern in matching) else _Part(value, key, self._declared)
