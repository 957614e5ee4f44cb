"""Writes ops.json: results, node names and derivatives of operations, and texts of errors, by PyTorch 1.13.

    python3 tests/golden/make_ops.py
"""
import json, math, pathlib
import torch
from torch.nn import functional as F

inf, nan = math.inf, math.nan
T = torch.tensor


def encode(x):
    def number(v):
        return v if not isinstance(v, float) or math.isfinite(v) else "nan" if math.isnan(v) else "inf" if v > 0 else "-inf"
    return {"dtype": str(x.dtype)[6:], "shape": list(x.shape), "data": [number(v) for v in x.detach().flatten().tolist()]}


def values(*shape, dtype=torch.float64):
    """Numbers of three decimals, no two equal, none near 0 or half-way between integers."""
    n = math.prod(shape)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(n)).double()
    return (((order + 0.37) * (3.2 / max(n, 1)) - 1.6).mul(1000).round() / 1000).reshape(shape).to(dtype)


def integers(*shape, below=10):
    return torch.randint(below, shape, generator=torch.Generator().manual_seed(math.prod(shape)))


X, Y, V, S = values(4, 3), values(2, 3, 4), values(5), values()
Z = values(4, 3); Z[1, 2] = 0; Z[3, 0] = 0; Z[3, 1] = 0
I, B = integers(4, 3), integers(4, 3) > 4
ROWS, COLUMNS, MASK = T([2, 0, 2]), T([1, 1, -1]), T([True, False, True, True])
PAIRS = T([[2, 0], [1, 3]])
ODD = T([0.5, 1.5, 2.5, -0.5, -1.5, 2.4, -0.0, inf, -inf, nan], dtype=torch.float32)

