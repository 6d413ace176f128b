"""The config and the checkpoint of a trained model, found by its folder."""

import os
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmseg_spml.engine.shipped_files import config_file
from mmseg_spml.io.run_folders import RUN, last_checkpoint


def find_model(model: str, checkpoint: str | None = None) -> tuple[str, str]:
    """Find the config and the checkpoint of a model.

    Args:
        model: The folder of a project or of a run, or a config.
        checkpoint: The checkpoint. None: the last one of the folder.

    Returns:
        The paths of the config and the checkpoint.

    Raises:
        FileNotFoundError: Either is missing, or there is more than one config.
        ValueError: A config comes without a checkpoint.
    """
    folder = Path(model)
    if not folder.is_dir():
        if checkpoint is None:
            raise ValueError(f'{model} is no folder: add --checkpoint')
        return config_file(model), checkpoint
    run = folder / RUN if (folder / RUN).is_dir() else folder
    configs = sorted(run.glob('*.py')) or sorted(folder.glob('*.py'))
    if len(configs) != 1:
        found = ', '.join(path.name for path in configs) or 'none'
        raise FileNotFoundError(
            f'expected one config in {run}, found {found}: name a config and '
            '--checkpoint'
        )
    return str(configs[0]), checkpoint or last_checkpoint(run)


def relocated(cfg: Config, model: str | Path) -> Config:
    """Let the config of a run name the project that it lies in, which may have moved.

    Args:
        cfg: The config of a run; ``project`` in it is the folder at that time.
        model: The folder of the project. Configs of anything else stay as they are.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / RUN).mkdir()
        >>> cfg = Config(dict(project='/old', lists=['/old/lists', '/older']))
        >>> moved = relocated(cfg, folder).lists
        >>> moved == [f'{folder}/lists', '/older']
        True
    """
    before, now = cfg.get('project'), os.path.abspath(model)
    if not before or before == now or not (Path(model) / RUN).is_dir():
        return cfg
    return Config(_with_folder(cfg.to_dict(), before, now), filename=cfg.filename)


def _with_folder(value: Any, before: str, now: str) -> Any:
    """Replace a folder at the beginning of all strings in dictionaries and lists."""
    if isinstance(value, dict):
        return {key: _with_folder(one, before, now) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_with_folder(one, before, now) for one in value)
    if isinstance(value, str) and f'{value}/'.startswith(f'{before}/'):
        return now + value[len(before) :]
    return value
