"""Reads docstrings as the reference shows them."""

import re
from typing import Any

import griffe

# Names in the notation of Sphinx, such as :func:`~package.module.name`.
_ROLE = re.compile(r':\w+:`~?(?:[\w.]*\.)?(\w+)`')


class Docstrings(griffe.Extension):
    """Shows examples as code, and names without the notation of Sphinx."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Change the docstring of an object before it is parsed."""
        if obj.docstring is not None:
            text = re.sub(r'^Example:$', 'Examples:', obj.docstring.value, flags=re.M)
            obj.docstring.value = _ROLE.sub(r'`\1`', text)