# name, function, inputs. Inputs of floating dtype get gradients.
CASES = [
    ("x[rows]", lambda x: x[ROWS], X), ("x[pairs]", lambda x: x[PAIRS], X), ("x[mask]", lambda x: x[MASK], X),
    ("x[x>0]", lambda x: x[x > 0], X), ("x[none]", lambda x: x[torch.zeros(0, dtype=torch.int64)], X),
    ("x[scalar]", lambda x: x[T(-1)], X), ("i[rows]", lambda x: x[ROWS], I), ("b[mask]", lambda x: x[MASK], B),
    ("x[1,2]", lambda x: x[1, 2], X), ("x[:,1]", lambda x: x[:, 1], X), ("x[:,1:3]", lambda x: x[:, 1:3], X),
    ("x[1:3,-2:]", lambda x: x[1:3, -2:], X), ("x[::2]", lambda x: x[::2], X), ("x[:,::2]", lambda x: x[:, ::2], X),
    ("x[3:1]", lambda x: x[3:1], X), ("x[-9:9,1]", lambda x: x[-9:9, 1], X), ("x[rows,columns]", lambda x: x[ROWS, COLUMNS], X),
    ("y[:,rows]", lambda y: y[:, ROWS], Y), ("y[:,rows,1]", lambda y: y[:, ROWS, 1], Y),
    ("y[scalar,:,rows]", lambda y: y[T(1), :, ROWS], Y), ("y[1,:,rows]", lambda y: y[1, :, ROWS], Y),
    ("y[:,1:,rows]", lambda y: y[:, 1:, ROWS], Y), ("y[:,:,mask]", lambda y: y[:, :, MASK], Y),
    ("y[:,pairs-1,1:3]", lambda y: y[:, PAIRS - 1, 1:3], Y), ("y[mask2d]", lambda y: y[T([[True, False, True], [False, True, False]])], Y),
    ("y[-1,1:,::3]", lambda y: y[-1, 1:, ::3], Y),
    ("put column", lambda x, v: (x * 1).index_put_((T([0, 1, 2, 3]), T(1)), v), X, values(4)),
    ("put rows, one value", lambda x, v: (x * 1).index_put_((T([3, 0]),), v), X, values(1)),
    ("put added", lambda x, v: (x * 1).index_put_((ROWS,), v, accumulate=True), X, values(3, 3)),
    ("put mask", lambda x, v: (x * 1).index_put_((MASK,), v), X, values(3, 3)),
    ("put number", lambda x: (x * 1).index_put_((x > 0,), T(7.0, dtype=torch.float64)), X),
    ("chunk 2", lambda x: x.chunk(2), X), ("chunk 3", lambda x: x.chunk(3), X), ("chunk 2, 1", lambda x: x.chunk(2, 1), X),
    ("split 3", lambda x: x.split(3), X), ("split 2, -1", lambda x: x.split(2, -1), X), ("split [1, 3]", lambda x: x.split([1, 3]), X),
    ("split empty", lambda x: x.split(2), values(0, 3)), ("chunk empty", lambda x: x.chunk(2), values(0, 3)),
    ("split [0, 2, 1], 1", lambda x: x.split([0, 2, 1], 1), X), ("unbind", lambda x: x.unbind(), X), ("unbind 1", lambda x: x.unbind(1), X),
    ("index_add 0", lambda x, s: x.index_add(0, ROWS, s), X, values(3, 3)),
    ("index_add 1, alpha", lambda x, s: x.index_add(1, T([2, 0]), s, alpha=2.5), X, values(4, 2)),
    ("index_add int", lambda x, s: x.index_add(0, T([1, 1]), s, alpha=3), I, integers(2, 3)),
    ("scatter_add 0", lambda x, s: x.scatter_add(0, T([[0, 1, 2], [0, 3, 0]]), s), X, values(2, 3)),
    ("scatter_add 1, part", lambda x: x.scatter_add(1, T([[2, 2], [0, 1]]), values(3, 4)), X),
    ("scatter 1", lambda x, s: x.scatter(1, T([[2, 0], [0, 1]]), s), X, values(2, 2)),
    ("scatter number", lambda x: x.scatter(0, T([[0, 3, 2]]), 5), X), ("scatter int", lambda x: x.scatter(0, T([[0, 3, 2]]), 1.7), I),
    ("take_along_dim", lambda x: torch.take_along_dim(x, T([[2, 0], [0, 1], [1, 1], [0, 2]]), 1), X),
    ("take_along_dim broadcast", lambda x: torch.take_along_dim(x, T([[3, 0, 1]]).t(), 0), X),
    ("take_along_dim all", lambda x: torch.take_along_dim(x, T([11, 0, 5])), X),
    ("one_hot", lambda x: F.one_hot(x), T([[2, 0], [1, 2]])), ("one_hot 4", lambda x: F.one_hot(x, 4), T([0, 2])),
    ("one_hot empty", lambda x: F.one_hot(x, 3), torch.zeros(0, dtype=torch.int64)), ("one_hot 0-d", lambda x: F.one_hot(x, 3), T(1)),
    ("b & b", lambda a, b: a & b, B, ~B), ("i & 6", lambda x: x & 6, I), ("i | b", lambda a, b: a | b, I, B), ("i ^ 5", lambda x: x ^ 5, I),
    ("b ^ true", lambda x: x ^ True, B), ("~i", lambda x: ~x, I), ("~b", lambda x: ~x, B), ("b | row", lambda a, b: a | b, B, T([True, False, False])),
    ("logical_and", lambda a, b: torch.logical_and(a, b), T([0., 1., nan]), T([1, 0, 2])),
    ("logical_or", lambda a, b: torch.logical_or(a, b), T([0., 1., nan]), T([False, False, True])),
    ("logical_xor", lambda a, b: torch.logical_xor(a, b), T([0., 1., 0.]), T([[3], [0]])),
    ("where(b, x, 0.)", lambda c, x: torch.where(c, x, 0.), B, X), ("where(b, 1, x)", lambda c, x: torch.where(c, 1, x), B, X),
    ("where(b, i, 0.5)", lambda c, x: torch.where(c, x, 0.5), B, I), ("where(b, 1, 2)", lambda c: torch.where(c, 1, 2), B),
    ("where(b, 1., 2)", lambda c: torch.where(c, 1., 2), B), ("where(row, b, 3)", lambda c, x: torch.where(c, x, 3), T([True, False, False]), B),
    ("maximum(x, 0.5)", lambda x: torch.maximum(x, T(0.5, dtype=torch.float64)), X), ("minimum(0, x)", lambda x: torch.minimum(T(0., dtype=torch.float64), x), X),
    ("sign", torch.sign, X), ("floor", torch.floor, X), ("ceil", torch.ceil, X), ("round", torch.round, X),
    ("sign odd", torch.sign, ODD), ("floor odd", torch.floor, ODD), ("ceil odd", torch.ceil, ODD), ("round odd", torch.round, ODD),
    ("sign int", torch.sign, I - 4), ("sign bool", torch.sign, B), ("floor int", torch.floor, I), ("round 0-d", torch.round, S),
    ("log1p", torch.log1p, X.abs()), ("expm1", torch.expm1, X), ("log1p odd", torch.log1p, ODD), ("expm1 odd", torch.expm1, ODD),
    ("log1p small", torch.log1p, T([1e-12, -1e-12, 1e-300], dtype=torch.float64)), ("expm1 small", torch.expm1, T([1e-12, -1e-12, 1e-300], dtype=torch.float64)),
    ("log1p int", torch.log1p, I), ("expm1 bool", torch.expm1, B),
    ("prod", torch.prod, X), ("prod 1", lambda x: x.prod(1), X), ("prod 0 keep", lambda x: x.prod(0, keepdim=True), X),
    ("prod with zeros", torch.prod, Z), ("prod with zeros 1", lambda x: x.prod(1), Z), ("prod with a zero", lambda x: x.prod(), Z[1]),
    ("prod int", torch.prod, I + 1), ("prod bool 0", lambda x: x.prod(0), B), ("prod empty 0", lambda x: x.prod(0), values(0, 3)),
    ("prod 0-d", torch.prod, S), ("prod middle", lambda x: x.prod(1), Y),
    ("cumsum 0", lambda x: x.cumsum(0), X), ("cumsum 1", lambda x: x.cumsum(1), X), ("cumsum middle", lambda x: x.cumsum(1), Y),
    ("cumsum int", lambda x: x.cumsum(1), I), ("cumsum bool", lambda x: x.cumsum(0), B), ("cumsum 0-d", lambda x: x.cumsum(0), S),
    ("cumsum empty", lambda x: x.cumsum(0), values(0, 3)),
    ("norm", lambda x: x.norm(), X), ("norm 3", lambda x: x.norm(3), X), ("norm 2, 1", lambda x: x.norm(2, 1), X),
    ("norm 1, 0 keep", lambda x: x.norm(1, 0, True), X), ("norm inf, 1", lambda x: x.norm(inf, 1), X), ("norm -inf, 1", lambda x: x.norm(-inf, 1), X),
    ("norm 0, 1", lambda x: x.norm(0, 1), Z), ("norm 0.5, 1", lambda x: x.norm(0.5, 1), X), ("norm 1.5", lambda x: x.norm(1.5), X),
    ("norm 2, (0, 2)", lambda x: x.norm(2, (0, 2)), Y), ("norm of zeros", lambda x: x.norm(2, 1), Z), ("norm of nothing", lambda x: x.norm(2, 0), values(0, 3)),
    ("norm nan inf", lambda x: x.norm(inf), ODD), ("norm nan 2", lambda x: x.norm(), ODD), ("norm 0-d", lambda x: x.norm(), S),
    ("sort", lambda x: x.sort(), X), ("sort 0 descending", lambda x: x.sort(0, True), X), ("sort odd", lambda x: x.sort(), ODD),
    ("sort odd descending", lambda x: x.sort(descending=True), ODD), ("sort int", lambda x: x.sort(1), I), ("sort bool", lambda x: x.sort(0, True), B),
    ("sort double odd", lambda x: x.sort(), ODD.double()), ("sort 0-d", lambda x: x.sort(), S), ("sort empty", lambda x: x.sort(), values(2, 0)),
    ("sort middle", lambda x: x.sort(1), Y), ("argsort", lambda x: x.argsort(0, True), X), ("sort equal", lambda x: x.sort(), T([1, 0, 1, 0, 1])),
    ("topk 2", lambda x: x.topk(2), X), ("topk 3, 0, smallest", lambda x: x.topk(3, 0, False), X), ("topk 0", lambda x: x.topk(0), X),
    ("topk odd", lambda x: x.topk(3), T([nan, 1., -inf, nan, inf])), ("topk odd smallest", lambda x: x.topk(4, largest=False), T([nan, 1., -inf, nan, inf])),
    ("topk int", lambda x: x.topk(2, 1), T([[5, 9, 1], [-3, 4, 2]])), ("topk 0-d", lambda x: x.topk(1), S),
    ("flip 0", lambda x: x.flip(0), X), ("flip 0 2", lambda x: x.flip(0, 2), Y), ("flip none", lambda x: x.flip([]), X), ("flip empty", lambda x: x.flip(1), values(0, 3)),
    ("flip bool", lambda x: x.flip(1), B), ("flip 0-d", lambda x: x.flip(0), S),
    ("outer", torch.outer, V, values(3)), ("outer int", torch.outer, T([1, 2]), T([3, 4, 5])),
    ("bmm", torch.bmm, Y, values(2, 4, 5)), ("bmm empty", torch.bmm, values(0, 3, 4), values(0, 4, 2)), ("bmm inner 0", torch.bmm, values(2, 3, 0), values(2, 0, 2)),
    ("3 @ 2", torch.matmul, Y, values(4, 5)), ("3 @ 3", torch.matmul, Y, values(2, 4, 2)), ("2 @ 3", torch.matmul, values(5, 3), Y),
    ("1 @ 3", torch.matmul, values(3), Y), ("3 @ 1", torch.matmul, Y, values(4)), ("4 @ 3", torch.matmul, values(2, 1, 3, 4), values(5, 4, 2)),
    ("4 @ 2", torch.matmul, values(2, 1, 3, 4), values(4, 2)), ("1,3 @ 3", torch.matmul, values(1, 3, 4), values(2, 4, 2)),
    ("1 @ 4", torch.matmul, values(3), values(2, 2, 3, 4)), ("4 @ 1", torch.matmul, values(2, 2, 3, 4), values(4)), ("0 @ 2", torch.matmul, values(0, 3, 4), values(4, 2)),
    ("3 @ 3, inner 0", torch.matmul, values(2, 3, 0), values(2, 0, 2)), ("3 @ 2, inner 0", torch.matmul, values(2, 3, 0), values(0, 2)),
]


