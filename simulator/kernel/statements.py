"""Expressions -> statements: straight-line code with common subexpressions eliminated.

The printed names ``exp``, ``log``, ``sin``, ``cos``, ``bern_value``, ``bern_slope`` and ``choose`` refer to the
functions that the generated module imports: compiled ones in the kernel, array functions in the module ``arrays``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import sympy as sp
from sympy.printing.pycode import PythonCodePrinter

from simulator.physics.special import bern_symbol

BERN_VALUE = sp.Function("bern_value")
BERN_SLOPE = sp.Function("bern_slope")


class KernelPrinter(PythonCodePrinter):
    """Printer that writes small powers as multiplications and uses this project's function names."""

    def _print_Pow(self, expr: sp.Pow, rational: bool = False) -> str:
        base, power = expr.as_base_exp()
        if power.is_Integer and 1 < abs(int(power)) <= 8:
            factor = self.parenthesize(base, sp.printing.precedence.PRECEDENCE["Pow"])
            product = "*".join([factor] * abs(int(power)))
            return f"({product})" if power > 0 else f"(1.0/({product}))"
        if power == -1:
            return f"(1.0/{self.parenthesize(base, sp.printing.precedence.PRECEDENCE['Pow'])})"
        return f"exp({self._print(power)}*log({self._print(base)}))"

    def _print_exp(self, expr: sp.exp) -> str:
        return f"exp({self._print(expr.args[0])})"

    def _print_log(self, expr: sp.log) -> str:
        return f"log({self._print(expr.args[0])})"

    def _print_sin(self, expr: sp.sin) -> str:
        return f"sin({self._print(expr.args[0])})"

    def _print_cos(self, expr: sp.cos) -> str:
        return f"cos({self._print(expr.args[0])})"

    def _print_Integer(self, expr: sp.Integer) -> str:
        return f"{int(expr)}.0"

    def _print_Rational(self, expr: sp.Rational) -> str:
        return f"({expr.p}.0/{expr.q}.0)"

    def _print_Half(self, expr: sp.Rational) -> str:
        return "0.5"

    def _print_Pi(self, expr: sp.Expr) -> str:
        return repr(float(sp.pi))


PRINTER = KernelPrinter(
    {
        "fully_qualified_modules": False,
        "user_functions": {"bern_value": "bern_value", "bern_slope": "bern_slope", "choose": "choose"},
    }
)


def numeric_form(expressions: Sequence[sp.Expr]) -> list[sp.Expr]:
    """Replace special functions by their numeric forms, with as few exponentials as possible."""
    bern = bern_symbol()
    arguments = {f.args[0] for e in expressions for f in e.atoms(bern)}
    replaced: dict[sp.Expr, sp.Expr] = {}
    for x in sorted(arguments, key=sp.default_sort_key):
        mirrored = -x in arguments and x.could_extract_minus_sign()
        base = -x if mirrored else x
        value = BERN_VALUE(base, sp.exp(base))
        slope = BERN_SLOPE(base, value)
        if mirrored:  # B(-x) = e^x B(x), free of cancellation
            value, slope = sp.exp(base) * value, -sp.exp(base) * (value + slope)
        replaced[bern(x, 0)] = value
        replaced[bern(x, 1)] = slope
    out = list(expressions)
    while any(e.has(bern) for e in out):  # an argument may contain the function, too
        out = [e.xreplace(replaced) for e in out]
    return _share_exponentials(out)


def _share_exponentials(expressions: list[sp.Expr]) -> list[sp.Expr]:
    """Write ``exp(-x)``, ``exp(2 x)`` as powers of ``exp(x)`` where both occur."""
    powers: dict[sp.Expr, set[sp.Rational]] = {}
    for e in expressions:
        for f in e.atoms(sp.exp):
            number, rest = f.args[0].as_coeff_Mul()
            powers.setdefault(rest, set()).add(number)
    replaced: dict[sp.Expr, sp.Expr] = {}
    for rest, numbers in powers.items():
        base = min(numbers, key=lambda c: (abs(c), -c))
        if len(numbers) > 1 and all((c / base).is_Integer for c in numbers):
            replaced |= {
                sp.exp(c * rest): sp.Pow(sp.exp(base * rest), c / base, evaluate=False) for c in numbers if c != base
            }
    for _ in range(2):  # exponentials are nested at most once
        expressions = [e.xreplace(replaced) for e in expressions]
    return expressions


