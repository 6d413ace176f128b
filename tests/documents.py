"""The README and the docs, and the shell blocks in them."""

import re
from pathlib import Path
from typing import Iterator, Tuple

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / 'README.md', *sorted((ROOT / 'docs').glob('*.md'))]


def shell_blocks() -> Iterator[Tuple[str, str]]:
    """(name of the document, content) of each block for a shell, in order."""
    for document in DOCUMENTS:
        text = document.read_text()
        for kind, block in re.findall(r'^```(\w*)\n(.*?)^```$', text, re.M | re.S):
            if kind in ('', 'sh'):
                yield document.name, block


def commands() -> Iterator[Tuple[str, str]]:
    """(name of the document, line) of all shell blocks, continued lines joined."""
    for name, block in shell_blocks():
        for line in block.replace('\\\n', ' ').splitlines():
            yield name, line.strip()