def record(name, f, *inputs):
    leaves = [x.clone().requires_grad_(x.is_floating_point()) for x in inputs]
    results = f(*leaves)
    results = list(results) if isinstance(results, (tuple, list)) else [results]
    case = {"name": name, "inputs": [encode(x) for x in inputs], "outputs": [encode(y) for y in results],
            "grad_fn": [y.grad_fn.name() if y.grad_fn else "" for y in results]}
    tracked = [y for y in results if y.requires_grad]
    if tracked:
        dy = [values(*y.shape, dtype=y.dtype) for y in tracked]
        wanted = [x for x in leaves if x.requires_grad]
        dx = torch.autograd.grad(tracked, wanted, dy, allow_unused=True)
        case |= {"dy": [encode(d) for d in dy], "dx": [None if d is None else encode(d) for d in dx]}
    return case


def rows(*shape):
    return torch.zeros(*shape, dtype=torch.int64)


# name and what is wrong: the exception's type and text are recorded.
ERRORS = [
    ("x[4]", lambda: X[T([4])]), ("x[-5]", lambda: X[T([-5])]), ("x[1.]", lambda: X[T([1.])]), ("x(0, 0, 0)", lambda: X[0, 0, 0]),
    ("x(t, t, t)", lambda: X[T([0]), T([0]), T([0])]), ("short mask", lambda: X[T([True, False])]), ("wide mask", lambda: X[torch.ones(4, 2, dtype=torch.bool)]),
    ("indices that do not broadcast", lambda: X[T([0, 1]), T([0, 1, 2])]), ("x(:, 5)", lambda: X[:, 5]), ("x(5, 0)", lambda: X[5, 0]),
    ("0-d (0)", lambda: S[0]), ("0-d [t]", lambda: S[T(0)]), ("put shape", lambda: X.clone().index_put_((T([0, 1]),), values(5))),
    ("step 0", lambda: X[::0]), ("step -1", lambda: X[::-1]),
    ("chunk 0", lambda: X.chunk(0)), ("split -1", lambda: X.split(-1)), ("split 0", lambda: X.split(0)), ("split sum", lambda: X.split([1, 2])),
    ("split negative", lambda: X.split([-1, 5])), ("chunk 0-d", lambda: S.chunk(1)), ("split 0-d", lambda: S.split(1)), ("unbind 0-d", lambda: S.unbind()),
    ("index_add count", lambda: X.index_add(0, T([0, 1]), values(3, 3))), ("index_add dtype", lambda: X.index_add(0, T([0]), values(1, 3).float())),
    ("index_add index", lambda: X.index_add(0, T([0.]), values(1, 3))), ("index_add range", lambda: X.index_add(0, T([7]), values(1, 3))),
    ("index_add matrix", lambda: X.index_add(0, T([[0]]), values(1, 3))),
    ("scatter_add dtype", lambda: X.scatter_add(1, rows(1, 1), values(1, 1).float())), ("scatter_add range", lambda: X.scatter_add(1, T([[5]]), values(1, 1))),
    ("scatter_add dims", lambda: X.scatter_add(1, T([0]), values(1, 1))), ("scatter_add wide", lambda: X.scatter_add(1, rows(1, 2), values(1, 1))),
    ("scatter_add long", lambda: X.scatter_add(1, rows(9, 1), values(9, 1))), ("scatter_add index", lambda: X.scatter_add(1, T([[0.]]), values(1, 1))),
    ("scatter dtype", lambda: X.scatter(1, rows(1, 1), values(1, 1).float())), ("scatter range", lambda: X.scatter(1, T([[5]]), 1)),
    ("scatter number", lambda: I.scatter(1, rows(1, 1), nan)),
    ("take_along_dim index", lambda: torch.take_along_dim(X, T([[0.]]), 1)), ("take_along_dim dims", lambda: torch.take_along_dim(X, T([0]), 1)),
    ("take_along_dim shape", lambda: torch.take_along_dim(X, rows(3, 1), 1)),
    ("cumsum 2", lambda: X.cumsum(2)), ("prod 3", lambda: X.prod(3)), ("sort 2", lambda: X.sort(2)), ("topk 5", lambda: X.topk(5)), ("topk -1", lambda: X.topk(-1)),
    ("topk bool", lambda: B.topk(1)), ("flip twice", lambda: X.flip(0, 0)), ("flip 2", lambda: X.flip(2)), ("outer self", lambda: X.outer(V)), ("outer vec2", lambda: V.outer(X)),
    ("norm int", lambda: I.norm()), ("norm dim", lambda: X.norm(2, 5)), ("norm twice", lambda: X.norm(2, (0, 0))),
    ("floor bool", lambda: B.floor()), ("float & float", lambda: X & X), ("bool & 1.5", lambda: B & 1.5), ("& shapes", lambda: B & torch.ones(5, dtype=torch.bool)),
    ("bmm first", lambda: X.bmm(Y)), ("bmm second", lambda: Y.bmm(X)), ("bmm batches", lambda: Y.bmm(values(3, 4, 2))), ("bmm inner", lambda: Y.bmm(values(2, 3, 2))),
    ("bmm dtype", lambda: Y.bmm(values(2, 4, 2).float())), ("matmul batches", lambda: Y @ values(3, 4, 2)), ("matmul 3 @ 3", lambda: Y @ values(2, 3, 2)),
    ("matmul 3 @ 2", lambda: Y @ values(3, 2)), ("matmul 3 @ 1", lambda: Y @ values(3)), ("matmul 1 @ 3", lambda: V @ Y), ("matmul 2 @ 3", lambda: values(5, 2) @ Y),
    ("matmul 3 @ 0", lambda: Y @ S), ("matmul dtype", lambda: Y @ values(2, 4, 2).float()),
    ("one_hot small", lambda: F.one_hot(T([0, 2]), 2)), ("one_hot negative", lambda: F.one_hot(T([0, -2]))), ("one_hot float", lambda: F.one_hot(X)),
    ("one_hot nothing", lambda: F.one_hot(rows(0))),
    ("multinomial negative", lambda: torch.multinomial(T([-1., 2.]), 1)), ("multinomial infinite", lambda: torch.multinomial(T([inf, 2.]), 1)),
    ("multinomial nan", lambda: torch.multinomial(T([nan, 2.]), 2)), ("multinomial zero", lambda: torch.multinomial(T([0., 0.]), 1)),
    ("multinomial zero, replaced", lambda: torch.multinomial(T([0., 0.]), 2, True)), ("multinomial negative, replaced", lambda: torch.multinomial(T([-1., 2.]), 2, True)),
    ("multinomial many", lambda: torch.multinomial(T([1., 2.]), 3)), ("multinomial none", lambda: torch.multinomial(T([1., 2.]), 0)),
    ("multinomial int", lambda: torch.multinomial(T([1, 2]), 1)), ("multinomial 3-d", lambda: torch.multinomial(torch.ones(2, 2, 2), 1)),
    ("normal std", lambda: torch.normal(torch.zeros(2), T([1., -1.]))), ("normal shapes", lambda: torch.normal(torch.zeros(2), torch.ones(3))),
    ("normal negative", lambda: torch.normal(0., -1., (2,))), ("normal int", lambda: torch.normal(T([1, 2]), 1.)),
]


