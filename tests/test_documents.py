"""Commands of README and docs: their tools take them, their files are there."""

import importlib.util
import json
import re
import shlex
import sys

import click
import pytest
from documents import DOCUMENTS, commands
from integration import tiny

from benchmarks.table import markdown
from experiments.ablation import ablation_table, read_ablations
from experiments.method_table import TABLES
from experiments.reliability.__main__ import table as reliability_table
from experiments.run_comparison import load_results
from mmseg_spml import datasets, engine, evaluation, functional, models
from mmseg_spml.cli.main import main
from mmseg_spml.version import __version__

LINK = re.compile(r'\]\(([^)\s]+)\)')
# What a shell puts in the place of variables of loops.
SHELL = {'$seed': '3', '$n': '50', '$kind': 'tags'}
PYTHON = [
    (document, line) for document, line in commands() if line.startswith('python ')
]


def module_that_runs(name):
    """What ``python -m`` runs: a package is run by its ``__main__``."""
    if importlib.util.find_spec(name).submodule_search_locations is not None:
        name = f'{name}.__main__'
    return importlib.import_module(name)


def module_of_tool(path):
    spec = importlib.util.spec_from_file_location(f'document_{path.stem}', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


OWN = [
    (document, line) for document, line in commands() if line.startswith('mmseg-spml ')
]


@pytest.mark.parametrize('document, line', OWN, ids=[line for _, line in OWN])
def test_command_takes_the_words(document, line):
    for variable, value in SHELL.items():
        line = line.replace(variable, value)
    _, name, *words = shlex.split(line, comments=True)
    command = main.get_command(None, name)
    assert command is not None, name
    try:  # it is parsed, not run
        command.make_context(name, words)
    except click.BadParameter as error:
        # a file that an earlier command writes
        assert re.search('no file of class names|does not exist', str(error))


@pytest.mark.parametrize('document, line', PYTHON, ids=[line for _, line in PYTHON])
def test_tool_takes_the_command(document, line, monkeypatch, capsys):
    _, tool, *arguments = shlex.split(line, comments=True)
    if tool == '-m':
        tool, *arguments = arguments
        module = module_that_runs(tool)
    else:
        module = module_of_tool(tiny.ROOT / tool)
    for name, value in SHELL.items():
        arguments = [word.replace(name, value) for word in arguments]
    monkeypatch.setattr(sys, 'argv', [tool, *arguments])
    monkeypatch.chdir(tiny.ROOT)
    try:
        module.parse_args()
    except SystemExit as stop:
        # data that one has to get first, and --help
        message = capsys.readouterr().err
        assert not stop.code or 'there is no folder' in message, message


def braced(word):
    """Words that a shell makes of ``a{b,c}d``."""
    found = re.search(r'\{([^{}]*,[^{}]*)\}', word)
    if not found:
        return [word]
    start, end = word[: found.start()], word[found.end() :]
    return [w for part in found[1].split(',') for w in braced(start + part + end)]


def test_named_files_are_there():
    for document, line in commands():
        for word in re.findall(
            r'(?<![\w/.])(?:configs|tools|experiments|benchmarks)/[^\s`\'"]+', line
        ):
            if '/results/' in word or '$' in word or 'mine' in word:
                continue  # written by the command, or by the reader
            for path in braced(word):
                assert list(tiny.ROOT.glob(path)), f'{document}: {path} of {line}'


@pytest.mark.parametrize('document', DOCUMENTS, ids=lambda path: path.name)
def test_links(document):
    text = document.read_text()
    headings = {
        path.name: {
            re.sub(r'[^\w\- ]', '', heading.lower()).strip().replace(' ', '-')
            for heading in re.findall(r'^#+ (.*)$', path.read_text(), re.M)
        }
        for path in DOCUMENTS
    }
    for target in LINK.findall(text):
        if target.startswith('http'):
            continue
        name, _, anchor = target.partition('#')
        path = document.parent / name if name else document
        assert path.exists(), target
        if anchor:
            assert anchor in headings[path.name], target


def test_results_that_documents_name_are_there():
    for document in DOCUMENTS:
        for word in re.findall(
            r'`((?:experiments|benchmarks)/results/[^`\s]+)`', document.read_text()
        ):
            assert list(tiny.ROOT.glob(word)), f'{document.name}: {word}'


RESULTS = tiny.ROOT / 'experiments/results'
MEASURED = tiny.ROOT / 'benchmarks/results'


@pytest.mark.parametrize('name', sorted(TABLES))
def test_table_of_methods_is_of_the_files(name):
    table = TABLES[name].format(load_results(RESULTS))
    if not (RESULTS / f'table_{name}.md').exists():
        assert not re.search(r'\d', table.replace('lite0', '')), 'there are results'
        pytest.skip(f'no run of the table {name} yet')
    assert (RESULTS / f'table_{name}.md').read_text().endswith(f'{table}\n')
    documents = ['docs/results.md'] + ['README.md'] * (name == 'ccp')
    for document in documents:
        text = (tiny.ROOT / document).read_text()
        for line in filter(None, table.splitlines()):
            assert line in text, document


def test_ablations_are_of_the_files():
    file = tiny.ROOT / 'experiments/configs/ablations/ccp_points.py'
    table = ablation_table(read_ablations(str(file)), load_results(RESULTS))
    assert (RESULTS / 'ablations_ccp_points.md').read_text() == f'{table}\n'
    assert table in (tiny.ROOT / 'docs/results.md').read_text()


@pytest.mark.parametrize(
    'name, number',
    [
        ('step', None),
        ('step_scene', 1),
        ('network', None),
        ('iteration_ccp', None),
        ('retrieval', None),
        ('random_walk', None),
        ('crf', None),
        ('loader', None),
        ('waiting', None),
        ('photograph', None),
    ],
)
def test_tables_of_performance_are_of_the_files(name, number):
    content = json.loads((MEASURED / f'{name}.json').read_text())
    _, tables = markdown(content['machine'], content['comparisons'][:number]).split(
        '\n', 1
    )
    text = (tiny.ROOT / 'docs/performance.md').read_text()
    for line in filter(None, tables.splitlines()):
        assert line in text


def test_the_reference_has_all_public_names():
    reference = tiny.ROOT / 'docs/reference'
    functions = (reference / 'functional.md').read_text()
    named = set(re.findall(r'^::: \S+\.(\w+)$', functions, re.M))
    assert named == set(functional.__all__)
    classes = (reference / 'classes.md').read_text()
    named = set(re.findall(r'^::: \S+\.(\w+)$', classes, re.M))
    public = {*models.__all__, *datasets.__all__, *engine.__all__}
    # Models do not import the classifier, which needs MMPretrain.
    assert named == public | {*evaluation.__all__, 'TagClassifier'}


def test_the_seconds_of_an_iteration():
    """The quickest run of each loss on Clothing Co-Parsing, as the page says."""
    runs = {
        'cross-entropy': '{points,scribbles}_ce',
        'SPML': '{points,scribbles}',
        'gated CRF loss': 'gated_crf',
        'DenseCRF loss': 'dense_crf',
        'tree energy loss': 'tree_energy',
        'SPML with label propagation': '{points,scribbles}_propagation',
    }
    results = tiny.ROOT / 'experiments' / 'results'
    text = (tiny.ROOT / 'docs/pipeline.md').read_text()
    for loss, names in runs.items():
        seconds = [
            json.loads(path.read_text())['seconds_per_iteration']
            for name in braced(f'efficientnet_lite0_ccp_{names}')
            for path in (results / name).rglob('seed*.json')
            if 'variant' not in str(path)
        ]
        assert f'| {loss} | {min(seconds):.2f} |' in text, loss


def test_the_tables_of_reliability():
    results = json.loads(
        (tiny.ROOT / 'experiments/results/reliability.json').read_text()
    )
    lines = (tiny.ROOT / 'docs/reliability.md').read_text().splitlines()
    assert set(results) == {'kills', 'damage', 'faults', 'memory'}
    for rows in results.values():
        assert set(reliability_table(rows).splitlines()) <= set(lines)


def test_the_version_is_the_same_everywhere():
    cited = re.search(
        r'^version: (\S+)$', (tiny.ROOT / 'CITATION.cff').read_text(), re.M
    )
    assert cited and cited[1] == __version__
    changes = (tiny.ROOT / 'CHANGELOG.md').read_text()
    assert (
        re.findall(r'^## \[(\d\S+)\] - \d{4}-\d\d-\d\d$', changes, re.M)[0] == cited[1]
    )


def test_each_recipe_has_a_model_card_with_its_figures():
    cards = (tiny.ROOT / 'docs/model_cards.md').read_text()
    for recipe in (tiny.ROOT / 'experiments/configs/recipes').iterdir():
        if recipe.suffix == '.py':
            assert f'recipe {recipe.relative_to(tiny.ROOT)}' in cards
    results = (tiny.ROOT / 'docs/results.md').read_text()
    figures = re.findall(r'\d+\.\d ± \d\.\d', cards)
    assert len(figures) == 6
    assert all(figure in results for figure in figures)
