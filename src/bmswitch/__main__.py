"""`python -m bmswitch` is `bmswitch`."""

from bmswitch.cli.main import main

main()
