"""``mmseg-spml train`` as MMSegmentation's users know it: ``tools/train.py --help``."""

import sys

from mmseg_spml.cli.main import main

if __name__ == '__main__':
    main(['train', *sys.argv[1:]], prog_name='mmseg-spml')
