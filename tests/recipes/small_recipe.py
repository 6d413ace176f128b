"""A small recipe, and the tool that its stages call."""

from mmseg_spml.recipes import read_recipe, run_recipe

# A tool that copies its input in steps with pauses, and logs whether it resumes.
TOOL = """
import argparse, os, pathlib, sys, time
p = argparse.ArgumentParser()
p.add_argument('text')
p.add_argument('out', type=pathlib.Path)
p.add_argument('--source', type=pathlib.Path)
p.add_argument('--resume')
p.add_argument('--pause', type=float, default=0)
p.add_argument('--fail', action='store_true')
a = p.parse_args()
a.out.mkdir(exist_ok=True)
with open(a.out.parent / 'calls', 'a') as file:
    file.write(f'{a.text} {a.resume}\\n')
if a.fail:
    sys.exit('a reason')
before = (a.source / 'result').read_text() if a.source else ''
for step in range(3):
    time.sleep(a.pause)
    print(f'Iter(train) [{step + 1}/3]  lr: 1  eta: 0:00:01  time: 1', flush=True)
(a.out / 'iter_3.pth').write_text('x')
(a.out / 'last_checkpoint').write_text('/elsewhere/iter_3.pth')
(a.out / 'result.part').write_text(before + a.text)
os.replace(a.out / 'result.part', a.out / 'result')
"""
RECIPE = """
stages = [
    dict(name='one', command='stages.train', args=['first', '{out}'], inputs=['input']),
    dict(
        name='two',
        command='stages.copy',
        args=['second', '{out}', '--source', '{one}'],
    ),
    dict(name='three', command='stages.copy', args=['{two.checkpoint}', '{out}']),
]
"""


def run(folder, text=None):
    if text is not None:
        (folder / 'recipe.py').write_text(text)
    recipe = read_recipe(folder / 'recipe.py', folder / 'work')
    run_recipe(recipe)
    return recipe


def calls(folder):
    file = folder / 'work' / 'calls'
    text = file.read_text() if file.exists() else ''
    file.unlink(missing_ok=True)
    return text.split('\n')[:-1]


def results(folder):
    files = sorted((folder / 'work').glob('*/result'))
    return {file.parent.name: file.read_text() for file in files}