def fail(name, f):
    try:
        f()
    except Exception as error:
        return {"name": name, "kind": type(error).__name__, "text": str(error).splitlines()[0]}
    raise AssertionError(name)


WEIGHTS = T([[.1, .2, .3, .4], [1., 0., 2., 3.], [0., 0., 5., 0.]])
DRAWS = [
    ("one of a row", lambda: torch.multinomial(WEIGHTS[0], 1)), ("one, replaced", lambda: torch.multinomial(WEIGHTS[0], 1, True)),
    ("all of a row", lambda: torch.multinomial(WEIGHTS[0], 4)), ("one of each", lambda: torch.multinomial(WEIGHTS, 1)),
    ("two of each of two", lambda: torch.multinomial(WEIGHTS[:2], 2)), ("nine, replaced", lambda: torch.multinomial(WEIGHTS, 9, True)),
    ("doubles", lambda: torch.multinomial(WEIGHTS.double(), 9, True)), ("doubles, distinct", lambda: torch.multinomial(WEIGHTS[:2].double(), 3)),
    ("many", lambda: torch.multinomial(torch.arange(1., 400.), 300)), ("many, replaced", lambda: torch.multinomial(torch.arange(1., 400.), 300, True)),
    ("normal of tensors", lambda: torch.normal(T([[1.], [2.]]), T([.5, 1., 2.]))), ("normal of a mean", lambda: torch.normal(torch.arange(20.), 0.3)),
    ("normal of deviations", lambda: torch.normal(0.25, torch.arange(1., 21.))), ("normal of doubles", lambda: torch.normal(torch.zeros(3, dtype=torch.float64), torch.ones(3))),
    ("normal of a shape", lambda: torch.normal(1.5, 0.5, (3, 6))),
]


def draw(name, f, seed):
    torch.manual_seed(seed)
    return {"name": name, "seed": seed, "result": encode(f()), "next": torch.randint(2 ** 31, ()).item()}


content = {"cases": [record(*case) for case in CASES], "errors": [fail(*error) for error in ERRORS],
           "draws": [draw(*each, seed) for each in DRAWS for seed in (0, 7)]}
path = pathlib.Path(__file__).with_name("ops.json")
with path.open("w") as file:
    file.write("{")
    for k, (key, entries) in enumerate(content.items()):
        file.write(("," if k else "") + f'\n"{key}": [\n' + ",\n".join(json.dumps(e, separators=(",", ":")) for e in entries) + "\n]")
    file.write("\n}\n")
