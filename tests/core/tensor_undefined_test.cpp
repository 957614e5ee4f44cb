// Whatever is done with a tensor that is not there, the error names the operation.
#include "errors.hpp"
#include "paths.hpp"

#include <gradus/core/autograd.hpp>
#include <gradus/core/data.hpp>
#include <gradus/core/dot.hpp>
#include <gradus/core/gradcheck.hpp>
#include <gradus/core/random.hpp>

#include <algorithm>
#include <fstream>
#include <regex>
#include <set>

namespace gradus::test {
namespace {

class Undefined : public testing::Test {
 protected:
  template <class F>
  void refuses(const std::string& op, F f) {
    named.insert(op);
    try {
      f();
      ADD_FAILURE() << op << ": nothing was thrown";
    } catch (const RuntimeError& error) {
      const std::string text = error.what();
      EXPECT_EQ(text.substr(0, op.size() + 2), op + ": ") << text;
      EXPECT_NE(text.find("is undefined (default-constructed or moved from)\ngrad() of a tensor is undefined until"),
                std::string::npos)
          << text;
    }
  }
  /// Every function that a header declares with this pattern was called.
  void expect_all_named(const std::string& header, const std::string& pattern, const std::set<std::string>& except) {
    std::ifstream file(source_path(header));
    const std::regex declaration(pattern);
    int found = 0;
    for (std::string line; std::getline(file, line);) {
      std::smatch name;
      if (!std::regex_search(line, name, declaration) || except.contains(name[1])) continue;
      EXPECT_TRUE(named.contains(name[1])) << name[1];
      ++found;
    }
    EXPECT_GT(found, 30);
  }

