"""Makes the README the start page of the site, and adds files that pages refer to."""

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

_ROOT = Path(__file__).parents[2]
# Links to files of the repository outside of docs/.
_OUTSIDE = re.compile(r'\]\(\.\./([\w./-]+\.(?:png|json))\)')
_LICENSE = re.compile(r'\[(\w+)\]\((?:\.\./)?LICENSE\)')


def on_files(files: Files, config: Any) -> Files:
    """Add the README as ``index.md``, and what pages refer to as ``files/``."""
    text = (_ROOT / 'README.md').read_text(encoding='utf-8')
    start = _LICENSE.sub(r'\1', text.replace('](docs/', ']('))
    files.append(File.generated(config, 'index.md', content=start))
    pages = [(_ROOT / 'docs' / file.src_uri) for file in files.documentation_pages()]
    texts = [page.read_text(encoding='utf-8') for page in pages if page.is_file()]
    for path in sorted({path for one in texts for path in _OUTSIDE.findall(one)}):
        target = f'files/{Path(path).name}'
        content = (_ROOT / path).read_bytes()
        files.append(File.generated(config, target, content=content))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Point links to the README and to files at what :func:`on_files` has added."""
    text = markdown.replace('](../README.md', '](index.md')
    text = _OUTSIDE.sub(lambda found: f'](files/{Path(found[1]).name})', text)
    return _LICENSE.sub(r'\1', text)
