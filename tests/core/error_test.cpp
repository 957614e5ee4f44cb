// Texts of errors, against those recorded from PyTorch: ours begin alike, a remedy may follow.
#include "errors.hpp"
#include "golden.hpp"

#include <gradus/core/autograd.hpp>
#include <gradus/core/random.hpp>

#include <gtest/gtest.h>

#include <map>

namespace gradus::test {
namespace {

Tensor leaf_of_ones(const Shape& shape) { return ones(shape).requires_grad_(); }

const std::map<std::string, void (*)()> mistakes{
    // shapes that do not fit
    {"torch.zeros(2,3) + torch.zeros(4)",
     [] {
       zeros({2, 3}) + zeros({4});
     }},
    {"torch.zeros(2,3) * torch.zeros(2,4)",
     [] {
       zeros({2, 3}) * zeros({2, 4});
     }},
    {"torch.zeros(3,1,2) - torch.zeros(2,5,3)",
     [] {
       zeros({3, 1, 2}) - zeros({2, 5, 3});
     }},
    {"torch.zeros(3).add_(torch.zeros(2,3))",
     [] {
       zeros({3}).add_(zeros({2, 3}));
     }},
    {"torch.zeros(2,3).expand(4,3)",
     [] {
       zeros({2, 3}).expand({4, 3});
     }},
    {"torch.zeros(2,3).expand(3)",
     [] {
       zeros({2, 3}).expand(3);
     }},
    {"torch.mm(torch.zeros(2,3), torch.zeros(4,5))",
     [] {
       matmul(zeros({2, 3}), zeros({4, 5}));
     }},
    {"torch.zeros(2,3) @ torch.zeros(4,5)",
     [] {
       matmul(zeros({2, 3}), zeros({4, 5}));
     }},
    {"torch.zeros(3) @ torch.zeros(4)", [] { matmul(zeros({3}), zeros({4})); }},
    {"torch.zeros(2,3) @ torch.zeros(4)",
     [] {
       matmul(zeros({2, 3}), zeros({4}));
     }},
    {"torch.zeros(3) @ torch.zeros(4,5)",
     [] {
       matmul(zeros({3}), zeros({4, 5}));
     }},
    {"torch.zeros(()) @ torch.zeros(3)", [] { matmul(zeros({}), zeros({3})); }},
    {"torch.zeros(2,3) @ torch.zeros(3,2).double()",
     [] {
       matmul(zeros({2, 3}), zeros({3, 2}, float64));
     }},
    {"torch.zeros(2,3).view(4)",
     [] {
       zeros({2, 3}).view(4);
     }},
    {"torch.zeros(2,3).view(-1,4)",
     [] {
       zeros({2, 3}).view({-1, 4});
     }},
    {"torch.zeros(2,3).view(-1,-1)",
     [] {
       zeros({2, 3}).view({-1, -1});
     }},
    {"torch.zeros(2,3).reshape(4)",
     [] {
       zeros({2, 3}).reshape(4);
     }},
    {"torch.zeros(2,3).reshape(4,-1)",
     [] {
       zeros({2, 3}).reshape({4, -1});
     }},
    {"torch.zeros(2,3).view(-2,3)",
     [] {
       zeros({2, 3}).view({-2, 3});
     }},
    {"torch.zeros(0,3).view(0,-1)",
     [] {
       zeros({0, 3}).view({0, -1});
     }},
    {"torch.cat([torch.zeros(2,3), torch.zeros(2,4)])",
     [] {
       cat({zeros({2, 3}), zeros({2, 4})});
     }},
    {"torch.cat([torch.zeros(2,3), torch.zeros(2)])",
     [] {
       cat({zeros({2, 3}), zeros({2})});
     }},
    {"torch.cat([])", [] { cat(std::vector<Tensor>{}); }},
    {"torch.stack([torch.zeros(2), torch.zeros(3)])",
     [] {
       stack({zeros({2}), zeros({3})});
     }},
    {"torch.stack([])", [] { stack(std::vector<Tensor>{}); }},
    {"torch.zeros(3).item()", [] { zeros({3}).item(); }},
    // dimensions and indices out of range
    {"torch.zeros(2,3).unsqueeze(4)",
     [] {
       zeros({2, 3}).unsqueeze(4);
     }},
    {"torch.zeros(2,3).transpose(0,2)",
     [] {
       zeros({2, 3}).transpose(0, 2);
     }},
    {"torch.zeros(2,3,4).t()",
     [] {
       zeros({2, 3, 4}).t();
     }},
    {"torch.zeros(2,3).permute(0,0)",
     [] {
       zeros({2, 3}).permute({0, 0});
     }},
    {"torch.zeros(2,3).sum(2)",
     [] {
       zeros({2, 3}).sum(2);
     }},
    {"torch.zeros(2,3).sum((0,0))",
     [] {
       zeros({2, 3}).sum({0, 0});
     }},
    {"torch.zeros(2,3).softmax(2)",
     [] {
       zeros({2, 3}).softmax(2);
     }},
    {"torch.zeros(3)[3]", [] { zeros({3})[3]; }},
    {"torch.zeros(())[0]", [] { zeros({})[0]; }},
    {"torch.zeros(2,3).select(1,4)",
     [] {
       zeros({2, 3}).select(1, 4);
     }},
    {"torch.zeros(2,3).gather(1, torch.tensor([[4]]))",
     [] {
       zeros({2, 3}).gather(1, tensor({{4}}));
     }},
    {"torch.zeros(2,3).index_select(0, torch.tensor([4]))",
     [] {
       zeros({2, 3}).index_select(0, tensor({4}));
     }},
    // nothing to reduce, and dtypes that cannot be
    {"torch.arange(3).mean()", [] { arange(3).mean(); }},
    {"torch.zeros(0).max()", [] { zeros({0}).max(); }},
    {"torch.zeros(0).argmax()", [] { zeros({0}).argmax(); }},
    {"torch.zeros(0,3).max(0)",
     [] {
       zeros({0, 3}).max(0);
     }},
    {"torch.arange(3).add_(1.5)", [] { arange(3).add_(1.5); }},
    {"torch.arange(3).div_(2)", [] { arange(3).div_(2); }},
    {"torch.tensor([True]) - torch.tensor([True])", [] { tensor({true}) - tensor({true}); }},
    // creation
    {"torch.zeros(-1)", [] { zeros({-1}); }},
    {"torch.tensor([[1,2],[3]])",
     [] {
       tensor({{1, 2}, {3}});
     }},
    {"torch.arange(5,1)", [] { arange(5, 1); }},
    {"torch.arange(1,5,0)", [] { arange(1, 5, 0); }},
    {"torch.randperm(-1)", [] { randperm(-1); }},
    {"torch.randint(5,5,(2,))", [] { randint(5, 5, {2}); }},
    {"torch.zeros(2).normal_(0,-1)", [] { normal_(zeros({2}), 0, -1); }},
    {"torch.zeros(2).uniform_(1,0)", [] { uniform_(zeros({2}), 1, 0); }},
    {"torch.zeros(2).bernoulli_(1.5)", [] { bernoulli_(zeros({2}), 1.5); }},
    {"torch.randn(2,dtype=torch.int64)", [] { randn({2}, int64); }},
    // the graph
    {"(torch.ones(3,requires_grad=True)*2).backward()", [] { (leaf_of_ones({3}) * 2).backward(); }},
    {"y = (torch.ones(3,requires_grad=True)**2).sum(); y.backward(); y.backward()",
     [] {
       const Tensor y = pow(leaf_of_ones({3}), 2).sum();
       y.backward();
       y.backward();
     }},
    {"torch.ones(()).backward()", [] { ones({}).backward(); }},
    {"(torch.ones(3,requires_grad=True)*2).backward(torch.ones(2))",
     [] { (leaf_of_ones({3}) * 2).backward({.gradient = ones({2})}); }},
    {"torch.autograd.grad((torch.ones(3,requires_grad=True)*2).sum(), torch.ones(2,requires_grad=True))",
     [] { static_cast<void>(grad({(leaf_of_ones({3}) * 2).sum()}, {leaf_of_ones({2})})); }},
    {"torch.autograd.grad((torch.ones(3,requires_grad=True)*2).sum(), torch.ones(2))",
     [] { static_cast<void>(grad({(leaf_of_ones({3}) * 2).sum()}, {ones({2})})); }},
    {"a = torch.ones(3,requires_grad=True); b = a.exp(); b.add_(1); b.sum().backward()",
     [] {
       const Tensor a = leaf_of_ones({3});
       Tensor b = a.exp();
       b.add_(1);
       b.sum().backward();
     }},
    {"a = torch.ones(2,3,requires_grad=True); b = a*2; c = b*b; b.mul_(3); c.sum().backward()",
     [] {
       const Tensor a = leaf_of_ones({2, 3});
       Tensor b = a * 2;
       const Tensor c = b * b;
       b.mul_(3);
       c.sum().backward();
     }},
    {"a = torch.ones(2,3,requires_grad=True).sigmoid(); c = a*1; a.zero_(); c.sum().backward()",
     [] {
       Tensor a = leaf_of_ones({2, 3}).sigmoid();
       const Tensor c = a * 1;
       a.zero_();
       c.sum().backward();
     }},
    {"a = torch.ones(3,requires_grad=True); a.add_(1)", [] { leaf_of_ones({3}).add_(1); }},
    {"a = torch.ones(3,requires_grad=True); a += 1",
     [] {
       Tensor a = leaf_of_ones({3});
       a += 1;
     }},
    {"a = torch.ones(3,requires_grad=True); a[0] = 1", [] { leaf_of_ones({3})[0].fill_(1); }},
    {"torch.arange(3).requires_grad_()", [] { arange(3).requires_grad_(); }},
    {"(torch.ones(3,requires_grad=True)*2).requires_grad_(False)",
     [] { (leaf_of_ones({3}) * 2).requires_grad_(false); }},
};

const std::map<std::string, std::string> absent{
    {"torch.bmm(torch.zeros(2,3,4), torch.zeros(2,5,6))", "products of matrices and vectors only"},
    {"torch.zeros(2,3,4) @ torch.zeros(2,5,6)", "products of matrices and vectors only"},
    {"torch.mm(torch.zeros(2), torch.zeros(2,3))", "matmul() takes vectors"},
    {"torch.ones(3,dtype=torch.int64,requires_grad=True)", "requires_grad_() exists, with the text of the next case"},
    {"torch.ones(3,requires_grad=True).numpy()", "no Python"},
    {"bool(torch.zeros(3))", "item<bool>() exists"},
    {"torch.zeros(2,3).t().view(6)", "every tensor is contiguous, so every view fits"},
    {"torch.zeros(5).split([2,2])", "narrow() exists"},
    {"torch.zeros(2,3)[0,5]", "one index at a time: x[0][5]"},
    {"torch.zeros(3)[0,0]", "one index at a time: x[0][0]"},
    {"torch.zeros(3)[torch.tensor([True,False])]", "no indexing by masks"},
};

/// Layers, losses and optimisers: tested where they are, in tests/nn and tests/optim.
bool belongs_to_layers(const std::string& python) {
  for (const char* mark : {"nn.", "F.", "torch.optim."}) {
    if (python.find(mark) != std::string::npos) return true;
  }
  return false;
}

TEST(Error, TextsOfPyTorch) {
  std::size_t tested = 0;
  for (const json& entry : load_golden("errors.json").at("cases")) {
    const auto python = entry.at("python").get<std::string>();
    const auto mistake = mistakes.find(python);
    ASSERT_EQ((mistake != mistakes.end()) + absent.count(python) + belongs_to_layers(python), 1u) << python;
    if (mistake == mistakes.end()) continue;
    // PyTorch's hints are about PyTorch.
    const auto message = entry.at("message").get<std::string>(), expected = message.substr(0, message.find(" Hint: "));
    try {
      mistake->second();
      ADD_FAILURE() << python << "\nno error: " << expected;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), entry.at("raises").get<std::string>()) << python;
      EXPECT_EQ(std::string(error.what()).substr(0, expected.size()), expected) << python;
    }
    ++tested;
  }
  EXPECT_EQ(tested, mistakes.size());
}

TEST(Error, CarriesItsPythonName) {
  EXPECT_STREQ(RuntimeError("").kind(), "RuntimeError");
  EXPECT_STREQ(ValueError("").kind(), "ValueError");
  EXPECT_STREQ(IndexError("").kind(), "IndexError");
  EXPECT_STREQ(TypeError("").kind(), "TypeError");
  EXPECT_STREQ(KeyError("").kind(), "KeyError");
  EXPECT_STREQ(NotImplementedError("").kind(), "NotImplementedError");
  EXPECT_STREQ(FileError("").kind(), "FileError");
  EXPECT_THROW(throw IndexError("text"), Error);
}

}  // namespace
}  // namespace gradus::test
