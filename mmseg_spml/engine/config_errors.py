"""Sentences about parts of a config that cannot be built."""

import difflib
import inspect
import re
import traceback
from collections.abc import Iterable
from types import FrameType
from typing import Any

from mmengine.registry import OPTIMIZERS, Registry, build_functions

_UNEXPECTED = re.compile(r"got an unexpected keyword argument '(\w+)'")
_MISSING = re.compile(r'missing \d+ required [\w-]+ arguments?: (.+)')


def config_problem(error: BaseException) -> str | None:
    """Say what is wrong with a config whose parts could not be built.

    Args:
        error: The error that MMEngine let through, with its traceback.

    Returns:
        A sentence about a type that is not registered or whose package is missing, or
        about an option that its type does not have or needs; None for all other errors.

    Example:
        >>> from mmseg.registry import TRANSFORMS
        >>> try:
        ...     TRANSFORMS.build(dict(type='RandomFlip', probability=0.5))
        ... except TypeError as error:
        ...     problem = config_problem(error)
        >>> print(problem)
        the config gives RandomFlip the option 'probability', which it does not have: its options are direction, prob, swap_seg_labels
    """  # noqa: E501
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    for frame in frames:
        # MMEngine looks into the class of an optimizer before it builds it.
        if frame.f_locals.get('optimizer_cls', '') is None:
            return _unknown_type(frame.f_locals['optimizer_cfg']['type'], OPTIMIZERS)
    building = [
        f for f in frames if f.f_code is build_functions.build_from_cfg.__code__
    ]
    if not building:
        return None
    part = building[-1].f_locals
    if isinstance(error, ModuleNotFoundError):
        return (
            f'the config has the type {part["cfg"]["type"]!r}, which needs the module '
            f'{error.name!r}: install it'
        )
    if isinstance(error, KeyError) and _is_unknown_type(frames[-1], part):
        return _unknown_type(part['obj_type'], part['registry'])
    if not isinstance(error, TypeError) or 'obj_cls' not in part:
        return None
    name = getattr(part['obj_cls'], '__name__', part['obj_type'])
    unexpected = _UNEXPECTED.search(str(error))
    # An option that the config does not have is a fault of the code that gave it.
    if unexpected and unexpected[1] in part['args']:
        known = _options(part['obj_cls'])
        return (
            f'the config gives {name} the option {unexpected[1]!r}, which it does not '
            f'have: {_alternatives(unexpected[1], known)}'
        )
    missing = _MISSING.search(str(error))
    if missing and frames[-1] is building[-1]:
        return f'the config does not give {name} what it needs: {missing[1]}'
    return None


def _is_unknown_type(frame: FrameType, part: dict[str, Any]) -> bool:
    in_build = frame.f_code is build_functions.build_from_cfg.__code__
    return in_build and part.get('obj_cls', '') is None


def _unknown_type(name: str, registry: Registry) -> str:
    close = difflib.get_close_matches(name, _registered(registry))
    hint = 'Name the module of your own types in custom_imports'
    if close:
        hint = f'Did you mean {" or ".join(close)}?'
    elif '.' in name:
        hint = f'Is {name.split(".")[0]} installed?'
    return (
        f'the config has the type {name!r}, which is no registered {registry.name}. '
        f'{hint}'
    )


def _registered(registry: Registry | None) -> Iterable[str]:
    """Names of a registry and of those that it falls back to."""
    names: set[str] = set()
    while registry is not None:
        names |= registry.module_dict.keys()
        registry = registry.parent
    return names


def _options(part: Any) -> set[str]:
    """Names of the options of a class, with those that it passes on to its bases."""
    calls = [part]
    if inspect.isclass(part):
        calls = [
            vars(base)['__init__'] for base in part.__mro__ if '__init__' in vars(base)
        ]
    names: set[str] = set()
    for call in calls:
        parameters = inspect.signature(call).parameters.values()
        named = (
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
            inspect.Parameter.KEYWORD_ONLY,
        )
        names |= {p.name for p in parameters if p.kind in named} - {'self'}
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return names


def _alternatives(name: str, known: set[str]) -> str:
    close = difflib.get_close_matches(name, known)
    if close:
        return f'did you mean {" or ".join(map(repr, close))}?'
    return f'its options are {", ".join(sorted(known)) or "none"}'
