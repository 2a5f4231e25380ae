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
    now = {
        name: Path(name).read_bytes()
        for name in run("git", "ls-files", "-co", "--exclude-standard", path).decode().split()
    }
    if dvc_hash(path, now) == recorded:
        sys.exit(f"{path}: DVC counts a file that Git ignores; remove it, or run `dvc repro`")
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
            meant, means = meaning(old.decode()), meaning(new.decode())
            changed = [part for part in {**meant, **means} if meant.get(part) != means.get(part)]
            yield from (f"{name}: {part}" for part in changed)


def meaning(text: str) -> dict[str, str]:
    """The syntax tree of each part of a module (a function, a method, all else), without what changes no result."""
    tree = ast.parse(text)
    _WithoutWords().visit(tree)
    parts: dict[str, list[str]] = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            methods = [each for each in node.body if isinstance(each, ast.FunctionDef)]
            for method in methods:
                parts.setdefault(f"{node.name}.{method.name}", []).append(ast.dump(method))
            node.body = [each for each in node.body if each not in methods]
        parts.setdefault(getattr(node, "name", "the module"), []).append(ast.dump(node))
    return {name: "\n".join(dumps) for name, dumps in parts.items()}


class _WithoutWords(ast.NodeTransformer):
    """Takes out docstrings and the texts within StudyError(...); the parser has taken out comments."""

    def visit(self, node: ast.AST) -> ast.AST:
        """One node, after what lies in it."""
        self.generic_visit(node)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body = node.body[1:] or [ast.Pass()]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "StudyError":
            for part in ast.walk(node):
                if isinstance(part, ast.JoinedStr):
                    part.values = [value for value in part.values if isinstance(value, ast.FormattedValue)]
                elif isinstance(part, ast.Constant) and isinstance(part.value, str):
                    part.value = ""
            node.args = [ast.Constant("") if _only_words(part) else part for part in node.args]
        return node


def _only_words(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) and not node.values


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
