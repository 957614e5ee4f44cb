// The names of graph nodes, against those recorded from PyTorch.
#include "golden.hpp"
#include "tensors.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace gradus::test {
namespace {

struct Operands {
  Tensor a = rand({2, 3}).requires_grad_(), b = rand({2, 3}).requires_grad_(), v = rand({3}).requires_grad_();
  Tensor m = rand({3, 4}).requires_grad_(), t3 = rand({2, 3, 4}).requires_grad_();
};

using Expression = Tensor (*)(const Operands&);

const std::map<std::string, Expression> expressions{
    {"a+b", [](const Operands& x) { return x.a + x.b; }},
    {"a+1", [](const Operands& x) { return x.a + 1; }},
    {"1+a", [](const Operands& x) { return 1 + x.a; }},
    {"a-b", [](const Operands& x) { return x.a - x.b; }},
    {"1-a", [](const Operands& x) { return 1 - x.a; }},
    {"a*b", [](const Operands& x) { return x.a * x.b; }},
    {"a*2", [](const Operands& x) { return x.a * 2; }},
    {"a/b", [](const Operands& x) { return x.a / x.b; }},
    {"1/a", [](const Operands& x) { return 1 / x.a; }},
    {"-a", [](const Operands& x) { return -x.a; }},
    {"a**2", [](const Operands& x) { return pow(x.a, 2); }},
    {"a**b", [](const Operands& x) { return pow(x.a, x.b); }},
    {"2**a", [](const Operands& x) { return pow(2, x.a); }},
    {"a.exp()", [](const Operands& x) { return x.a.exp(); }},
    {"a.log()", [](const Operands& x) { return x.a.log(); }},
    {"a.sqrt()", [](const Operands& x) { return x.a.sqrt(); }},
    {"a.abs()", [](const Operands& x) { return x.a.abs(); }},
    {"a.sin()", [](const Operands& x) { return sin(x.a); }},
    {"a.cos()", [](const Operands& x) { return cos(x.a); }},
    {"a.tanh()", [](const Operands& x) { return x.a.tanh(); }},
    {"a.sigmoid()", [](const Operands& x) { return x.a.sigmoid(); }},
    {"a.relu()", [](const Operands& x) { return x.a.relu(); }},
    {"F.leaky_relu(a)", [](const Operands& x) { return leaky_relu(x.a); }},
    {"F.gelu(a)", [](const Operands& x) { return gelu(x.a); }},
    {"F.softplus(a)", [](const Operands& x) { return softplus(x.a); }},
    {"a.softmax(1)", [](const Operands& x) { return x.a.softmax(1); }},
    {"a.log_softmax(1)", [](const Operands& x) { return x.a.log_softmax(1); }},
    {"a.logsumexp(1)", [](const Operands& x) { return x.a.logsumexp(1); }},
    {"a.clamp(0,1)", [](const Operands& x) { return x.a.clamp(0, 1); }},
    {"torch.maximum(a,b)", [](const Operands& x) { return maximum(x.a, x.b); }},
    {"a.sum()", [](const Operands& x) { return x.a.sum(); }},
    {"a.sum(1)", [](const Operands& x) { return x.a.sum(1); }},
    {"a.mean()", [](const Operands& x) { return x.a.mean(); }},
    {"a.mean(1)", [](const Operands& x) { return x.a.mean(1); }},
    {"a.var()", [](const Operands& x) { return x.a.var(); }},
    {"a.std()", [](const Operands& x) { return x.a.std(); }},
    {"a.max()", [](const Operands& x) { return x.a.max(); }},
    {"a.max(1)[0]", [](const Operands& x) { return x.a.max(1).values; }},
    {"a.min()", [](const Operands& x) { return x.a.min(); }},
    {"a@m", [](const Operands& x) { return matmul(x.a, x.m); }},
    {"torch.mm(a,m)", [](const Operands& x) { return matmul(x.a, x.m); }},
    {"a@v", [](const Operands& x) { return matmul(x.a, x.v); }},
    {"v@v", [](const Operands& x) { return matmul(x.v, x.v); }},
    {"F.linear(a,torch.rand(4,3),torch.rand(4))",
     [](const Operands& x) {
       return linear(x.a, rand({4, 3}), rand({4}));
     }},
    {"F.linear(a,torch.rand(4,3))",
     [](const Operands& x) {
       return linear(x.a, rand({4, 3}), Tensor());
     }},
    {"a.t()", [](const Operands& x) { return x.a.t(); }},
    {"a.transpose(0,1)", [](const Operands& x) { return x.a.transpose(0, 1); }},
    {"t3.permute(2,0,1)",
     [](const Operands& x) {
       return x.t3.permute({2, 0, 1});
     }},
    {"a.view(6)", [](const Operands& x) { return x.a.view(6); }},
    {"a.reshape(6)", [](const Operands& x) { return x.a.reshape(6); }},
    {"t3.flatten(1)", [](const Operands& x) { return x.t3.flatten(1); }},
    {"a[None].squeeze()", [](const Operands& x) { return x.a.unsqueeze(0).squeeze(); }},
    {"a[None].squeeze(0)", [](const Operands& x) { return x.a.unsqueeze(0).squeeze(0); }},
    {"a.unsqueeze(0)", [](const Operands& x) { return x.a.unsqueeze(0); }},
    {"v.expand(2,3)",
     [](const Operands& x) {
       return x.v.expand({2, 3});
     }},
    {"a.clone()", [](const Operands& x) { return x.a.clone(); }},
    {"a.double()", [](const Operands& x) { return x.a.to(float64); }},
    {"torch.cat([a,b])",
     [](const Operands& x) {
       return cat({x.a, x.b});
     }},
    {"torch.stack([a,b])",
     [](const Operands& x) {
       return stack({x.a, x.b});
     }},
    {"a[0]", [](const Operands& x) { return x.a[0]; }},
    {"a[:,1:]", [](const Operands& x) { return x.a.narrow(1, 1, 2); }},
    {"a.gather(1,torch.tensor([[0],[1]]))",
     [](const Operands& x) {
       return x.a.gather(1, tensor({{0}, {1}}));
     }},
    {"torch.where(a>0,a,b)", [](const Operands& x) { return where(x.a > 0, x.a, x.b); }},
    {"a.masked_fill(a>0,0.)", [](const Operands& x) { return x.a.masked_fill(x.a > 0, 0.); }},
    {"(a*1).add_(1)", [](const Operands& x) { return (x.a * 1).add_(1); }},
    {"(a*1).mul_(2)", [](const Operands& x) { return (x.a * 1).mul_(2); }},
    {"a.square()", [](const Operands& x) { return x.a.square(); }},
    {"a.rsqrt()", [](const Operands& x) { return x.a.rsqrt(); }},
    {"a.reciprocal()", [](const Operands& x) { return reciprocal(x.a); }},
    {"torch.outer(v,v)", [](const Operands& x) { return x.v.unsqueeze(1) * x.v; }},
};

const std::map<std::string, std::string> absent{
    {"a.prod()", "no prod"},
    {"a.norm()", "no norm"},
    {"a.cumsum(0)", "no cumsum"},
    {"torch.bmm(t3,t3.transpose(1,2))", "products of matrices and vectors only"},
    {"a.T", "a.t() and a.permute() exist"},
    {"a.t().contiguous()", "every tensor is contiguous"},
    {"a.split(1)[0]", "narrow() exists"},
    {"a[torch.tensor([0,1])]", "index_select() exists"},
    {"a.repeat(2,1)", "cat() and expand() exist"},
    {"F.layer_norm(a,(3,))", "no layer_norm"},
    {"F.embedding(torch.tensor([0]),a)", "index_select() exists"},
    {"F.binary_cross_entropy(a,torch.rand(2,3))", "binary_cross_entropy_with_logits() exists"},
};

const std::set<std::string> of_layers{
    // tested in tests/nn/functional_test.cpp
    "F.mse_loss(a,torch.rand(2,3))",
    "F.l1_loss(a,torch.rand(2,3))",
    "F.cross_entropy(a,torch.tensor([0,1]))",
    "F.cross_entropy(a,torch.tensor([0,1]),label_smoothing=.1)",
    "F.nll_loss(a,torch.tensor([0,1]))",
    "F.binary_cross_entropy_with_logits(a,torch.rand(2,3))",
    "nn.BatchNorm1d(3)(a)",
    "nn.BatchNorm1d(3).eval()(a)",
    "F.dropout(a,.5)",
};

TEST(RecordGradFn, IsNamedAsInPyTorch) {
  const Operands operands;
  std::size_t tested = 0;
  for (const json& entry : load_golden("grad_fn.json").at("cases")) {
    const auto python = entry.at("python").get<std::string>();
    const auto expression = expressions.find(python);
    ASSERT_EQ((expression != expressions.end()) + absent.count(python) + of_layers.count(python), 1u) << python;
    if (expression == expressions.end()) continue;
    EXPECT_EQ(expression->second(operands).grad_fn(), entry.at("grad_fn").get<std::string>()) << python;
    ++tested;
  }
  EXPECT_EQ(tested, expressions.size());
}

TEST(RecordGradFn, OfWhatTheFixtureLacks) {  // recorded by hand from the same PyTorch
  const Operands x;
  const Tensor w = rand({5, 3}), w4 = rand({5, 4}), bias = rand({5});
  EXPECT_EQ(linear(x.v, w, bias).grad_fn(), "AddBackward0");
  EXPECT_EQ(linear(x.v, w, Tensor()).grad_fn(), "SqueezeBackward3");
  EXPECT_EQ(linear(x.t3, w4, bias).grad_fn(), "ViewBackward0");
  EXPECT_EQ(linear(x.t3, w4, Tensor()).grad_fn(), "UnsafeViewBackward0");
  EXPECT_EQ(linear(x.t3.unsqueeze(0), w4, bias).grad_fn(), "AddBackward0");
  EXPECT_EQ(matmul(x.v, x.m).grad_fn(), "SqueezeBackward3");
  EXPECT_EQ(x.a.index_select(1, tensor({0, 0})).grad_fn(), "IndexSelectBackward0");
  EXPECT_EQ(x.a.sum({0, 1}).grad_fn(), "SumBackward1");
  EXPECT_EQ((x.a * 1).zero_().grad_fn(), "ZeroBackward0");
  EXPECT_EQ((x.a * 1).fill_(0).grad_fn(), "FillBackward2");
  EXPECT_EQ(uniform_(x.a * 1).grad_fn(), "UniformBackward0");
  EXPECT_EQ(normal_(x.a * 1).grad_fn(), "NormalBackward0");
  EXPECT_EQ(random_(x.a * 1).grad_fn(), "RandomBackward2");
  EXPECT_EQ(random_(x.a * 1, 0, 5).grad_fn(), "RandomBackward0");
  EXPECT_EQ(bernoulli_(x.a * 1, 0.5).grad_fn(), "BernoulliBackward2");
  EXPECT_EQ(x.a.max(0).indices.grad_fn(), "");
  EXPECT_EQ(x.a.grad_fn(), "");
  EXPECT_EQ(x.v.flatten().grad_fn(), "");  // x itself
  EXPECT_EQ(cos(sin(x.a)).grad_fn(), "CosBackward0");
}

}  // namespace
}  // namespace gradus::test
