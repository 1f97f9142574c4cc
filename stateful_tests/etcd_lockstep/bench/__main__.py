"""`python -m etcd_lockstep.bench`."""

import sys

from etcd_lockstep.bench.cli import main

if __name__ == "__main__":
    sys.exit(main())
