"""`python -m midspec` is the `midspec` command."""

from midspec.cli import main

main()
