"""The meaning of the values of label maps, one rule for reading and simulation.

With C classes, 0..C-1 are the classes, C is unlabeled and 255 void. Any other value is
an error, unless its meaning is given. Colors have a meaning only if it is given.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from mmseg_spml.annotations.model import AnnotationError
from mmseg_spml.annotations.pixel_maps import DENSE_UNLABELED, DENSE_VOID

UNLABELED, VOID = 'unlabeled', 'void'
_MOST_SHOWN = 6
_LEAST_UNLABELED = 0.5
# More values than this that are no class come from smoothing, and not from a person.
_MOST_CHOSEN = 8

Color = tuple[int, int, int]
Value = int | Color


def parse_values(texts: Sequence[str] | None) -> dict[Value, str] | None:
    """Parse meanings of values such as ``255=cat``, ``127=void`` or ``4=unlabeled``.

    A value is a number in 0..255, or a color as red, green and blue: ``128,0,0=cat``.

    Raises:
        AnnotationError: A text has another form, or a value is named twice.

    Example:
        >>> parse_values(['255=cat', '7=unlabeled'])
        {255: 'cat', 7: 'unlabeled'}
        >>> parse_values(['128,0,0=cat'])
        {(128, 0, 0): 'cat'}
    """
    if texts is None:
        return None
    values: dict[Value, str] = {}
    for text in texts:
        stated, _, name = text.partition('=')
        numbers = [int(one) for one in stated.split(',') if one.strip().isdecimal()]
        whole = len(numbers) == stated.count(',') + 1 and len(numbers) in (1, 3)
        if not whole or max(numbers) > DENSE_VOID or not name:
            raise AnnotationError(
                f'expected VALUE=CLASS with a value in 0..{DENSE_VOID} or a color, as '
                f'in 255=cat, 127={VOID}, 4={UNLABELED} or 128,0,0=cat, got {text!r}'
            )
        first, *others = numbers
        value = (first, others[0], others[1]) if others else first
        if value in values:
            raise AnnotationError(f'the value {stated} is named twice')
        values[value] = name
    return values


def colors_among(values: Mapping[Value, str | None] | None) -> dict[Color, str]:
    """Return the colors among values, with their meaning.

    Raises:
        AnnotationError: There are numbers among them, too.
    """
    named = {v: name for v, name in (values or {}).items() if name is not None}
    colors = {v: name for v, name in named.items() if isinstance(v, tuple)}
    if colors and len(colors) < len(named):
        raise AnnotationError('--values are either numbers or colors, not both')
    return colors


def class_of(name: str, classes: Sequence[str]) -> int | None:
    """Return the label of a class, unlabeled or void; None for other names."""
    if name in classes:
        return list(classes).index(name)
    return {UNLABELED: DENSE_UNLABELED, VOID: DENSE_VOID}.get(name)


def dense_labels(
    ids: np.ndarray,
    classes: Sequence[str],
    values: Mapping[Value, str | None] | None = None,
) -> np.ndarray:
    """Return the labels of a :class:`DenseMap` for the values of an index map.

    Args:
        ids: (H, W) values in 0..255.
        classes: C class names.
        values: The classes of some values, or ``'unlabeled'`` or ``'void'``, or None
            for no meaning; other values keep theirs. Colors are left out.

    Returns:
        (H, W) uint8: 0..C-1, 254 (unlabeled) or 255 (void).

    Raises:
        AnnotationError: A value has no meaning, or a class is unknown.

    Example:
        >>> dense_labels(np.array([[0, 1, 2, 255]]), ('background', 'cat')).tolist()
        [[0, 1, 254, 255]]
        >>> ids = np.array([[0, 127, 255]])
        >>> dense_labels(ids, ('background', 'cat'), {127: 'void', 255: 'cat'}).tolist()
        [[0, 255, 1]]
    """
    table = np.full(DENSE_VOID + 1, -1, np.int16)
    table[: len(classes)] = np.arange(len(classes))
    table[len(classes)] = DENSE_UNLABELED
    table[DENSE_VOID] = DENSE_VOID
    for value, name in (values or {}).items():
        if isinstance(value, tuple):
            continue
        table[value] = -1 if name is None else _label(name, classes)
    labels = table[ids]
    if labels.min() < 0:
        unlabeled = (
            f', {len(classes)} ({UNLABELED})' if table[len(classes)] >= 0 else ''
        )
        raise AnnotationError(_foreign(ids[labels < 0], classes, unlabeled))
    return labels.astype(np.uint8)


def doubts(
    labels: np.ndarray,
    classes: Sequence[str],
    values: Mapping[Value, str] | None = None,
) -> list[str]:
    """Describe what a label map may mean instead of what the rule says.

    Args:
        labels: (H, W) result of :func:`dense_labels`.
        classes: C class names.
        values: Values whose meaning was given. Then there is no doubt about others.

    Example:
        >>> doubts(np.array([[0, 255]], np.uint8), ('background', 'cat'))
        ['holds 0 and 255 (void) alone: if 255 is the object, add --values 255=cat']
    """
    found: list[str] = []
    if values:
        return found
    if np.unique(labels).tolist() == [0, DENSE_VOID] and len(classes) > 1:
        found.append(
            'holds 0 and 255 (void) alone: if 255 is the object, add --values '
            f'255={classes[-1]}'
        )
    unlabeled = (labels == DENSE_UNLABELED).mean()
    # Weak labels leave most pixels unlabeled; a full mask has a class too many.
    if 0 < unlabeled < _LEAST_UNLABELED:
        found.append(
            f'the value {len(classes)} is taken as unlabeled, although most pixels '
            'have a label: if it is a class, add its name to the classes'
        )
    return found


def _label(name: str, classes: Sequence[str]) -> int:
    label = class_of(name, classes)
    if label is None:
        raise AnnotationError(
            f'the value of {name!r} is given, which is none of the classes '
            f'{list(classes)}, nor {UNLABELED!r} or {VOID!r}'
        )
    return label


def _foreign(ids: np.ndarray, classes: Sequence[str], unlabeled: str) -> str:
    values, counts = np.unique(ids, return_counts=True)
    shown = ', '.join(
        f'{value} ({count} pixels)'
        for value, count in zip(values[:_MOST_SHOWN], counts[:_MOST_SHOWN])
    )
    more = f' and {len(values) - _MOST_SHOWN} more' if len(values) > _MOST_SHOWN else ''
    cause = (
        'So many values come from JPEG compression or smoothed edges: export the masks '
        'again, as PNG and without smoothing'
        if len(values) > _MOST_CHOSEN
        else f'State their meaning, such as --values {values[0]}={classes[-1]} (or '
        f'={UNLABELED}, ={VOID}), or add the missing classes'
    )
    return (
        f'holds the values {shown}{more}, but with {len(classes)} classes it may hold '
        f'0..{len(classes) - 1}{unlabeled} and {DENSE_VOID} ({VOID}). {cause}'
    )
