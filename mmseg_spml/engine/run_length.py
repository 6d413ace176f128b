"""The length of a run, which several parts of a config repeat."""

from mmengine.config import Config, ConfigDict

# Keys of a parameter scheduler that hold the last iteration.
_ENDS = ('max_iters', 'end')


def set_length(cfg: Config, max_iters: int) -> None:
    """Set the number of iterations of a training everywhere in a config.

    The entries that equal the old length follow: ``train_cfg.max_iters`` and
    ``val_interval``, and the ends of the parameter schedulers.

    Args:
        cfg: The config, which is changed in place.
        max_iters: The number of iterations, 1 or more.

    Raises:
        ValueError: ``max_iters`` is below 1, or the training counts epochs.

    Example:
        >>> cfg = Config(dict(train_cfg=dict(max_iters=600, val_interval=600),
        ...                   param_scheduler=[dict(type='WarmupPolyLR',
        ...                                         max_iters=600)]))
        >>> set_length(cfg, 30)
        >>> cfg.train_cfg.val_interval, cfg.param_scheduler[0].max_iters
        (30, 30)
    """
    if not isinstance(max_iters, int) or max_iters < 1:
        raise ValueError(f'max_iters must be a whole number from 1, got {max_iters!r}')
    old = cfg.get('train_cfg', {}).get('max_iters')
    if old is None:
        raise ValueError(
            'max_iters is for trainings that count iterations: this config has no '
            'train_cfg.max_iters'
        )
    cfg.max_iters = max_iters
    schedulers = cfg.get('param_scheduler') or []
    if isinstance(schedulers, dict):
        schedulers = [schedulers]
    for scheduler in schedulers:
        _follow(scheduler, _ENDS, old, max_iters)
    _follow(cfg.train_cfg, ('max_iters', 'val_interval'), old, max_iters)


def save_in_time(cfg: Config) -> None:
    """Save a checkpoint after each tenth of a run that would end before the first.

    Args:
        cfg: The config, which is changed in place.
    """
    hook = cfg.get('default_hooks', {}).get('checkpoint')
    max_iters = cfg.get('train_cfg', {}).get('max_iters')
    if hook is None or max_iters is None or hook.get('by_epoch', True):
        return
    if hook.get('interval', -1) > max_iters:
        hook.interval = max(1, max_iters // 10)


def _follow(part: ConfigDict, keys: tuple[str, ...], old: int, new: int) -> None:
    for key in keys:
        if part.get(key) == old:
            part[key] = new
