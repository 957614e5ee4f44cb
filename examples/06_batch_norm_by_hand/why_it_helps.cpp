// Section 15: two experiments after S. Santurkar, D. Tsipras, A. Ilyas, A. Madry (2018), "How Does Batch Normalization
// Help Optimization?"
#include "digits.hpp"
#include "lesson.hpp"
#include "training.hpp"

#include <cmath>
#include <utility>

namespace lesson {

namespace {

/// Moves and stretches every unit at random, anew in every step: what BatchNorm has steadied is unsteady again.
struct Noise : nn::Module {
  Tensor forward(const Tensor& x) const override {
    if (!training()) return x * 1.25;
    const auto uniform = [](const Shape& shape) { return rand(shape, float64) * 2 - 1; };
    const Shape unit{1, x.size(1)};
    const Tensor scale = uniform(unit), shift = uniform(unit);
    const Tensor scale_of_one = uniform(x.shape()), shift_of_one = uniform(x.shape());
    return x * (1.25 + 0.25 * scale + 0.1 * scale_of_one) + (shift + 0.1 * shift_of_one);
  }
};

enum class Kind { plain, batch_norm, noisy };

nn::Sequential make_net(Kind kind) {
  manual_seed(14);
  nn::Sequential net;
  for (const std::int64_t inputs : {64, 32, 32}) {
    nn::Linear linear(inputs, 32, {.bias = kind == Kind::plain, .dtype = float64});
    nn::init::kaiming_normal_(linear.weight, 0, nn::init::FanMode::fan_in, nn::init::Nonlinearity::relu);
    net.push_back(std::move(linear));
    if (kind != Kind::plain) net.push_back(nn::BatchNorm1d(32, {.dtype = float64}));
    if (kind == Kind::noisy) net.push_back(Noise());
    net.push_back(nn::ReLU());
  }
  net.push_back(nn::Linear(32, 10, {.dtype = float64}));
  return net;
}

/// |g' - g| / |g|: g the gradient that the parameters hold, g' the one for the same batch after a step. Takes a copy of
/// the net, and leaves no trace.
double change_of_gradient(nn::Sequential net, const std::vector<Tensor>& parameters, const Tensor& x, const Tensor& y,
                          double lr) {
  const std::vector<Tensor> moved = net.parameters();
  for (std::size_t i = 0; i < moved.size(); ++i) moved[i].detach().sub_(parameters[i].grad(), lr);
  net.zero_grad();
  loss_with_gradients(net, x, y);
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < moved.size(); ++i) {
    difference += (moved[i].grad() - parameters[i].grad()).square().sum().item();
    size += parameters[i].grad().square().sum().item();
  }
  return std::sqrt(difference / size);
}

struct Outcome {
  std::vector<double> losses;
  double test, change, moved;
};

Outcome train_net(const ImageSet& digits, Kind kind, double lr) {
  nn::Sequential net = make_net(kind);
  const std::vector<Tensor> parameters = net.parameters();
  double changes = 0, moved = 0;
  int steps = 0, measured = 0;
  for (nn::Module* module : net.modules()) {
    if (!dynamic_cast<nn::ReLU*>(module)) continue;
    // How far the means of its units have moved since the step before, in deviations.
    module->register_forward_pre_hook([&moved, last = Tensor()](nn::Module&, const Tensor& x) mutable {
      const Tensor now = x.detach(), mean = now.mean({0});
      if (last.defined()) moved += ((mean - last).abs() / now.std({0})).mean().item();
      last = mean;
    });
  }
  const auto gradients = [&](const Tensor& x, const Tensor& y) {
    const Generator noise = default_generator();  // both gradients of change_of_gradient meet the same noise
    const double loss = loss_with_gradients(net, x, y);
    if (steps++ % 6 == 0) {
      const Generator next = std::exchange(default_generator(), noise);
      changes += change_of_gradient(net, parameters, x, y, lr);
      default_generator() = next;
      ++measured;
    }
    return loss;
  };
  const auto losses = train(net, digits.train, lr, gradients);
  const double move = moved / (steps - 1) / 3;  // of a layer in a step; what follows moves them, too
  return {losses, evaluate(net, digits.test.x, digits.test.y).accuracy, changes / measured, move};
}

void noise_behind_batch_norm(Page& page, const ImageSet& digits) {
  const Outcome plain = train_net(digits, Kind::plain, 0.1), normed = train_net(digits, Kind::batch_norm, 0.1),
                noisy = train_net(digits, Kind::noisy, 0.1);
  TextTable nets({"net", "loss 1", "2", "5", "10", "test", "inputs move", "gradient changes"});
  const auto row = [&](const char* name, const Outcome& o) {
    nets.row(name, fixed(o.losses[0], 2), fixed(o.losses[1], 2), fixed(o.losses[4], 2), fixed(o.losses[9], 2),
             percent(o.test, 0), fixed(o.moved, 2), fixed(o.change, 2));
  };
  row("no BatchNorm", plain);
  row("BatchNorm", normed);
  row("with noise", noisy);
  page.show(nets);
  page.claim("BatchNorm steadies the inputs: they move less than a tenth as far as without",
             normed.moved < 0.1 * plain.moved);
  page.claim("with noise behind it they move further than without BatchNorm", noisy.moved > plain.moved);
  page.claim("and that net learns all the same: its test images are recognised as well, its loss ends close by",
             noisy.test > plain.test - 0.02 && noisy.losses[9] < 2 * plain.losses[9]);
  page.claim(R"(what BatchNorm keeps with and without noise: a gradient still holds after the step along it, while
      without BatchNorm it turns into another one)",
             normed.change < 0.4 && noisy.change < 0.4 && plain.change > 0.8);
}

