"""`make accept-code`: record edits of code that change no meaning, so that nothing runs again for a comment.

Compares the code that dvc.lock was made with, found in Git by its hash, with the code that is here now, both parsed
without comments, docstrings and the words of errors. Where they are equal, DVC's own `dvc commit` records the new
hashes in dvc.lock; where they are not, nothing is recorded and each difference is named.
"""

import ast
import hashlib
import io
import json
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import yaml
from dvc_data.hashfile.hash_info import HashInfo
from dvc_data.hashfile.meta import Meta
from dvc_data.hashfile.tree import Tree

CODE = ("stages/", "facestudy/")
Files = dict[str, bytes]  # content by path from the repository's root


def run(*command: str) -> bytes:
    """What a command prints; its own message and exit status where it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if done.returncode:
        sys.exit(done.returncode)
    return done.stdout


def only_code_changed(status: dict[str, list[object]]) -> dict[str, list[str]]:
    """The changed code of each stage, by what `dvc status --json` prints; ends where something else changed too."""
    changed: dict[str, list[str]] = {}
    for stage, faults in status.items():
        for fault in faults:
            deps = fault.get("changed deps") if isinstance(fault, dict) else None
            other = [name for name, how in (deps or {}).items() if how != "modified" or not name.startswith(CODE)]
            if deps is None or other:
                sys.exit(f"{stage}: not its code alone changed ({other or fault}); run `dvc repro`")
            changed.setdefault(stage, []).extend(deps)
    return changed


def differences(path: str, recorded: str) -> list[str]:
    """What differs in meaning between the code at `path` with the hash that dvc.lock records and the code there now."""
    for commit in run("git", "log", "--format=%H", "--", path).decode().split():
        before = committed(commit, path)
        if before and dvc_hash(path, before) == recorded:
            break
    else:
        sys.exit(f"{path}: no commit has the code that dvc.lock was made with; run `dvc repro`")
    listed = run("git", "ls-files", "-coz", "--exclude-standard", path).decode().split("\0")
    ignored = run("git", "ls-files", "-oiz", "--exclude-standard", path).decode().split("\0")
    if other := [name for name in ignored if name and not name.endswith(".pyc")]:
        sys.exit(f"{path}: DVC counts {other[0]}, which Git ignores; remove it, or run `dvc repro`")
    now = {name: Path(name).read_bytes() for name in listed if Path(name).is_file()}
    return list(compared(before, now))


@cache
def committed(commit: str, path: str) -> Files:
    """The files at or below a path in a commit; none where it is not there."""
    done = subprocess.run(["git", "archive", commit, "--", path], capture_output=True, check=False)
    if done.returncode:
        return {}
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        opened = {member.name: archive.extractfile(member) for member in archive if member.isfile()}
        return {name: file.read() for name, file in opened.items() if file is not None}


def dvc_hash(path: str, files: Files) -> str:
    """The hash that DVC gives a file or a folder."""
    hashes = {name: hashlib.md5(content, usedforsecurity=False).hexdigest() for name, content in files.items()}
    if path in files:
        return hashes[path]
    tree = Tree()  # type: ignore[no-untyped-call]
    for name, value in hashes.items():
        tree.add(Path(name).relative_to(path).parts, Meta(), HashInfo("md5", value))
    tree.digest()
    assert tree.hash_info is not None
    return str(tree.hash_info.value)


def compared(before: Files, now: Files) -> Iterator[str]:
    """Names of what differs in meaning: files, and in those of Python functions and classes."""
    for name in sorted(before.keys() | now.keys()):
        old, new = before.get(name), now.get(name)
        if old is None or new is None:
            yield f"{name}: {'added' if old is None else 'removed'}"
        elif old != new and not name.endswith(".py"):
            yield name
        elif old != new:
            try:
                meant, means = meaning(old), meaning(new)
            except (SyntaxError, ValueError) as error:
                yield f"{name}: is no Python ({error})"
                continue
            if ast.dump(meant) != ast.dump(means):
                old_parts, new_parts = parts(meant), parts(means)
                changed = [part for part in {**old_parts, **new_parts} if old_parts.get(part) != new_parts.get(part)]
                yield from (f"{name}: {part}" for part in changed or ["the order of its parts"])


def meaning(content: bytes) -> ast.Module:
    """The syntax tree of a module without what changes no result."""
    tree = ast.parse(content)
    _WithoutWords().visit(tree)
    return tree


def parts(tree: ast.Module) -> dict[str, str]:
    """The tree's functions, methods, classes without their methods, and all else, by name, for a message."""
    named: dict[str, list[str]] = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            methods = [each for each in node.body if isinstance(each, ast.FunctionDef)]
            for method in methods:
                named.setdefault(f"{node.name}.{method.name}", []).append(ast.dump(method))
            node.body = [each for each in node.body if each not in methods]
        named.setdefault(getattr(node, "name", "the module"), []).append(ast.dump(node))
    return {name: "\n".join(dumps) for name, dumps in named.items()}


class _WithoutWords(ast.NodeTransformer):
    """Takes out docstrings and the words of StudyError(...); the parser has taken out comments."""

    def visit(self, node: ast.AST) -> ast.AST:
        """One node, after what lies in it."""
        self.generic_visit(node)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            if ast.get_docstring(node, clean=False) is not None:
                node.body = node.body[1:] or [ast.Pass()]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "StudyError":
            node.args = [_without_words(argument) for argument in node.args]
        return node


def _without_words(node: ast.expr) -> ast.expr:
    """A message with its literal texts out; what is put into it, and how it is formatted, stays."""
    if isinstance(node, ast.JoinedStr):
        values: list[ast.expr] = [value for value in node.values if isinstance(value, ast.FormattedValue)]
        return ast.JoinedStr(values) if values else ast.Constant("")
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return ast.Constant("")
    return node


def main() -> None:
    """Record the new hashes, or name what differs and exit with 1."""
    changed = only_code_changed(json.loads(run("dvc", "status", "--json")))
    if not changed:
        print("no stage's code changed since dvc.lock was made")
        return
    lock = yaml.safe_load(Path("dvc.lock").read_text(encoding="utf-8"))["stages"]
    recorded = {
        (dep["path"], dep["md5"])
        for stage, paths in changed.items()
        for dep in lock[stage]["deps"]
        if dep["path"] in paths
    }
    found = sorted({difference for path, value in recorded for difference in differences(path, value)})
    if found:
        sys.exit("these change what the code does, so their stages have to run (`dvc repro`):\n  " + "\n  ".join(found))
    run("dvc", "commit", "--force", *sorted(changed))
    print(f"dvc.lock has the new code of {len(changed)} stages; nothing runs again for it")


if __name__ == "__main__":
    main()
