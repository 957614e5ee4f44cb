#include "training.hpp"

#include <chrono>
#include <cmath>

using namespace gradus;

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

std::unique_ptr<optim::Optimizer> make_optimizer(const Settings& settings, const std::vector<Tensor>& parameters) {
  if (settings.optimizer == "adam") {
    return std::make_unique<optim::Adam>(parameters, optim::AdamOptions{.lr = settings.lr});
  }
  if (settings.optimizer == "adamw") {
    return std::make_unique<optim::AdamW>(parameters, optim::AdamWOptions{.lr = settings.lr});
  }
  return std::make_unique<optim::SGD>(parameters, optim::SGDOptions{.lr = settings.lr, .momentum = 0.9});
}

double count_correct(const Tensor& logits, const Tensor& y) { return (logits.argmax(1) == y).sum().item<double>(); }

/// What the schedule, the order of the images and their division into two parts depend on.
Value lasting(const Settings& settings) {
  return Value::dict(
      {{"epochs", settings.epochs}, {"batch-size", settings.batch_size}, {"lr", settings.lr}, {"seed", settings.seed}});
}

/// Throws ValueError, with all that differs, unless both are equal.
void check_lasting(const std::string& path, const Value& saved, const Value& given) {
  std::string theirs, ours;
  for (const auto& [name, value] : given.as_dict()) {
    const double now = value.as_double(), then = saved.at(name).as_double();
    if (now == then) continue;
    theirs += " --" + name.as_string() + " " + format_number(then);
    ours += " --" + name.as_string() + " " + format_number(now);
  }
  if (theirs.empty()) return;
  throw ValueError(
      path + ": this training began with" + theirs + ", not" + ours +
      "; the learning rate falls in one cosine over all epochs, and the seed chooses and orders the images, so "
      "repeat the former to go on, or leave --resume out to train anew");
}

}  // namespace

std::optional<Value> settings_in(const Value& file) {
  using Kind = Value::Kind;
  if (file.kind() != Kind::dict || !file.contains("progress")) return std::nullopt;
  const Value& progress = file.at("progress");
  if (progress.kind() != Kind::dict || !progress.contains("settings")) return std::nullopt;
  return progress.at("settings");
}

nn::Sequential make_mlp(const std::vector<std::int64_t>& sizes, bool batch_norm) {
  nn::Sequential net;
  for (std::size_t i = 0; i + 2 < sizes.size(); ++i) {
    net.push_back(nn::Linear(sizes[i], sizes[i + 1], {.bias = !batch_norm}));
    if (batch_norm) net.push_back(nn::BatchNorm1d(sizes[i + 1]));
    net.push_back(nn::ReLU());
  }
  net.push_back(nn::Linear(sizes[sizes.size() - 2], sizes.back()));
  return net;
}

Tensor predict(nn::Module& model, const Tensor& x) {
  const NoGradGuard no_grad;
  const nn::EvalGuard eval(model);
  return model(x).argmax(1);
}

Score evaluate(nn::Module& model, const Images& images) {
  const NoGradGuard no_grad;
  const nn::EvalGuard eval(model);
  constexpr std::int64_t at_once = 1000;
  const std::int64_t count = images.y.numel();
  Score sum;
  for (std::int64_t start = 0; start < count; start += at_once) {
    const std::int64_t n = std::min(at_once, count - start);
    const Tensor logits = model(images.x.narrow(0, start, n)), y = images.y.narrow(0, start, n);
    sum.loss += nn::functional::cross_entropy(logits, y, {.reduction = nn::Reduction::sum}).item();
    sum.accuracy += count_correct(logits, y);
  }
  return {sum.loss / static_cast<double>(count), sum.accuracy / static_cast<double>(count)};
}

Training::Training(nn::Module& model, const ImageSet& images, const Settings& settings)
    : model_(model),
      images_(images),
      settings_(settings),
      optimizer_(make_optimizer(settings, model.parameters())),
      schedule_(*optimizer_, settings.epochs) {
  const std::int64_t examples = images.train.y.numel();
  if (settings.batch_size > examples) {
    throw ValueError("a batch of " + std::to_string(settings.batch_size) + " needs more than the " +
                     std::to_string(examples) + " training images");
  }
}

