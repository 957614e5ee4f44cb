#include "timing.hpp"
#include "train_mlp.hpp"

#include <cmath>

using namespace gradus;

namespace {

std::unique_ptr<optim::Optimizer> make_optimizer(const Settings& settings, const std::vector<Tensor>& parameters) {
  if (settings.optimizer == "adam") {
    return std::make_unique<optim::Adam>(parameters, optim::AdamOptions{.lr = settings.lr});
  }
  if (settings.optimizer == "adamw") {
    return std::make_unique<optim::AdamW>(parameters, optim::AdamWOptions{.lr = settings.lr});
  }
  return std::make_unique<optim::SGD>(parameters, optim::SGDOptions{.lr = settings.lr, .momentum = 0.9});
}

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

Trainer::Trainer(nn::Module& model, const Images& images, const Settings& settings)
    : model_(model),
      images_(images),
      settings_(settings),
      optimizer_(make_optimizer(settings, model.parameters())),
      schedule_(*optimizer_, settings.epochs) {
  const std::int64_t examples = images.y.numel();
  if (settings.batch_size > examples) {
    throw ValueError("a batch of " + std::to_string(settings.batch_size) + " needs more than the " +
                     std::to_string(examples) + " training images");
  }
}

void Trainer::throw_diverged() const {
  throw ValueError("the training diverged at step " + std::to_string(progress_.step + 1) + " of epoch " +
                   std::to_string(progress_.epoch + 1) + "\ntake a smaller --lr");
}

double Trainer::train_step(const Tensor& rows) {
  const Tensor x = images_.x.index_select(0, rows), y = images_.y.index_select(0, rows);
  optimizer_->zero_grad();
  Tensor logits;
  try {
    logits = model_(x);
  } catch (const ValueError&) {  // BatchNorm refuses what is not finite
    throw_diverged();
  }
  const Tensor loss = nn::functional::cross_entropy(logits, y);
  if (!std::isfinite(loss.item())) throw_diverged();
  loss.backward();
  optimizer_->step();

  progress_.loss_sum += loss.item();
  progress_.correct += (logits.argmax(1) == y).sum().item();
  ++progress_.step;
  return loss.item();
}

bool Trainer::run_epoch(Report& report, const volatile std::sig_atomic_t* interrupted) {
  if (progress_.order.empty()) {
    progress_.order = default_generator().state();
  } else {
    default_generator().set_state(progress_.order);
  }
  const std::int64_t examples = images_.y.numel(), batch = settings_.batch_size;
  const std::int64_t steps = examples / batch;  // an incomplete last batch is left out
  const Tensor order = randperm(examples);
  while (progress_.step < steps) {
    if (*interrupted) return false;
    const double loss = train_step(order.narrow(0, progress_.step * batch, batch));
    report.on_step(progress_.epoch + 1, progress_.step, steps, loss);
    if (settings_.save_every > 0 && progress_.step % settings_.save_every == 0) save();
  }
  return true;
}

bool Trainer::run(const Images& test, Report& report, const volatile std::sig_atomic_t* interrupted) {
  save();  // a path that cannot be written to is found before the work, not after it
  const double start = now();
  while (progress_.epoch < settings_.epochs) {
    const double epoch_start = now();
    const std::int64_t first = progress_.step;
    if (!run_epoch(report, interrupted)) {
      save();
      return false;
    }
    const auto steps = static_cast<double>(progress_.step), batch = static_cast<double>(settings_.batch_size);
    const double rate = (steps - static_cast<double>(first)) * batch / (now() - epoch_start);
    const Score train = {progress_.loss_sum / steps, progress_.correct / (steps * batch)};
    progress_ = {.epoch = progress_.epoch + 1};
    schedule_.step();
    report.on_epoch({progress_.epoch, train, evaluate(model_, test.x, test.y), now() - start, rate});
    save();
  }
  return true;
}

void Trainer::save() {
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

void Trainer::resume(const std::string& path) {
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
