"""``python -m mmseg_spml`` is the command ``mmseg-spml``."""

from mmseg_spml.cli.main import main

if __name__ == '__main__':
    main()
