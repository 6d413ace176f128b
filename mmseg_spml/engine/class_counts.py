"""Check that a model has as many classes as its data."""

from collections.abc import Iterator

from mmengine.config import Config
from mmseg.registry import DATASETS

_PARTS = ('neck', 'decode_head', 'auxiliary_head')


def check_class_counts(cfg: Config) -> None:
    """Compare the numbers of classes of a segmentor with the names of its data set.

    Args:
        cfg: The config of a training or test.

    Raises:
        ValueError: Some number differs; the message names its key and the lines to
            write.
    """
    for split in ('train', 'val', 'test'):
        dataset = (cfg.get(f'{split}_dataloader') or {}).get('dataset') or {}
        classes = _classes(dataset)
        if not classes:
            continue
        wrong = {
            key: number
            for key, number in _counts(cfg.get('model', {}), 'model')
            if number != len(classes)
        }
        if wrong:
            raise ValueError(
                f'{split}_dataloader.dataset names {len(classes)} classes '
                f'({", ".join(map(str, classes[:3]))}, ...), but '
                + ', '.join(f'{key} is {number}' for key, number in wrong.items())
                + f': set each of these to {len(classes)}'
            )


def _classes(dataset: dict) -> list:
    """Return the class names of a data set, as far as the config tells them."""
    named = (dataset.get('metainfo') or {}).get('classes')
    if not named and isinstance(dataset.get('type'), str):
        kind = DATASETS.get(dataset['type'])
        named = getattr(kind, 'METAINFO', {}).get('classes')
    return list(named or ())


def _counts(model: dict, place: str) -> Iterator[tuple[str, int]]:
    """Yield the key and value of each ``num_classes`` of a segmentor."""
    for part in _PARTS:
        found = model.get(part)
        many = list(found) if isinstance(found, (list, tuple)) else None
        for index, one in enumerate([found] if many is None else many):
            if isinstance(one, dict) and 'num_classes' in one:
                key = part if many is None else f'{part}.{index}'
                yield f'{place}.{key}.num_classes', one['num_classes']
    if isinstance(model.get('spml'), dict):
        yield from _counts(model['spml'], f'{place}.spml')
