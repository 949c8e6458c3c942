"""Scalper: `python3 main.py` trades on paper. Standard library only until the environment with the packages exists."""

import signal
import sys

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # until somebody can say a sentence, Ctrl-C ends without a trace

if sys.version_info < (3, 11):
    print("scalper: Python 3.11 or newer is needed, this is %d.%d" % sys.version_info[:2], file=sys.stderr)
    sys.exit(2)

from interface.commands.dispatch import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
