"""Straight-line functions of rows -> vector instructions, without a compiler's search for loops to vectorise.

A function under :func:`over_rows` assigns numbers to names and reads and writes ``work[row]``, where a row stands for
many numbers. Its source is translated operation by operation into LLVM's vector instructions, for as many numbers at
once as the kernel works on side by side; numba would take ten times as long, nearly all of it to find out that every
name is a float. Functions that it calls become part of it.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import operator
import textwrap
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numba as nb
from llvmlite import ir
from numba.extending import intrinsic

from simulator.kernel.vectormath import FASTMATH, fma
from simulator.kernel.workspace import CACHE_LINE

DOUBLE, INTEGER, BIT = ir.DoubleType(), ir.IntType(64), ir.IntType(1)
FLAGS = tuple(sorted(FASTMATH))

_PLAIN = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.Pow: operator.pow,
}
_FLOATING = {ast.Add: "fadd", ast.Sub: "fsub", ast.Mult: "fmul", ast.Div: "fdiv"}
_WHOLE = {ast.Add: "add", ast.Sub: "sub", ast.LShift: "shl", ast.RShift: "ashr"}
_COMPARED = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "=="}


def over_rows(numbers: int, together: int, stride: int) -> Callable[[Callable[..., Any]], Any]:
    """Turn a straight-line function of ``work`` into compiled code that does it for many numbers.

    Parameters
    ----------
    numbers : int
        How many numbers from the beginning of a row on; a multiple of `together`.
    together : int
        How many of them at once.
    stride : int
        Numbers in a row.
    """

    def decorated(function: Callable[..., Any]) -> Any:
        @intrinsic
        def call(typing_context: Any, work: Any) -> Any:
            def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
                data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
                compiled = _function(builder.module, function, numbers, together, stride)
                builder.call(compiled, [builder.bitcast(data, DOUBLE.as_pointer())])
                return context.get_dummy_value()

            return nb.void(work), generate

        return call

    return decorated


def _function(module: Any, function: Callable[..., Any], numbers: int, together: int, stride: int) -> Any:
    """LLVM function of a pointer to the workspace."""
    name = f"rows_{function.__name__}"
    if name in module.globals:
        return module.globals[name]
    compiled = ir.Function(module, ir.FunctionType(ir.VoidType(), [DOUBLE.as_pointer()]), name)
    compiled.linkage = "internal"
    for attribute in ("noinline", "nounwind"):
        compiled.attributes.add(attribute)
    begin, loop, end = (compiled.append_basic_block(name) for name in ("begin", "loop", "end"))
    ir.IRBuilder(begin).branch(loop)
    builder = ir.IRBuilder(loop)
    place = builder.phi(INTEGER)
    place.add_incoming(INTEGER(0), begin)
    _Translation(builder, together, compiled.args[0], place, stride).body(function, {})
    following = builder.add(place, INTEGER(together))
    place.add_incoming(following, builder.block)
    builder.cbranch(builder.icmp_unsigned("<", following, INTEGER(numbers)), loop, end)
    ir.IRBuilder(end).ret_void()
    return compiled


class _Translation:
    """Translation of one loop; values are vectors, or Python numbers where they are constants."""

    def __init__(self, builder: Any, together: int, base: Any, place: Any, stride: int) -> None:
        self.builder, self.together, self.base, self.place, self.stride = builder, together, base, place, stride
        self.kind = {kind: ir.VectorType(kind, together) for kind in (DOUBLE, INTEGER, BIT)}
        self.aligned = min(CACHE_LINE, 8 * together)

    def body(self, function: Callable[..., Any], names: dict[str, Any]) -> Any:
        """Execute a function's statements; return what it returns."""
        known = {**vars(builtins), **function.__globals__, **inspect.getclosurevars(function).nonlocals}
        for statement in _parsed(function).body:
            if isinstance(statement, ast.Return):
                return self.value(statement.value, names, known) if statement.value is not None else None
            if isinstance(statement, ast.Assign):
                self._assign(statement.targets[0], self.value(statement.value, names, known), names, known)
            elif not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)):
                raise NotImplementedError(ast.unparse(statement))
        return None

    def _assign(self, target: Any, value: Any, names: dict[str, Any], known: Mapping[str, Any]) -> None:
        if isinstance(target, ast.Tuple):
            for part, item in zip(target.elts, value, strict=True):
                self._assign(part, item, names, known)
        elif isinstance(target, ast.Subscript):
            self.builder.store(self.floating(value), self._row(target, known), align=self.aligned)
        else:
            names[target.id] = value

    def _row(self, node: Any, known: Mapping[str, Any]) -> Any:
        """Pointer to the vector of a row."""
        row = self.value(node.slice, {}, known)
        start = self.builder.add(self.place, INTEGER(row * self.stride))
        return self.builder.bitcast(
            self.builder.gep(self.base, [start], source_etype=DOUBLE), self.kind[DOUBLE].as_pointer()
        )

    def value(self, node: Any, names: Mapping[str, Any], known: Mapping[str, Any]) -> Any:
        """Value of an expression."""
        return getattr(self, f"_{type(node).__name__}")(node, names, known)

    def _Constant(self, node: Any, names: Any, known: Any) -> Any:
        return node.value

    def _Name(self, node: Any, names: Any, known: Any) -> Any:
        return names[node.id] if node.id in names else known[node.id]

    def _Attribute(self, node: Any, names: Any, known: Any) -> Any:
        return getattr(self.value(node.value, names, known), node.attr)

    def _Tuple(self, node: Any, names: Any, known: Any) -> Any:
        return [self.value(part, names, known) for part in node.elts]

    def _Subscript(self, node: Any, names: Any, known: Any) -> Any:
        return self.builder.load(self._row(node, known), align=self.aligned, typ=self.kind[DOUBLE])

    def _UnaryOp(self, node: Any, names: Any, known: Any) -> Any:
        value = self.value(node.operand, names, known)
        if not isinstance(node.op, ast.USub) or self._is_whole(value):
            raise NotImplementedError(ast.unparse(node))
        return -value if isinstance(value, (int, float)) else self.builder.fneg(value, flags=FLAGS)

    def _BinOp(self, node: Any, names: Any, known: Any) -> Any:
        left, right = (self.value(side, names, known) for side in (node.left, node.right))
        if isinstance(left, (int, float)) and isinstance(right, (int, float)):
            return _PLAIN[type(node.op)](left, right)
        if self._is_whole(left) or self._is_whole(right):
            return getattr(self.builder, _WHOLE[type(node.op)])(self._whole(left), self._whole(right))
        return getattr(self.builder, _FLOATING[type(node.op)])(self.floating(left), self.floating(right), flags=FLAGS)

    def _Compare(self, node: Any, names: Any, known: Any) -> Any:
        if len(node.ops) > 1:
            raise NotImplementedError(ast.unparse(node))
        left, right = (self.floating(self.value(side, names, known)) for side in (node.left, node.comparators[0]))
        return self.builder.fcmp_ordered(_COMPARED[type(node.ops[0])], left, right)

    def _IfExp(self, node: Any, names: Any, known: Any) -> Any:
        condition, above, below = (self.value(part, names, known) for part in (node.test, node.body, node.orelse))
        return self.builder.select(condition, self.floating(above), self.floating(below))

    def _Call(self, node: Any, names: Any, known: Any) -> Any:
        if node.keywords:
            raise NotImplementedError(ast.unparse(node))
        arguments = [self.value(a, names, known) for a in node.args]
        if isinstance(node.func, ast.Attribute) and node.func.attr == "view":
            wanted = INTEGER if node.args[0].attr == "int64" else DOUBLE
            value = self.value(node.func.value, names, known)
            return self.builder.bitcast(value if self._is_whole(value) else self.floating(value), self.kind[wanted])
        called = self.value(node.func, names, known)
        if called is fma:
            return self._fused(*map(self.floating, arguments))
        if called is abs:
            return self._intrinsic("llvm.fabs", self.floating(arguments[0]))
        if inspect.isclass(called):  # float, np.float64 and np.int64 say what a value is already
            return arguments[0]
        inner = getattr(called, "py_func", called)
        return self.body(inner, dict(zip(inspect.signature(inner).parameters, arguments, strict=True)))

    def _fused(self, *arguments: Any) -> Any:
        return self._intrinsic("llvm.fmuladd", *arguments)

    def _intrinsic(self, name: str, *arguments: Any) -> Any:
        vector = self.kind[DOUBLE]
        kind = ir.FunctionType(vector, [vector] * len(arguments))
        declared = self.builder.module.declare_intrinsic(f"{name}.v{self.together}f64", (), kind)
        return self.builder.call(declared, arguments, fastmath=FLAGS)

    def _is_whole(self, value: Any) -> bool:
        return getattr(value, "type", None) == self.kind[INTEGER]

    def _whole(self, value: Any) -> Any:
        return self._splat(INTEGER, value) if isinstance(value, int) else value

    def floating(self, value: Any) -> Any:
        """A value as a vector of floats."""
        if isinstance(value, (int, float)):
            return self._splat(DOUBLE, float(value))
        if value.type == self.kind[BIT]:
            return self.builder.uitofp(value, self.kind[DOUBLE])
        return value

    def _splat(self, kind: Any, number: float) -> Any:
        return ir.Constant(self.kind[kind], [ir.Constant(kind, number)] * self.together)


@cache
def _parsed(function: Callable[..., Any]) -> Any:
    """Syntax tree of a function."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    assert isinstance(tree, ast.FunctionDef)
    return tree