class Statements:
    """Statements that assign expressions to names.

    Subexpressions that depend on constants only are taken out, so that they are computed once for many steps; those
    that occur several times in a group get a temporary name.

    Parameters
    ----------
    definitions : mapping of str to Expr
        What expressions may use, each in terms of earlier ones.
    constants : set of str
        Names of constants; if there are none, nothing is taken out.
    """

    def __init__(self, definitions: Mapping[str, sp.Expr], constants: set[str]) -> None:
        self.definitions, self.constants = definitions, constants
        self._constant: dict[sp.Expr, sp.Symbol] = {}
        self._temporaries = sp.numbered_symbols("t")

    def of(self, groups: Iterable[Mapping[str, sp.Expr]]) -> list[str]:
        """Statements for groups of expressions by name, preceded by those for the definitions they use."""
        groups = [dict(group) for group in groups]
        needed = self._needed(e for group in groups for e in group.values())
        return [line for group in ([needed] if needed else []) + groups for line in self._group(group)]

    @property
    def constant_names(self) -> list[str]:
        """Names of the subexpressions taken out so far."""
        return [symbol.name for symbol in self._constant.values()]

    def of_constants(self) -> list[str]:
        """Statements for the subexpressions taken out so far."""
        values = {symbol.name: e for e, symbol in self._constant.items()}
        shared, reduced = sp.cse(list(values.values()), symbols=sp.numbered_symbols("s"), order="canonical")
        return _ordered(dict(zip(values, reduced, strict=True)), {t.name: value for t, value in shared})

    def _needed(self, expressions: Iterable[sp.Expr]) -> dict[str, sp.Expr]:
        """Definitions that expressions use, directly or not, in order."""
        needed: dict[str, sp.Expr] = {}
        wanted = {s.name for e in expressions for s in e.free_symbols}
        for name in reversed(list(self.definitions)):
            if name in wanted:
                needed[name] = self.definitions[name]
                wanted |= {s.name for s in needed[name].free_symbols}
        return dict(reversed(needed.items()))

    def _group(self, group: Mapping[str, sp.Expr]) -> list[str]:
        rewritten = [self._without_constants(e) for e in numeric_form(list(group.values()))]
        shared, reduced = sp.cse(rewritten, symbols=self._temporaries, order="canonical")
        return _ordered(dict(zip(group, reduced, strict=True)), {t.name: value for t, value in shared})

    def _is_constant(self, e: sp.Expr) -> bool:
        return bool(self.constants) and all(s.name in self.constants for s in e.free_symbols)

    def _named(self, e: sp.Expr) -> sp.Expr:
        if e.is_Atom:
            return e
        if e.could_extract_minus_sign():
            return -self._named(-e)
        return self._constant.setdefault(e, sp.Symbol(f"p{len(self._constant)}", positive=True))

    def _without_constants(self, e: sp.Expr) -> sp.Expr:
        if e.is_Atom:
            return e
        if self._is_constant(e):
            return self._named(e)
        if e.is_Mul:
            number, factors = e.as_coeff_mul()
            fixed = [f for f in factors if self._is_constant(f)]
            others = (self._without_constants(f) for f in factors if f not in fixed)
            return sp.Mul(number, self._named(sp.Mul(*fixed)), *others)
        return e.func(*map(self._without_constants, e.args))


def _ordered(values: Mapping[str, sp.Expr], temporaries: dict[str, sp.Expr]) -> list[str]:
    """Statements for values by name; each temporary just before its first use."""
    lines: list[str] = []
    unwritten = dict(values)

    def write(name: str, value: sp.Expr) -> None:
        for used in sorted(s.name for s in value.free_symbols):
            if used in temporaries:
                write(used, temporaries.pop(used))
            elif used in unwritten:
                write(used, unwritten.pop(used))
        lines.append(f"{name} = {PRINTER.doprint(value)}")

    while unwritten:
        name = next(iter(unwritten))
        write(name, unwritten.pop(name))
    return lines


def weighted(terms: Iterable[tuple[int, str]]) -> str:
    """Text of a sum of names with whole weights."""
    text = ""
    for number, name in terms:
        sign = "-" if number < 0 else "+" if text else ""
        factor = "" if abs(number) == 1 else f"{abs(number)}.0*"
        text += f" {sign} {factor}{name}" if text else f"{sign}{factor}{name}"
    return text or "0.0"


def fused(terms: Iterable[tuple[str, str]]) -> str:
    """Text of a sum of products, as fused multiply-adds."""
    text = ""
    for a, b in terms:
        text = f"fma({a}, {b}, {text})" if text else f"{a} * {b}"
    return text or "0.0"
