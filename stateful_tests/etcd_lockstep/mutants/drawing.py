"""Which mutants there are, by cosmic-ray, and a seeded sample of them."""

from __future__ import annotations

import ast
import difflib
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

from etcd_lockstep.mutants.mutant import Mutant, source_path

_LEFT_OUT = frozenset({"RemoveDecorator"})
"""Kinds of operators whose mutants mostly fail at import, and so say nothing of the tests."""
_IDENTITY = ("_Is", "_IsNot")
"""How operators end that compare identities: of equal numbers and texts these are often the same, but need not be."""


@dataclass(frozen=True, slots=True)
class _Place:
    module: str
    operator: str
    occurrence: int


def sample(modules: Sequence[str], number: int, seed: int) -> Iterator[Mutant]:
    """So many mutants of these modules, or all, in an order that the seed decides. Of what one kind of operator can do
    at one place, one is drawn; what changes an annotation or a docstring only is left out."""
    dice = random.Random(seed)
    places = [dice.choice(group) for module in modules for group in _places(module)]
    dice.shuffle(places)
    drawn = 0
    for place in places:
        if drawn == number:
            return
        mutant = _mutant(place)
        if mutant is not None:
            drawn += 1
            yield mutant


def _places(module: str) -> list[list[_Place]]:
    """By kind of operator and position."""
    tree = get_ast(source_path(module).read_text(encoding="utf-8"))
    nodes = list(ast_nodes(tree))
    found: dict[tuple[str, object], list[_Place]] = {}
    for name in operator_names():
        kind = name.rpartition("/")[2].split("_")[0]
        operator = get_operator(name)
        if operator.arguments() or kind in _LEFT_OUT or name.endswith(_IDENTITY):
            continue
        positions = (position for node in nodes for position in operator().mutation_positions(node))
        for occurrence, position in enumerate(positions):
            found.setdefault((kind, position), []).append(_Place(module, name, occurrence))
    return list(found.values())


def _mutant(place: _Place) -> Mutant | None:
    source = source_path(place.module).read_text(encoding="utf-8")
    mutated = mutate_code(source, get_operator(place.operator)(), place.occurrence)
    if mutated is None or _what_runs(mutated) == _what_runs(source):
        return None
    old, new = source.splitlines(), mutated.splitlines()
    changes = [
        change for change in difflib.SequenceMatcher(a=old, b=new, autojunk=False).get_opcodes() if change[0] != "equal"
    ]
    first, last = changes[0], changes[-1]
    operator = place.operator.rpartition("/")[2]
    return Mutant(place.module, operator, first[1] + 1, tuple(old[first[1] : last[2]]), tuple(new[first[3] : last[4]]))


class _Stripper(ast.NodeTransformer):
    """Takes out what nothing reads at run time."""

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        self.generic_visit(node)
        node.annotation = ast.Constant(None)
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        node.returns = None
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        return None if isinstance(node.value, ast.Constant) else self.generic_visit(node)


def _what_runs(source: str) -> str:
    try:
        return ast.dump(_Stripper().visit(ast.parse(source)))
    except SyntaxError:
        return source
