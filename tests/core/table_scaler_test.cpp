#include "files.hpp"
#include "tensors.hpp"

#include <gradus/core/io.hpp>
#include <gradus/core/table.hpp>

#include <cmath>

namespace gradus::test {
namespace {

TEST(Scaler, BringsColumnsToMeanZeroAndDeviationOne) {
  const Tensor x = tensor({{1., 10., 5.}, {2., 20., 5.}, {6., 60., 5.}}, float64);
  const Scaler scaler = Scaler::fit(x);
  const Tensor z = scaler.transform(x);
  EXPECT_LE(max_distance(z.mean(0), zeros({3}, float64)), 1e-15);
  EXPECT_LE(max_distance((z * z).mean(0), tensor({1., 1., 0.}, float64)), 1e-15);  // the last does not vary
  EXPECT_LE(max_distance(scaler.inverse(z), x), 1e-14);
  EXPECT_EQ(scaler.transform(x.to(float32)).dtype(), float32);
  const double deviation = std::sqrt((4. + 1. + 9.) / 3);
  EXPECT_NEAR(scaler.transform(tensor({{0., 0., 6.}}, float64))[0][0].item<double>(), -3 / deviation, 1e-15);
  EXPECT_EQ(scaler.transform(tensor({{0., 0., 6.}}, float64))[0][2].item<double>(), 1);
}

TEST(Scaler, IsSavedWithACheckpoint) {
  const Tensor x = tensor({{1., 10.}, {2., 30.}, {6., -5.}});
  const Scaler scaler = Scaler::fit(x);
  const TemporaryFolder folder;
  for (const char* name : {"model.pt", "model.safetensors"}) {
    Value file;
    file["scaler"] = scaler.state_dict();
    save_value(file, folder / name);
    Scaler again;
    again.load_state_dict(load_value(folder / name)["scaler"].as_state_dict());
    expect_tensor(again.transform(x), scaler.transform(x));
  }
}

TEST(Scaler, RefusesWhatDoesNotFit) {
  expect_error<ValueError>("Scaler::fit: expected finite numbers", [] { Scaler::fit(tensor({{1., NAN}})); });
  expect_error<ValueError>("Scaler::fit: expected at least one row", [] { Scaler::fit(zeros({0, 2})); });
  expect_error<ValueError>("Scaler::fit: expected rows and columns of floating numbers, got int64 [2]", [] {
    Scaler::fit(tensor({1, 2}));
  });
  expect_error<RuntimeError>("Scaler: it was neither fitted nor loaded", [] { Scaler().transform(ones({1, 2})); });
  Scaler scaler = Scaler::fit(tensor({{1., 2.}, {3., 5.}}));
  expect_error<RuntimeError>("Scaler: expected 2 columns as in fit(), got 3", [&] { scaler.transform(ones({1, 3})); });
  expect_error<RuntimeError>("Scaler: expected mean and deviation of one length", [&] {
    scaler.load_state_dict({{"mean", ones({2})}, {"deviation", ones({3})}});
  });
  expect_error<KeyError>("no tensor named 'mean'", [&] { scaler.load_state_dict({}); });
  EXPECT_EQ(scaler.transform(tensor({{2., 3.5}}))[0][1].item<float>(), 0);
}

}  // namespace
}  // namespace gradus::test
