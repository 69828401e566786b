"""Expressions -> statements: straight-line code with common subexpressions eliminated.

The printed names ``exp``, ``log``, ``bern_value``, ``bern_slope`` and ``choose`` refer to the functions that the
generated module imports: compiled ones in the kernel, array functions in the module ``arrays``.
"""

from __future__ import annotations

from collections.abc import Sequence

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
    out = [e.xreplace(replaced) for e in expressions]
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


def hoist(expressions: list[sp.Expr], constants: set[str]) -> tuple[dict[str, sp.Expr], list[sp.Expr]]:
    """Hoist subexpressions of constants only, so that a division by a parameter is done once per step."""
    names: dict[sp.Expr, sp.Symbol] = {}

    def is_constant(e: sp.Expr) -> bool:
        return all(s.name in constants for s in e.free_symbols)

    def named(e: sp.Expr) -> sp.Expr:
        if e.is_Atom or e.could_extract_minus_sign():
            return -named(-e) if e.could_extract_minus_sign() and not e.is_Atom else e
        return names.setdefault(e, sp.Symbol(f"p{len(names)}", positive=True))

    def walk(e: sp.Expr) -> sp.Expr:
        if e.is_Atom:
            return e
        if is_constant(e):
            return named(e)
        if e.is_Mul:
            number, factors = e.as_coeff_mul()
            fixed = [f for f in factors if is_constant(f)]
            return sp.Mul(number, named(sp.Mul(*fixed)), *(walk(f) for f in factors if f not in fixed))
        return e.func(*map(walk, e.args))

    rewritten = [walk(e) for e in expressions]
    return {symbol.name: e for e, symbol in names.items()}, rewritten


def statements(
    definitions: dict[str, sp.Expr], expressions: Sequence[sp.Expr], names: Sequence[str], constants: set[str]
) -> list[str]:
    """Return statements that assign `expressions` to `names`, preceded by the definitions they use.

    Subexpressions that occur several times, or that depend only on `constants`, get a temporary name.
    """
    needed: dict[str, sp.Expr] = {}
    wanted = {s.name for e in expressions for s in e.free_symbols}
    for name in reversed(definitions):
        if name in wanted:
            needed[name] = definitions[name]
            wanted |= {s.name for s in definitions[name].free_symbols}
    needed = dict(reversed(needed.items()))
    hoisted, rewritten = hoist(numeric_form([*needed.values(), *expressions]), constants)
    temporaries, reduced = sp.cse([*hoisted.values(), *rewritten], symbols=sp.numbered_symbols("t"), order="canonical")
    needed = dict.fromkeys([*hoisted, *needed], sp.Integer(0))
    values = dict(zip([*needed, *names], reduced, strict=True))
    lines: list[str] = []
    # A temporary is written just before its first use, so that definitions come as early as possible.
    pending = {t.name: value for t, value in temporaries}

    def write(name: str, value: sp.Expr) -> None:
        for used in sorted(s.name for s in value.free_symbols):
            if used in pending:
                write(used, pending.pop(used))
            elif used in unwritten:
                unwritten.remove(used)
                write(used, values[used])
        lines.append(f"    {name} = {PRINTER.doprint(value)}")

    unwritten = list(needed)
    while unwritten:
        name = unwritten.pop(0)
        write(name, values[name])
    for name in names:
        write(name, values[name])
    return lines
