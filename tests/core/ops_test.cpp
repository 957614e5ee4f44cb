// Operations against results, node names and derivatives recorded from PyTorch, and their derivatives against
// differences.
#include "golden.hpp"
#include "tensors.hpp"

#include <gradus/core/ops.hpp>

#include <map>

namespace gradus::test {
namespace {

struct In {
  Tensor x, s;
};
using Out = std::vector<Tensor>;

Out list(std::vector<Tensor> parts) { return parts; }
Out list(const ValuesIndices& sorted) { return {sorted.values, sorted.indices}; }

Tensor rows() { return tensor({2, 0, 2}); }
Tensor columns() { return tensor({1, 1, -1}); }
Tensor mask() { return tensor({true, false, true, true}); }
/// What the fixture was made with: see make_ops.py.
Tensor twelve() {
  return golden_tensor(load_golden("ops.json").at("cases")[0].at("inputs")[0]).reshape({3, 4}).detach();
}
Tensor pairs() { return tensor({{2, 0}, {1, 3}}); }

const std::map<std::string, Out (*)(const In&)> expressions{
    {"x[rows]", [](const In& in) -> Out { return {in.x[rows()]}; }},
    {"x[pairs]", [](const In& in) -> Out { return {in.x[pairs()]}; }},
    {"x[mask]", [](const In& in) -> Out { return {in.x[mask()]}; }},
    {"x[x>0]", [](const In& in) -> Out { return {in.x[in.x > 0]}; }},
    {"x[none]", [](const In& in) -> Out { return {in.x[zeros({0}, int64)]}; }},
    {"x[scalar]", [](const In& in) -> Out { return {in.x[tensor(-1)]}; }},
    {"i[rows]", [](const In& in) -> Out { return {in.x[rows()]}; }},
    {"b[mask]", [](const In& in) -> Out { return {in.x[mask()]}; }},
    {"x[1,2]", [](const In& in) -> Out { return {in.x(1, 2)}; }},
    {"x[:,1]", [](const In& in) -> Out { return {in.x(Slice(), 1)}; }},
    {"x[:,1:3]", [](const In& in) -> Out { return {in.x(Slice(), Slice(1, 3))}; }},
    {"x[1:3,-2:]", [](const In& in) -> Out { return {in.x(Slice(1, 3), Slice(-2))}; }},
    {"x[::2]", [](const In& in) -> Out { return {in.x(Slice(std::nullopt, std::nullopt, 2))}; }},
    {"x[:,::2]", [](const In& in) -> Out { return {in.x(Slice(), Slice(0, std::nullopt, 2))}; }},
    {"x[3:1]", [](const In& in) -> Out { return {in.x(Slice(3, 1))}; }},
    {"x[-9:9,1]", [](const In& in) -> Out { return {in.x(Slice(-9, 9), 1)}; }},
    {"x[rows,columns]", [](const In& in) -> Out { return {in.x(rows(), columns())}; }},
    {"y[:,rows]", [](const In& in) -> Out { return {in.x(Slice(), rows())}; }},
    {"y[:,rows,1]", [](const In& in) -> Out { return {in.x(Slice(), rows(), 1)}; }},
    {"y[scalar,:,rows]", [](const In& in) -> Out { return {in.x(tensor(1), Slice(), rows())}; }},
    {"y[1,:,rows]", [](const In& in) -> Out { return {in.x(1, Slice(), rows())}; }},
    {"y[:,1:,rows]", [](const In& in) -> Out { return {in.x(Slice(), Slice(1), rows())}; }},
    {"y[:,:,mask]", [](const In& in) -> Out { return {in.x(Slice(), Slice(), mask())}; }},
    {"y[:,pairs-1,1:3]", [](const In& in) -> Out { return {in.x(Slice(), pairs() - 1, Slice(1, 3))}; }},
    {"y[mask2d]",
     [](const In& in) -> Out {
       return {in.x[tensor({{true, false, true}, {false, true, false}})]};
     }},
    {"y[-1,1:,::3]", [](const In& in) -> Out { return {in.x(-1, Slice(1), Slice(0, std::nullopt, 3))}; }},
    {"put column",
     [](const In& in) -> Out {
       return {(in.x * 1).index_put_({tensor({0, 1, 2, 3}), tensor(1)}, in.s)};
     }},
    {"put rows, one value",
     [](const In& in) -> Out {
       return {(in.x * 1).index_put_({tensor({3, 0})}, in.s)};
     }},
    {"put added", [](const In& in) -> Out { return {(in.x * 1).index_put_({rows()}, in.s, true)}; }},
    {"put mask", [](const In& in) -> Out { return {(in.x * 1).index_put_({mask()}, in.s)}; }},
    {"put number", [](const In& in) -> Out { return {(in.x * 1).index_put_({in.x > 0}, 7)}; }},
    {"chunk 2", [](const In& in) -> Out { return list(in.x.chunk(2)); }},
    {"chunk 3", [](const In& in) -> Out { return list(in.x.chunk(3)); }},
    {"chunk 2, 1", [](const In& in) -> Out { return list(in.x.chunk(2, 1)); }},
    {"split 3", [](const In& in) -> Out { return list(in.x.split(3)); }},
    {"split 2, -1", [](const In& in) -> Out { return list(in.x.split(2, -1)); }},
    {"split [1, 3]",
     [](const In& in) -> Out {
       return list(in.x.split({1, 3}));
     }},
    {"split empty", [](const In& in) -> Out { return list(in.x.split(2)); }},
    {"chunk empty", [](const In& in) -> Out { return list(in.x.chunk(2)); }},
    {"split [0, 2, 1], 1",
     [](const In& in) -> Out {
       return list(in.x.split({0, 2, 1}, 1));
     }},
    {"unbind", [](const In& in) -> Out { return list(in.x.unbind()); }},
    {"unbind 1", [](const In& in) -> Out { return list(in.x.unbind(1)); }},
    {"index_add 0", [](const In& in) -> Out { return {in.x.index_add(0, rows(), in.s)}; }},
    {"index_add 1, alpha",
     [](const In& in) -> Out {
       return {in.x.index_add(1, tensor({2, 0}), in.s, 2.5)};
     }},
    {"index_add int",
     [](const In& in) -> Out {
       return {in.x.index_add(0, tensor({1, 1}), in.s, 3)};
     }},
    {"scatter_add 0",
     [](const In& in) -> Out {
       return {in.x.scatter_add(0, tensor({{0, 1, 2}, {0, 3, 0}}), in.s)};
     }},
    {"scatter_add 1, part",
     [](const In& in) -> Out {
       return {in.x.scatter_add(1, tensor({{2, 2}, {0, 1}}), twelve())};
     }},
    {"scatter 1",
     [](const In& in) -> Out {
       return {in.x.scatter(1, tensor({{2, 0}, {0, 1}}), in.s)};
     }},
    {"scatter number",
     [](const In& in) -> Out {
       return {in.x.scatter(0, tensor({{0, 3, 2}}), 5)};
     }},
    {"scatter int",
     [](const In& in) -> Out {
       return {in.x.scatter(0, tensor({{0, 3, 2}}), 1.7)};
     }},
    {"take_along_dim",
     [](const In& in) -> Out {
       return {in.x.take_along_dim(tensor({{2, 0}, {0, 1}, {1, 1}, {0, 2}}), 1)};
     }},
    {"take_along_dim broadcast",
     [](const In& in) -> Out {
       return {in.x.take_along_dim(tensor({{3}, {0}, {1}}), 0)};
     }},
    {"take_along_dim all",
     [](const In& in) -> Out {
       return {take_along_dim(in.x, tensor({11, 0, 5}))};
     }},
    {"one_hot", [](const In& in) -> Out { return {one_hot(in.x)}; }},
    {"one_hot 4", [](const In& in) -> Out { return {one_hot(in.x, 4)}; }},
    {"one_hot empty", [](const In& in) -> Out { return {one_hot(in.x, 3)}; }},
    {"one_hot 0-d", [](const In& in) -> Out { return {one_hot(in.x, 3)}; }},
    {"b & b", [](const In& in) -> Out { return {in.x & in.s}; }},
    {"i & 6", [](const In& in) -> Out { return {in.x & 6}; }},
    {"i | b", [](const In& in) -> Out { return {in.x | in.s}; }},
    {"i ^ 5", [](const In& in) -> Out { return {in.x ^ 5}; }},
    {"b ^ true", [](const In& in) -> Out { return {in.x ^ true}; }},
    {"~i", [](const In& in) -> Out { return {~in.x}; }},
    {"~b", [](const In& in) -> Out { return {~in.x}; }},
    {"b | row", [](const In& in) -> Out { return {in.x | in.s}; }},
    {"logical_and", [](const In& in) -> Out { return {logical_and(in.x, in.s)}; }},
    {"logical_or", [](const In& in) -> Out { return {logical_or(in.x, in.s)}; }},
    {"logical_xor", [](const In& in) -> Out { return {logical_xor(in.x, in.s)}; }},
    {"where(b, x, 0.)", [](const In& in) -> Out { return {where(in.x, in.s, 0.)}; }},
    {"where(b, 1, x)", [](const In& in) -> Out { return {where(in.x, 1, in.s)}; }},
    {"where(b, i, 0.5)", [](const In& in) -> Out { return {where(in.x, in.s, 0.5)}; }},
    {"where(b, 1, 2)", [](const In& in) -> Out { return {where(in.x, 1, 2)}; }},
    {"where(b, 1., 2)", [](const In& in) -> Out { return {where(in.x, 1., 2)}; }},
    {"where(row, b, 3)", [](const In& in) -> Out { return {where(in.x, in.s, 3)}; }},
    {"maximum(x, 0.5)", [](const In& in) -> Out { return {maximum(in.x, 0.5)}; }},
    {"minimum(0, x)", [](const In& in) -> Out { return {minimum(0, in.x)}; }},
    {"sign", [](const In& in) -> Out { return {in.x.sign()}; }},
    {"floor", [](const In& in) -> Out { return {in.x.floor()}; }},
    {"ceil", [](const In& in) -> Out { return {in.x.ceil()}; }},
    {"round", [](const In& in) -> Out { return {in.x.round()}; }},
    {"sign odd", [](const In& in) -> Out { return {in.x.sign()}; }},
    {"floor odd", [](const In& in) -> Out { return {in.x.floor()}; }},
    {"ceil odd", [](const In& in) -> Out { return {in.x.ceil()}; }},
    {"round odd", [](const In& in) -> Out { return {in.x.round()}; }},
    {"sign int", [](const In& in) -> Out { return {in.x.sign()}; }},
    {"sign bool", [](const In& in) -> Out { return {in.x.sign()}; }},
    {"floor int", [](const In& in) -> Out { return {in.x.floor()}; }},
    {"round 0-d", [](const In& in) -> Out { return {in.x.round()}; }},
    {"log1p", [](const In& in) -> Out { return {in.x.log1p()}; }},
    {"expm1", [](const In& in) -> Out { return {in.x.expm1()}; }},
    {"log1p odd", [](const In& in) -> Out { return {in.x.log1p()}; }},
    {"expm1 odd", [](const In& in) -> Out { return {in.x.expm1()}; }},
    {"log1p small", [](const In& in) -> Out { return {in.x.log1p()}; }},
    {"expm1 small", [](const In& in) -> Out { return {in.x.expm1()}; }},
    {"log1p int", [](const In& in) -> Out { return {in.x.log1p()}; }},
    {"expm1 bool", [](const In& in) -> Out { return {in.x.expm1()}; }},
    {"prod", [](const In& in) -> Out { return {in.x.prod()}; }},
    {"prod 1", [](const In& in) -> Out { return {in.x.prod(1)}; }},
    {"prod 0 keep", [](const In& in) -> Out { return {in.x.prod(0, true)}; }},
    {"prod with zeros", [](const In& in) -> Out { return {in.x.prod()}; }},
    {"prod with zeros 1", [](const In& in) -> Out { return {in.x.prod(1)}; }},
    {"prod with a zero", [](const In& in) -> Out { return {in.x.prod()}; }},
    {"prod int", [](const In& in) -> Out { return {in.x.prod()}; }},
    {"prod bool 0", [](const In& in) -> Out { return {in.x.prod(0)}; }},
    {"prod empty 0", [](const In& in) -> Out { return {in.x.prod(0)}; }},
    {"prod 0-d", [](const In& in) -> Out { return {in.x.prod()}; }},
    {"prod middle", [](const In& in) -> Out { return {in.x.prod(1)}; }},
    {"cumsum 0", [](const In& in) -> Out { return {in.x.cumsum(0)}; }},
    {"cumsum 1", [](const In& in) -> Out { return {in.x.cumsum(1)}; }},
    {"cumsum middle", [](const In& in) -> Out { return {in.x.cumsum(1)}; }},
    {"cumsum int", [](const In& in) -> Out { return {in.x.cumsum(1)}; }},
    {"cumsum bool", [](const In& in) -> Out { return {in.x.cumsum(0)}; }},
    {"cumsum 0-d", [](const In& in) -> Out { return {in.x.cumsum(0)}; }},
    {"cumsum empty", [](const In& in) -> Out { return {in.x.cumsum(0)}; }},
    {"norm", [](const In& in) -> Out { return {in.x.norm()}; }},
    {"norm 3", [](const In& in) -> Out { return {in.x.norm(3)}; }},
    {"norm 2, 1", [](const In& in) -> Out { return {in.x.norm(2, 1)}; }},
    {"norm 1, 0 keep", [](const In& in) -> Out { return {in.x.norm(1, 0, true)}; }},
    {"norm inf, 1", [](const In& in) -> Out { return {in.x.norm(inf, 1)}; }},
    {"norm -inf, 1", [](const In& in) -> Out { return {in.x.norm(-inf, 1)}; }},
    {"norm 0, 1", [](const In& in) -> Out { return {in.x.norm(0, 1)}; }},
    {"norm 0.5, 1", [](const In& in) -> Out { return {in.x.norm(0.5, 1)}; }},
    {"norm 1.5", [](const In& in) -> Out { return {in.x.norm(1.5)}; }},
    {"norm 2, (0, 2)",
     [](const In& in) -> Out {
       return {in.x.norm(2, {0, 2})};
     }},
    {"norm of zeros", [](const In& in) -> Out { return {in.x.norm(2, 1)}; }},
    {"norm of nothing", [](const In& in) -> Out { return {in.x.norm(2, 0)}; }},
    {"norm nan inf", [](const In& in) -> Out { return {in.x.norm(inf)}; }},
    {"norm nan 2", [](const In& in) -> Out { return {in.x.norm()}; }},
    {"norm 0-d", [](const In& in) -> Out { return {in.x.norm()}; }},
    {"sort", [](const In& in) -> Out { return list(in.x.sort()); }},
    {"sort 0 descending", [](const In& in) -> Out { return list(in.x.sort(0, true)); }},
    {"sort odd", [](const In& in) -> Out { return list(in.x.sort()); }},
    {"sort odd descending", [](const In& in) -> Out { return list(in.x.sort(-1, true)); }},
    {"sort int", [](const In& in) -> Out { return list(in.x.sort(1)); }},
    {"sort bool", [](const In& in) -> Out { return list(in.x.sort(0, true)); }},
    {"sort double odd", [](const In& in) -> Out { return list(in.x.sort()); }},
    {"sort 0-d", [](const In& in) -> Out { return list(in.x.sort()); }},
    {"sort empty", [](const In& in) -> Out { return list(in.x.sort()); }},
    {"sort middle", [](const In& in) -> Out { return list(in.x.sort(1)); }},
    {"argsort", [](const In& in) -> Out { return {in.x.argsort(0, true)}; }},
    {"sort equal", [](const In& in) -> Out { return list(in.x.sort()); }},
    {"topk 2", [](const In& in) -> Out { return list(in.x.topk(2)); }},
    {"topk 3, 0, smallest", [](const In& in) -> Out { return list(in.x.topk(3, 0, false)); }},
    {"topk 0", [](const In& in) -> Out { return list(in.x.topk(0)); }},
    {"topk odd", [](const In& in) -> Out { return list(in.x.topk(3)); }},
    {"topk odd smallest", [](const In& in) -> Out { return list(in.x.topk(4, -1, false)); }},
    {"topk int", [](const In& in) -> Out { return list(in.x.topk(2, 1)); }},
    {"topk 0-d", [](const In& in) -> Out { return list(in.x.topk(1)); }},
    {"flip 0", [](const In& in) -> Out { return {in.x.flip(0)}; }},
    {"flip 0 2",
     [](const In& in) -> Out {
       return {in.x.flip({0, 2})};
     }},
    {"flip none", [](const In& in) -> Out { return {in.x.flip({})}; }},
    {"flip empty", [](const In& in) -> Out { return {in.x.flip(1)}; }},
    {"flip bool", [](const In& in) -> Out { return {in.x.flip(1)}; }},
    {"flip 0-d", [](const In& in) -> Out { return {in.x.flip(0)}; }},
    {"outer", [](const In& in) -> Out { return {in.x.outer(in.s)}; }},
    {"outer int", [](const In& in) -> Out { return {in.x.outer(in.s)}; }},
    {"bmm", [](const In& in) -> Out { return {in.x.bmm(in.s)}; }},
    {"bmm empty", [](const In& in) -> Out { return {in.x.bmm(in.s)}; }},
    {"bmm inner 0", [](const In& in) -> Out { return {in.x.bmm(in.s)}; }},
    {"3 @ 2", [](const In& in) -> Out { return {in.x.matmul(in.s)}; }},
    {"3 @ 3", [](const In& in) -> Out { return {in.x.matmul(in.s)}; }},
    {"2 @ 3", [](const In& in) -> Out { return {in.x.matmul(in.s)}; }},
    {"1 @ 3", [](const In& in) -> Out { return {in.x.matmul(in.s)}; }},
    {"3 @ 1", [](const In& in) -> Out { return {in.x.matmul(in.s)}; }},
    {"4 @ 3", [](const In& in) -> Out { return {in.x.matmul(in.s)}; }},
    {"4 @ 2", [](const In& in) -> Out { return {in.x.matmul(in.s)}; }},
    {"1,3 @ 3", [](const In& in) -> Out { return {in.x.matmul(in.s)}; }},
    {"1 @ 4", [](const In& in) -> Out { return {in.x.matmul(in.s)}; }},
    {"4 @ 1", [](const In& in) -> Out { return {in.x.matmul(in.s)}; }},
    {"0 @ 2", [](const In& in) -> Out { return {in.x.matmul(in.s)}; }},
    {"3 @ 3, inner 0", [](const In& in) -> Out { return {in.x.matmul(in.s)}; }},
    {"3 @ 2, inner 0", [](const In& in) -> Out { return {in.x.matmul(in.s)}; }},
};

In inputs_of(const json& entry) {
  In in;
  Tensor* const places[] = {&in.x, &in.s};
  for (std::size_t i = 0; i < entry.at("inputs").size(); ++i) {
    *places[i] = golden_tensor(entry.at("inputs")[i]);
    if (is_floating(places[i]->dtype())) places[i]->requires_grad_();
  }
  return in;
}

std::vector<Tensor> wanting_gradients(const In& in) {
  std::vector<Tensor> wanting;
  for (const Tensor& x : {in.x, in.s}) {
    if (x.defined() && x.requires_grad()) wanting.push_back(x);
  }
  return wanting;
}

double tolerance(Dtype dtype) { return dtype == float32 ? 1e-6 : 1e-13; }

/// The signs of zeros too.
void expect_recorded(const Tensor& got, const json& recorded, const std::string& what) {
  const Tensor expected = golden_tensor(recorded);
  SCOPED_TRACE(what);
  expect_tensor(got.detach(), expected, tolerance(expected.dtype()));
  if (!is_floating(expected.dtype()) || got.shape() != expected.shape()) return;
  const std::vector<double> a = got.detach().to(float64).to_vector<double>(),
                            b = expected.to(float64).to_vector<double>();
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_TRUE(a[i] != 0 || b[i] != 0 || std::signbit(a[i]) == std::signbit(b[i])) << "sign of zero " << i;
  }
}

TEST(Ops, GiveWhatPyTorchGives) {
  std::size_t tried = 0;
  for (const json& entry : load_golden("ops.json").at("cases")) {
    const auto name = entry.at("name").get<std::string>();
    SCOPED_TRACE(name);
    ASSERT_TRUE(expressions.contains(name));
    ++tried;
    const In in = inputs_of(entry);
    const Out out = expressions.at(name)(in);
    ASSERT_EQ(out.size(), entry.at("outputs").size());
    std::vector<Tensor> tracked;
    for (std::size_t i = 0; i < out.size(); ++i) {
      expect_recorded(out[i], entry.at("outputs")[i], "output");
      EXPECT_EQ(out[i].grad_fn(), entry.at("grad_fn")[i].get<std::string>());
      if (out[i].requires_grad()) tracked.push_back(out[i]);
    }
    ASSERT_EQ(tracked.size(), entry.contains("dy") ? entry.at("dy").size() : 0);
    if (tracked.empty()) continue;
    std::vector<Tensor> dy;
    for (const json& gradient : entry.at("dy")) dy.push_back(golden_tensor(gradient));
    const std::vector<Tensor> dx = grad(tracked, wanting_gradients(in), {.grad_outputs = dy});
    for (std::size_t i = 0; i < dx.size(); ++i) {
      if (entry.at("dx")[i].is_null()) {
        expect_tensor(dx[i], zeros_like(dx[i]));
      } else {
        const Tensor expected = golden_tensor(entry.at("dx")[i]);
        expect_tensor(dx[i], expected, tolerance(expected.dtype()));
      }
    }
  }
  EXPECT_EQ(tried, expressions.size());
}

TEST(Ops, HaveDerivativesToTheSecondOrder) {
  for (const json& entry : load_golden("ops.json").at("cases")) {
    const auto name = entry.at("name").get<std::string>();
    const In in = inputs_of(entry);
    const std::vector<Tensor> wanting = wanting_gradients(in);
    const bool smooth = entry.contains("dy") && name != "norm 0, 1" && all(isfinite(wanting[0])).item<bool>();
    if (!smooth || wanting[0].dtype() != float64 || wanting[0].numel() == 0) continue;
    if (expressions.at(name)(in)[0].numel() == 0) continue;
    SCOPED_TRACE(name);
    const bool second_alone = !in.x.requires_grad();
    expect_derivatives(
        [&](const std::vector<Tensor>& inputs) {
          const In varied = second_alone ? In{in.x, inputs[0]} : In{inputs[0], inputs.size() > 1 ? inputs[1] : in.s};
          const Out out = expressions.at(name)(varied);
          Tensor sum = zeros({}, float64);
          for (std::size_t i = 0; i < out.size(); ++i) {  // every element with a weight of its own
            if (!is_floating(out[i].dtype())) continue;
            const Tensor weights = linspace(0.5, 2, out[i].numel(), float64).reshape(out[i].shape());
            sum = sum + (out[i] * weights * static_cast<double>(i + 1)).sum();
          }
          return sum;
        },
        wanting);
  }
}

}  // namespace
}  // namespace gradus::test