void Training::throw_diverged() const {
  throw ValueError("the training diverged at step " + std::to_string(progress_.step + 1) + " of epoch " +
                   std::to_string(progress_.epoch + 1) + "\ntake a smaller --lr");
}

Tensor Training::forward(const Tensor& x) {
  try {
    return model_(x);
  } catch (const ValueError&) {  // BatchNorm refuses what is not finite
    throw_diverged();
  }
}

void Training::train_step(const Tensor& rows) {
  const Tensor x = images_.train.x.index_select(0, rows), y = images_.train.y.index_select(0, rows);
  optimizer_->zero_grad();
  const Tensor logits = forward(x);
  const Tensor loss = nn::functional::cross_entropy(logits, y);
  last_loss_ = loss.item();
  if (!std::isfinite(last_loss_)) throw_diverged();
  loss.backward();
  optimizer_->step();

  progress_.loss_sum += last_loss_;
  progress_.correct += count_correct(logits, y);
  ++progress_.step;
}

bool Training::run_epoch(Observer& observer, const volatile std::sig_atomic_t* interrupted) {
  if (progress_.order.empty()) {
    progress_.order = default_generator().state();
  } else {
    default_generator().set_state(progress_.order);
  }
  const std::int64_t examples = images_.train.y.numel(), batch = settings_.batch_size;
  const std::int64_t steps = examples / batch;  // an incomplete last batch is left out
  const Tensor order = randperm(examples);
  while (progress_.step < steps) {
    if (*interrupted) return false;
    train_step(order.narrow(0, progress_.step * batch, batch));
    observer.on_step(progress_.epoch + 1, progress_.step, steps, last_loss_);
    if (settings_.save_every > 0 && progress_.step % settings_.save_every == 0) save();
  }
  return true;
}

bool Training::run(Observer& observer, const volatile std::sig_atomic_t* interrupted) {
  save();  // a path that cannot be written to is found before the work, not after it
  const auto start = Clock::now();
  while (progress_.epoch < settings_.epochs) {
    const auto epoch_start = Clock::now();
    const std::int64_t first = progress_.step;
    if (!run_epoch(observer, interrupted)) {
      save();
      return false;
    }
    const auto steps = static_cast<double>(progress_.step);
    const auto seen = static_cast<double>((progress_.step - first) * settings_.batch_size);
    const double rate = seen / seconds_since(epoch_start);
    const Score train = {progress_.loss_sum / steps,
                         progress_.correct / (steps * static_cast<double>(settings_.batch_size))};
    progress_ = {.epoch = progress_.epoch + 1};
    schedule_.step();
    const Score test = evaluate(model_, images_.test);
    observer.on_epoch({progress_.epoch, train, test, seconds_since(start), rate});
    save();
  }
  return true;
}

void Training::save() {
  if (settings_.save_path.empty()) return;
  Value progress;
  progress["settings"] = lasting(settings_);
  progress["epoch"] = progress_.epoch;
  progress["step"] = progress_.step;
  progress["loss_sum"] = progress_.loss_sum;
  progress["correct"] = progress_.correct;
  Generator order = default_generator();
  if (!progress_.order.empty()) order.set_state(progress_.order);  // the epoch will draw its order again
  optim::save_checkpoint(settings_.save_path, {model_, *optimizer_, &schedule_, &order}, progress);
}

void Training::resume(const std::string& path) {
  const std::optional<Value> settings = settings_in(load_value(path));
  if (!settings) throw ValueError(path + ": no checkpoint of a training; --eval tests weights alone");
  check_lasting(path, *settings, lasting(settings_));
  const Value progress = optim::load_checkpoint(path, {model_, *optimizer_, &schedule_, &default_generator()});
  progress_ = {.epoch = progress.at("epoch").as_int(),
               .step = progress.at("step").as_int(),
               .loss_sum = progress.at("loss_sum").as_double(),
               .correct = progress.at("correct").as_double(),
               .order = default_generator().state()};
}