  std::set<std::string> named;
  Tensor u;
  const Tensor x = ones({2, 2}), v = ones({2}), mask = tensor({true, false});
  const Tensor rows = tensor({0, 1}), places = tensor({{0, 1}, {1, 0}});
};

// of the function `op` with these arguments
#define REFUSES(op, ...) refuses(#op, [&] { op(__VA_ARGS__); })

TEST_F(Undefined, IsRefusedByEveryFunctionOfOps) {
#define UNARY(op) REFUSES(op, u)
#define BINARY(op) REFUSES(op, u, x), REFUSES(op, x, u), REFUSES(op, u, u)
  BINARY(add), BINARY(sub), BINARY(mul), BINARY(div), BINARY(pow), BINARY(maximum), BINARY(minimum);
  REFUSES(add, u, 1), REFUSES(sub, u, 1), REFUSES(mul, u, 1), REFUSES(div, u, 1), REFUSES(rsub, 1, u);
  REFUSES(rdiv, 1, u), REFUSES(pow, u, 2), REFUSES(pow, 2, u), REFUSES(maximum, u, 1), REFUSES(maximum, 1, u);
  REFUSES(minimum, u, 1), REFUSES(minimum, 1, u);
  UNARY(neg), UNARY(abs), UNARY(square), UNARY(sqrt), UNARY(rsqrt), UNARY(reciprocal), UNARY(exp), UNARY(log);
  UNARY(log1p), UNARY(expm1), UNARY(sin), UNARY(cos), UNARY(erf), UNARY(tanh), UNARY(sigmoid), UNARY(relu);
  UNARY(leaky_relu), UNARY(gelu), UNARY(softplus), UNARY(sign), UNARY(floor), UNARY(ceil), UNARY(round);
  REFUSES(clamp, u, 0, 1);
  BINARY(eq), BINARY(ne), BINARY(lt), BINARY(le), BINARY(gt), BINARY(ge), BINARY(equal), BINARY(allclose);
  UNARY(isnan), UNARY(isfinite), BINARY(logical_and), BINARY(logical_or), BINARY(logical_xor), UNARY(logical_not);
  REFUSES(where, u, x, x), REFUSES(where, mask, u, x), REFUSES(where, mask, x, u), REFUSES(where, mask, u, 1);
  REFUSES(where, mask, 1, u), REFUSES(where, u, 1, 2);
  UNARY(sum), UNARY(mean), UNARY(var), UNARY(prod), UNARY(norm), UNARY(max), UNARY(min), UNARY(argmax), UNARY(argmin);
  UNARY(all), UNARY(any), REFUSES(sum, u, 0), REFUSES(mean, u, 0), REFUSES(var, u, 0), REFUSES(prod, u, 0);
  refuses("std", [&] { u.std(); }), refuses("std", [&] { u.std(0); }), refuses("var", [&] { u.var(false); });
  REFUSES(norm, u, 2, 0), REFUSES(max, u, 0), REFUSES(min, u, 0), REFUSES(argmax, u, 0), REFUSES(argmin, u, 0);
  REFUSES(all, u, 0), REFUSES(any, u, 0), REFUSES(cumsum, u, 0), UNARY(sort), UNARY(argsort), REFUSES(topk, u, 1);
  REFUSES(logsumexp, u, 0), REFUSES(softmax, u, 0), REFUSES(log_softmax, u, 0);
  REFUSES(reshape, u, 1), REFUSES(view, u, 1), UNARY(flatten), UNARY(squeeze), REFUSES(squeeze, u, 0);
  REFUSES(unsqueeze, u, 0), REFUSES(transpose, u, 0, 1), UNARY(t), REFUSES(permute, u, 0), REFUSES(expand, u, 1);
  REFUSES(flip, u, 0), REFUSES(cat, {x, u}), REFUSES(cat, {u, x}), REFUSES(stack, {x, u}), REFUSES(stack, {u, x});
  REFUSES(chunk, u, 1), REFUSES(split, u, 1), REFUSES(split, u, std::vector<std::int64_t>{1}), UNARY(unbind);
  REFUSES(select, u, 0, 0), REFUSES(narrow, u, 0, 0, 1), REFUSES(index_select, u, 0, rows);
  REFUSES(index_select, x, 0, u), REFUSES(gather, u, 0, places), REFUSES(gather, x, 0, u), BINARY(take_along_dim);
  REFUSES(take_along_dim, u, places, 0), REFUSES(take_along_dim, x, u, 0), REFUSES(index_add, u, 0, rows, x);
  REFUSES(index_add, x, 0, u, x), REFUSES(index_add, x, 0, rows, u), REFUSES(scatter_add, u, 0, places, x);
  REFUSES(scatter_add, x, 0, u, x), REFUSES(scatter_add, x, 0, places, u), REFUSES(scatter, u, 0, places, x);
  REFUSES(scatter, x, 0, u, x), REFUSES(scatter, x, 0, places, u), REFUSES(scatter, u, 0, places, 1);
  REFUSES(scatter, x, 0, u, 1), UNARY(one_hot), REFUSES(masked_fill, u, mask, 1), REFUSES(masked_fill, x, u, 1);
  BINARY(matmul), BINARY(bmm), BINARY(outer), REFUSES(linear, u, x, {}), REFUSES(linear, x, u, {}), UNARY(clone);
  REFUSES(to, u, float64);
  EXPECT_NO_THROW(linear(x, x, u)) << "no bias";
  expect_all_named("core/include/gradus/core/ops.hpp",
                   R"(^(?:Tensor|Maxima|Minima|ValuesIndices|bool|std::vector<Tensor>) (\w+)\()", {});
}

TEST_F(Undefined, IsRefusedByEveryOperator) {
  refuses("operator&", [&] { u& mask; }), refuses("operator&", [&] { mask& u; });
  refuses("operator|", [&] { u | mask; }), refuses("operator^", [&] { mask ^ u; }), refuses("operator~", [&] { ~u; });
  refuses("operator&", [&] { u & 1; }), refuses("operator|", [&] { u | 1; }), refuses("operator^", [&] { u ^ 1; });
  refuses("add", [&] { x + u; }), refuses("sub", [&] { u - x; }), refuses("neg", [&] { -u; });
  refuses("eq", [&] { return u == x; }), refuses("operator<", [&] { return u < 1; }), refuses("rsub", [&] { 1 - u; });
  refuses("operator[]", [&] { u[0]; }), refuses("operator[]", [&] { x[u]; }), refuses("operator[]", [&] { u[rows]; });
  refuses("index", [&] { u(0); }), refuses("index", [&] { x(0, u); }), refuses("add_", [&] { u += 1; });
}

// of the method of a tensor that is not there
#define METHOD_REFUSES(op, ...) refuses(#op, [&] { static_cast<void>(u.op(__VA_ARGS__)); })

TEST_F(Undefined, IsRefusedByEveryMethod) {
  METHOD_REFUSES(shape), METHOD_REFUSES(size, 0), METHOD_REFUSES(numel), METHOD_REFUSES(dtype), METHOD_REFUSES(version);
  METHOD_REFUSES(shares_storage, x), refuses("shares_storage", [&] { x.shares_storage(u); });
  refuses("data", [&] { u.data<float>(); }), refuses("data", [&] { std::as_const(u).data<float>(); }),
      METHOD_REFUSES(item);
  METHOD_REFUSES(requires_grad), METHOD_REFUSES(requires_grad_), METHOD_REFUSES(is_leaf), METHOD_REFUSES(grad);
  METHOD_REFUSES(set_grad, x), METHOD_REFUSES(set_grad, u), METHOD_REFUSES(grad_fn), METHOD_REFUSES(detach);
  METHOD_REFUSES(retain_grad), METHOD_REFUSES(register_hook, [](const Tensor&) {}), METHOD_REFUSES(backward);
  METHOD_REFUSES(contiguous), METHOD_REFUSES(index, {0});
}

TEST_F(Undefined, IsRefusedByEveryWrite) {
#define WRITES(op) METHOD_REFUSES(op, x), METHOD_REFUSES(op, 1), refuses(#op, [&] { ones({2, 2}).op(u); })
  WRITES(add_), WRITES(sub_), WRITES(mul_), WRITES(div_);
  METHOD_REFUSES(zero_), METHOD_REFUSES(fill_, 1), METHOD_REFUSES(copy_, x);
  refuses("copy_", [&] { ones({2, 2}).copy_(u); });
  METHOD_REFUSES(index_put_, {0}, x), METHOD_REFUSES(index_put_, {0}, 1);
  refuses("index_put_", [&] { ones({2, 2}).index_put_({0}, u); });
  REFUSES(uniform_, u), REFUSES(normal_, u), REFUSES(random_, u), REFUSES(random_, u, 0, 2), REFUSES(bernoulli_, u);
}

TEST_F(Undefined, IsRefusedWhereTensorsAreMade) {
  UNARY(empty_like), UNARY(zeros_like), UNARY(ones_like), REFUSES(full_like, u, 1), REFUSES(multinomial, u, 1);
  REFUSES(normal, u, x), REFUSES(normal, x, u), REFUSES(normal, u, 1.0), REFUSES(normal, 1.0, u), UNARY(bernoulli);
  refuses("TensorDataset", [&] { TensorDataset(x, u); });
}

TEST_F(Undefined, IsRefusedByAutograd) {
  const Tensor leaf = ones({2}, float64).requires_grad_();
  const auto twice = [](const std::vector<Tensor>& in) { return in[0] * 2; };
  refuses("grad", [&] { return grad({u}, {leaf}); }), refuses("grad", [&] { return grad({leaf.sum()}, {leaf, u}); });
  refuses("backward", [&] { backward({leaf.sum(), u}); });
  refuses("gradcheck", [&] { gradcheck(twice, {leaf, u}); });
  refuses("gradgradcheck", [&] { gradgradcheck(twice, {u}); });
  REFUSES(to_dot, u), REFUSES(set_name, u, "x"), REFUSES(name, u);
  expect_error<RuntimeError>("grad: Tensor 2 of the inputs is undefined", [&] {
    return grad({leaf.sum()}, {leaf, u});
  });
  expect_error<RuntimeError>("mul: Tensor 2 of the arguments is undefined", [&] { leaf* leaf.grad(); });
}

TEST_F(Undefined, IsPrintedAndComparedAsAHandle) {
  EXPECT_FALSE(u.defined());
  EXPECT_TRUE(u.is_same(Tensor()));
  EXPECT_FALSE(u.is_same(x));
}

}  // namespace
}  // namespace gradus::test
