"""The config and the checkpoint of a trained model, found by its folder."""

from pathlib import Path

from mmseg_spml.engine.shipped_files import config_file

# Where a project keeps the run of its model.
RUN = 'run'


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


def last_checkpoint(folder: str | Path) -> str:
    """Return the path of the checkpoint that MMEngine wrote last.

    Raises:
        FileNotFoundError: The folder has no checkpoint.
    """
    note = Path(folder) / 'last_checkpoint'
    if not note.is_file():
        raise FileNotFoundError(f'no run has left a checkpoint in {folder}')
    # Only the name is used: the folder may have been moved.
    return str(Path(folder) / Path(note.read_text().strip()).name)
