"""`python -m uptake`: the command line."""

from uptake.cli import main

main()
