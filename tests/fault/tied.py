"""Imported first by the process from which workers are forked: it ends with the harness, kill -9 included, and they with it.

Not for anybody else: importing it is what ties.
"""

import os

from cli.embedded import die_with_parent

if (tie := die_with_parent(os.getppid())) is not None:
    tie()
