// A parameter to step, and the recorded runs of PyTorch's optimisers: six steps with given gradients.
#pragma once

#include "golden.hpp"

#include <gradus/optim/optimizer.hpp>

#include <gtest/gtest.h>

#include <cstring>

namespace gradus::test {

/// A parameter of one number with its gradient.
inline Tensor parameter(double value, double gradient) {
  Tensor p = full({}, value, float64);
  p.requires_grad_().set_grad(full({}, gradient, float64));
  return p;
}

/// Compares every bit.
inline void expect_same_bits(const Tensor& actual, const Tensor& expected, const std::string& what) {
  ASSERT_EQ(actual.dtype(), expected.dtype()) << what;
  ASSERT_EQ(actual.shape(), expected.shape()) << what;
  visit(actual.dtype(), [&]<class T>(T*) {
    const auto a = actual.data<T>(), e = expected.data<T>();
    for (std::size_t i = 0; i < a.size(); ++i) {
      EXPECT_EQ(std::memcmp(&a[i], &e[i], sizeof(T)), 0) << what << " [" << i << "]: " << a[i] << ", expected " << e[i];
    }
  });
}

/// The value of an option in the recorded arguments, or what PyTorch takes when it is left out.
template <class T>
void read_option(const json& args, const char* name, T& option) {
  if (args.contains(name)) option = args.at(name).get<T>();
}

/// Repeats every recorded run of `Optimizer` and compares the parameter after every step, and the state after the last.
/// `read` makes options of the recorded arguments.
template <class Optimizer, class Read>
void expect_golden_runs(const std::string& name, std::size_t expected_entries, Read read,
                        const char* file = "optim.json") {
  std::size_t entries = 0;
  const json golden = load_golden(file);
  for (const json& entry : golden.at("optimizers")) {
    if (entry.at("optimizer") != name) continue;
    ++entries;
    for (const json& run : entry.at("runs")) {
      const std::string what = name + entry.at("args").dump() + " " + run.at("dtype").get<std::string>();
      Tensor p = golden_tensor(run.at("initial"));
      p.requires_grad_();
      Optimizer optimizer({p}, read(entry.at("args")));
      for (std::size_t i = 0; i < run.at("grads").size(); ++i) {
        p.set_grad(golden_tensor(run.at("grads")[i]));
        optimizer.step();
        expect_same_bits(p, golden_tensor(run.at("params")[i]), what + ", step " + std::to_string(i + 1));
      }
      const Value state = optimizer.state_dict()["state"][0];
      for (const auto& [key, value] : run.at("state").items()) {
        const Value& own = state.at(key);
        if (value.is_null()) {
          EXPECT_TRUE(own.is_none()) << what << ", " << key;
        } else if (value.is_number()) {
          EXPECT_EQ(own.as_int(), value.template get<std::int64_t>()) << what << ", " << key;
        } else {
          expect_same_bits(own.as_tensor(), golden_tensor(value), what + ", " + key);
        }
      }
      EXPECT_EQ(state.size(), run.at("state").size()) << what;
    }
  }
  EXPECT_EQ(entries, expected_entries);
}

}  // namespace gradus::test
