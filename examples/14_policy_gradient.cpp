// A pole on a cart, balanced by a policy that learns from its own games: REINFORCE (R. Williams 1992,
// doi:10.1007/BF00992696), with the mean return as baseline. BatchNorm1d brings what the policy sees to one scale.
#include <gradus/gradus.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>

using namespace gradus;

/// A. Barto, R. Sutton, C. Anderson (1983), doi:10.1109/TSMC.1983.6313077, with the constants of Gym's CartPole-v1.
/// Metres, radians, seconds.
class CartPole {
 public:
  static constexpr int longest = 500;

  CartPole() {
    const Tensor start = uniform_(empty({4}), -0.05, 0.05);
    std::copy_n(start.data<float>().begin(), 4, state_.begin());
  }
  const std::array<float, 4>& state() const { return state_; }  // position, speed, angle, angular speed
  /// Pushes to the left (0) or to the right (1); whether the pole still stands.
  bool push(std::int64_t direction) {
    constexpr float time = 0.02F, gravity = 9.8F, cart_and_pole = 1.1F, pole = 0.1F, half_length = 0.5F;
    auto& [x, v, angle, spin] = state_;
    const float force = direction == 1 ? 10.F : -10.F, sine = std::sin(angle), cosine = std::cos(angle);
    const float pull = (force + pole * half_length * spin * spin * sine) / cart_and_pole;
    const float turn =
        (gravity * sine - cosine * pull) / (half_length * (4.F / 3 - pole * cosine * cosine / cart_and_pole));
    const float acceleration = pull - pole * half_length * turn * cosine / cart_and_pole;
    x += time * v;
    v += time * acceleration;
    angle += time * spin;
    spin += time * turn;
    return ++steps_ < longest && std::abs(x) < 2.4F && std::abs(angle) < 0.2095F;  // 12 degrees
  }

 private:
  std::array<float, 4> state_;
  int steps_ = 0;
};

/// What the policy saw and did, and what each action brought: the steps still to come, discounted.
struct Games {
  std::vector<float> states, returns;
  std::vector<std::int64_t> actions;

  /// Plays one, every action by `choose(state)`. Returns the number of steps.
  template <class Choose>
  std::int64_t play(Choose choose) {
    const std::size_t first = actions.size();
    CartPole game;
    do {
      states.insert(states.end(), game.state().begin(), game.state().end());
      actions.push_back(choose(from_span(std::span<const float>(game.state()), {1, 4})));
    } while (game.push(actions.back()));
    returns.resize(actions.size());
    float later = 0;
    for (std::size_t t = actions.size(); t-- > first;) returns[t] = later = 1 + 0.99F * later;
    return static_cast<std::int64_t>(actions.size() - first);
  }
};

/// The mean number of steps of `count` games, and the games.
template <class Choose>
std::pair<double, Games> play_many(nn::Sequential& policy, int count, Choose choose) {
  const NoGradGuard no_grad;
  policy.eval();
  Games games;
  std::int64_t steps = 0;
  for (int i = 0; i < count; ++i) steps += games.play([&](const Tensor& state) { return choose(policy(state)); });
  return {static_cast<double>(steps) / count, std::move(games)};
}

std::int64_t drawn(const Tensor& logits) { return multinomial(logits.softmax(1), 1).item<std::int64_t>(); }
std::int64_t best(const Tensor& logits) { return logits.argmax().item<std::int64_t>(); }

/// Makes actions likelier the more they brought above the mean.
void learn(nn::Sequential& policy, optim::Optimizer& optimizer, const Games& games) {
  const auto n = static_cast<std::int64_t>(games.actions.size());
  const Tensor returns = from_span(games.returns, n), advantage = (returns - returns.mean()) / (returns.std() + 1e-6);
  policy.train();
  const Tensor log_p = policy(from_span(games.states, {n, 4})).log_softmax(1);
  const Tensor loss = -(log_p.gather(1, from_span(games.actions, {n, 1})).squeeze(1) * advantage).mean();
  optimizer.zero_grad();
  loss.backward();
  optimizer.step();
}

int main(int argc, char** argv) {
  manual_seed(argc > 1 ? std::atoi(argv[1]) : 0);
  nn::Sequential policy{nn::BatchNorm1d(4, {.affine = false}), nn::Linear(4, 32), nn::Tanh(), nn::Linear(32, 2)};
  optim::Adam adam(policy.parameters(), {.lr = 0.005});

  for (int round = 1; round <= 100; ++round) {
    const auto [steps, games] = play_many(policy, 20, drawn);
    learn(policy, adam, games);
    if (round % 10 == 0) std::printf("after %4d games: %5.1f steps\n", 20 * round, steps);
  }
  const double steps = play_many(policy, 100, best).first;
  std::printf("100 games with the likelier action: %.1f steps on average, of at most %d\n", steps, CartPole::longest);
  return steps >= 195 ? 0 : 1;
}
