"""``mmseg-spml test`` as MMSegmentation's users know it: ``tools/test.py --help``."""

import sys

from mmseg_spml.cli.main import main

if __name__ == '__main__':
    main(['test', *sys.argv[1:]], prog_name='mmseg-spml')
