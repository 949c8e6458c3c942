"""Scalper: `python3 main.py` trades on paper. Standard library only until the environment with the packages exists."""

import sys

if sys.version_info < (3, 11):
    print("scalper: Python 3.11 or newer is needed, this is %d.%d" % sys.version_info[:2], file=sys.stderr)
    sys.exit(2)

from interface.commands.dispatch import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
