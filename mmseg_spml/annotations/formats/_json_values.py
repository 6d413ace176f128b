"""Checks of the values of JSON files."""

from typing import Any

from mmseg_spml.annotations.model import AnnotationError


def as_object(value: Any, what: str) -> dict:
    """Return an object as it is.

    Raises:
        AnnotationError: The value is something else.
    """
    if not isinstance(value, dict):
        raise AnnotationError(f'{what} must be an object, got {str(value)[:40]!r}')
    return value


def as_list(value: Any, what: str) -> list:
    """Return a list as it is.

    Raises:
        AnnotationError: The value is something else.
    """
    if not isinstance(value, list):
        raise AnnotationError(f'{what} must be a list, got {str(value)[:40]!r}')
    return value


def text_at(entry: dict, key: str) -> str:
    """Return the text of a key, which is not empty.

    Raises:
        AnnotationError: The key is missing, or its value is something else.
    """
    value = entry.get(key)
    if not isinstance(value, str) or not value:
        raise AnnotationError(f'{key} must be text, got {str(value)[:40]!r}')
    return value
