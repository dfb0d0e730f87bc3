"""``python -m tcptrace_py.views.cli``: the command without an installation."""

from tcptrace_py.views.cli import main

main()
