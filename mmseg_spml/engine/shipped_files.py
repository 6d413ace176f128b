"""Files that the package ships beside its modules: configs and tools."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

import mmseg_spml

_MARK = 'mmseg_spml::'


def shipped_folder() -> Path:
    """Return the folder of ``configs/`` and ``tools/``.

    In a clone it holds links, which ``pip install -e`` makes.

    Raises:
        FileNotFoundError: The package was neither installed nor linked.
    """
    folder = Path(mmseg_spml.__file__).parent / '.mim'
    if not folder.is_dir():
        raise FileNotFoundError(
            f'there is no folder {folder} of configs: install the package, in a clone '
            'of the repository by `pip install -e .`'
        )
    return folder


def is_config(path: str) -> bool:
    """Whether a path is that of a config which exists, perhaps one of the package.

    Example:
        >>> is_config('mmseg_spml::spml/segformer_b0_voc_scribbles.py')
        True
        >>> is_config('mmseg_spml::spml/nothing.py')
        False
    """
    if not path.endswith('.py'):
        return False
    try:
        return bool(config_file(path))
    except FileNotFoundError:
        return False


def config_file(path: str) -> str:
    """Return the path of a config, which may be one of the package.

    Args:
        path: A path, or ``mmseg_spml::`` and a path below ``configs/``.

    Raises:
        FileNotFoundError: There is no such file.

    Example:
        >>> Path(config_file('mmseg_spml::spml/segformer_b0_voc_scribbles.py')).name
        'segformer_b0_voc_scribbles.py'
    """
    found = Path(path)
    if path.startswith(_MARK):
        found = shipped_folder() / 'configs' / path[len(_MARK) :]
    if (found / 'config.py').is_file():
        raise FileNotFoundError(
            f'{path} is a folder: name its config, {found / "config.py"}'
        )
    if not found.is_file():
        near = sorted(p.name for p in found.parent.glob('*.py'))
        hint = f'; in that folder are {", ".join(near)}' if near else ''
        raise FileNotFoundError(f'there is no config {path}{hint}')
    return str(found)


def read_config_file(path: str | Path) -> Config:
    """Read a config.

    Raises:
        FileNotFoundError: There is no such file, or one that it reads.
        ValueError: The file, or a config that it is based on, fails.
    """
    try:
        return Config.fromfile(str(path))
    except SyntaxError as error:
        raise ValueError(
            f'{path}, or a config in its _base_, is no valid Python in line '
            f'{error.lineno} ({(error.text or "").strip()}): {error}'
        ) from error
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f'{path}, or a config in its _base_: {error}'
        ) from error
    # Configs are programs: any error can come.
    except Exception as error:
        raise ValueError(
            f'{path}, or a config in its _base_, fails: {type(error).__name__}: {error}'
        ) from error


def load_config(path: str, cfg_options: Mapping[str, Any] | None = None) -> Config:
    """Read a config and override settings.

    Args:
        path: The config, as of :func:`config_file`.
        cfg_options: Settings that override the config, by their dotted names.

    Raises:
        FileNotFoundError: There is no such file.
    """
    cfg = read_config_file(config_file(path))
    cfg.merge_from_dict(dict(cfg_options or {}))
    return cfg
