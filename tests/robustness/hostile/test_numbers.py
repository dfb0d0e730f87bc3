"""Every input of the list has a test: functions are named for the numbers (``test_06_``, ``test_hostile_64_``).

1 to 52 and what is about `analyze` stand here, the floods (53 to 62) in test_floods, archives and batches elsewhere.
"""

import ast
import re
from pathlib import Path

TESTS = Path(__file__).resolve().parents[2]
PLACES = ("robustness/hostile", "robustness", "unit")
NAME = re.compile(r"test(?:_hostile)?((?:_\d\d)+)_")


def test_every_number_has_a_test():
    named = set()
    for path in (path for place in PLACES for path in (TESTS / place).glob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            found = NAME.match(node.name) if isinstance(node, ast.FunctionDef) else None
            named |= {int(number) for number in found[1].split("_")[1:]} if found else set()
    assert named == set(range(1, 70))
