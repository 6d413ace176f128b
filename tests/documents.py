"""The README and the docs, and the code blocks in them."""

import re
from collections.abc import Iterator
from pathlib import Path

from integration import tiny

# Blocks use what those of earlier documents have made.
_FIRST = [tiny.ROOT / 'README.md']
_FIRST += [
    tiny.ROOT / 'docs' / f'{name}.md' for name in ('install', 'data', 'training')
]
DOCUMENTS = [*_FIRST, *sorted({*(tiny.ROOT / 'docs').glob('*.md')} - {*_FIRST})]


def code_blocks(document: Path) -> list[tuple[str, str]]:
    """(language or nothing, content) of each block, in order."""
    text = document.read_text()
    return re.findall(r'^```(\w*)\n(.*?)^```$', text, re.M | re.S)


def shell_blocks() -> Iterator[tuple[str, str]]:
    """(name of the document, content) of blocks for a shell, continued lines joined."""
    for document in DOCUMENTS:
        for kind, block in code_blocks(document):
            if kind in ('', 'sh'):
                yield document.name, re.sub(r' *\\\n *', ' ', block)


def commands() -> Iterator[tuple[str, str]]:
    """(name of the document, line) of all shell blocks."""
    for name, block in shell_blocks():
        for line in block.splitlines():
            yield name, line.strip()
