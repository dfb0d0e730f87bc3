"""Spoilt captures, each made from a number: `mutant(seed)` gives the same bytes again, on every machine.

Half of them are sound containers with spoilt packets (`frames`), half are spoilt containers (`files`).  Where the
reference folder is, its small captures are material too; so a seed means the same only with the same folder.
"""

from __future__ import annotations

import random
from typing import NamedTuple

from tests.spoiling import files, frames


class Mutant(NamedTuple):
    """One spoilt capture, and what it was made from."""

    kind: str
    data: bytes


def mutant(seed: int) -> Mutant:
    """The spoilt capture of this number."""
    chance = random.Random(seed)
    return Mutant(*(frames.spoilt(chance) if chance.random() < 0.5 else files.spoilt(chance)))
