"""`python -m strowger` is the `strowger` command."""

from strowger.cli.main import main

main()