void larger_steps(Page& page, const ImageSet& digits) {
  page.say("Where gradients hold for longer, larger steps are possible. The loss after ten epochs:");
  TextTable rates({"learning rate", "no BatchNorm", "BatchNorm"});
  double without = 0, with = 0;
  for (const double lr : {0.03, 0.1, 0.3, 1.0, 3.0}) {
    without = train_net(digits, Kind::plain, lr).losses.back();
    with = train_net(digits, Kind::batch_norm, lr).losses.back();
    const auto text = [](double loss) { return loss < 1 ? fixed(loss, 2) : "over 1"; };
    rates.row(fixed(lr, 2), text(without), text(with));
  }
  page.show(rates);
  page.claim(R"(with the largest of these learning rates the net without BatchNorm has learned nothing (guessing has a
      loss of log 10 = 2.3), with BatchNorm it has learned the digits)",
             without > 2.2 && with < 0.2);
}

}  // namespace

void why_it_helps(Page& page, const Lesson&) {
  page.say(R"(Nets with BatchNorm learn faster: 07_paper_figure draws the curves of Ioffe and Szegedy (2015). Why they
      do is less plain. The paper named internal covariate shift: the inputs of a layer change their distribution while
      the layers before it learn, and BatchNorm steadies them. Santurkar et al. (2018) doubted it and put noise behind
      every BatchNorm that moves and stretches each unit anew in each step. The same on a small scale: digits, three
      hidden layers of 32 ReLUs, batches of 60, ten epochs of SGD, learning rate 0.1, seed 14. "Inputs move" is how far
      the mean input of a ReLU is from that of the step before, in deviations; "gradient changes" is |g' - g| / |g|,
      where g' is the gradient of the same batch after the step along g.)");
  const ImageSet digits = load_digits();
  noise_behind_batch_norm(page, digits);
  larger_steps(page, digits);
  page.say(R"(So steady inputs cannot be the whole reason: behind the noise they were less steady than without
      BatchNorm. What remained was a loss that changes more smoothly along a step. That is one finding, seen here on one
      small net. Section 6 showed another part: dW shrinks as W grows, so every unit finds a step size of its own. The
      discussion is not closed, and covariate shift should not be taught as if it were the answer.)");
}

}  // namespace lesson
