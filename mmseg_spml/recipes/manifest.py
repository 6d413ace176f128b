"""Manifest of a recipe: a JSON file with the state of the stages and their inputs."""

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmseg_spml.engine.shipped_files import config_file, is_config, read_config_file
from mmseg_spml.io.atomic_file import write_json
from mmseg_spml.recipes.stages import WORK_DIR, Recipe, Stage

# Parts of a config that one command reads: changing them does not affect others.
_READ_BY = {
    'seeds': 'seeds',
    'pseudo_labels': 'pseudo-labels',
    'tta_pipeline': 'test',
    'tta_model': 'test',
}


class Manifest:
    """State of the stages in ``<work_dir>/manifest.json``.

    Each entry has ``key`` (a hash of all that the stage depends on), ``state``
    ('running' or 'done'), ``command``, ``seconds`` (the time of the last attempt) and
    ``files`` (the number of files that the stage wrote).

    Raises:
        ValueError: The file is damaged.
    """

    def __init__(self, work_dir: Path) -> None:
        self.path = work_dir / 'manifest.json'
        self.entries: dict[str, dict[str, Any]] = {}
        if self.path.is_file():
            try:
                self.entries = json.loads(self.path.read_text(encoding='utf-8'))
            except ValueError as error:
                raise ValueError(
                    f'{self.path} is damaged ({error}): remove it, and all stages run '
                    'again'
                ) from error

    def set(self, name: str, **values: Any) -> None:
        """Change an entry and write the file."""
        self.entries.setdefault(name, {}).update(values)
        write_json(self.path, self.entries)

    def is_done(self, name: str, key: str, folder: Path) -> bool:
        """Whether the stage was finished with this key, and its files are there."""
        entry = self.entries.get(name, {})
        finished = entry.get('state') == 'done' and entry.get('key') == key
        return finished and entry.get('files') == count_files(folder)

    def is_begun(self, name: str, key: str) -> bool:
        """Whether the stage was begun with this key."""
        return self.entries.get(name, {}).get('key') == key


def count_files(folder: Path) -> int:
    """Number of files in a folder and its subfolders, 0 if it is missing."""
    return len(_files(folder))


def stage_key(recipe: Recipe, stage: Stage, keys: dict[str, str]) -> str:
    """Hash everything that a stage depends on.

    A stage depends on its command and arguments, on the content of its config and
    inputs, and on the keys of the stages that it needs.

    Raises:
        FileNotFoundError: An input is missing.
    """
    digest = hashlib.sha256()
    parts = [stage.command, *stage.args, *(keys[name] for name in stage.needs)]
    for argument in stage.args:
        path = argument.replace(WORK_DIR, str(recipe.work_dir))
        if is_config(path):
            config = read_config_file(config_file(path)).to_dict()
            for key, command in _READ_BY.items():
                if command != stage.command:
                    config.pop(key, None)
            text = json.dumps(config, default=repr)
            # The folder may be moved or named by another path.
            for here in (recipe.work_dir.absolute(), recipe.work_dir.resolve()):
                text = text.replace(json.dumps(os.path.normpath(here))[1:-1], WORK_DIR)
            parts.append(text)
    digest.update(json.dumps(parts).encode())
    for text in stage.inputs:
        for line in _contents(Path(recipe.filled(text, stage))):
            digest.update(line)
    return digest.hexdigest()


def _contents(path: Path) -> Iterator[bytes]:
    if path.is_file():
        yield hashlib.sha256(path.read_bytes()).digest()
        return
    if not path.is_dir():
        raise FileNotFoundError(f'the input {path} is missing')
    for file in _files(path):
        yield file.relative_to(path).as_posix().encode()
        yield hashlib.sha256(file.read_bytes()).digest()


def _files(folder: Path) -> list[Path]:
    """All files below a folder but hidden ones, which file managers write."""
    found = sorted(folder.rglob('*'))
    return [path for path in found if path.is_file() and path.name[0] != '.']
