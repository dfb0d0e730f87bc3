"""Every input of the list has a test here: functions are named for the numbers they make."""

import ast
import re
from pathlib import Path

ELSEWHERE = {42}  # archives
NAME = re.compile(r"test((?:_\d\d)+)_")


def test_every_number_has_a_test():
    named = set()
    for path in Path(__file__).parent.glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            found = NAME.match(node.name) if isinstance(node, ast.FunctionDef) else None
            named |= {int(number) for number in found[1].split("_")[1:]} if found else set()
    assert named == set(range(1, 53)) - ELSEWHERE
