#include "tabular.hpp"
#include "terminal.hpp"
#include "text.hpp"

#include <cmath>
#include <cstdio>

using namespace gradus;

void train(nn::Sequential& net, const TensorDataset<2>& training, const TensorDataset<2>& validation,
           const TrainingOptions& options) {
  optim::AdamW optimizer(net.parameters(), {.lr = options.lr, .weight_decay = 0.01});
  // BatchNorm needs two rows for a variance: a last batch of one is left out.
  const std::int64_t rows = training.size(), size = options.batch_size;
  DataLoader loader(training, {.batch_size = size, .shuffle = true, .drop_last = rows > size && rows % size == 1});
  const auto& [x, y] = validation.tensors();
  nn::Sequential best;
  double least = INFINITY;
  std::int64_t best_epoch = 0;
  ProgressLine line(stdout, false);
  for (std::int64_t epoch = 1; epoch <= options.epochs && epoch <= best_epoch + options.patience; ++epoch) {
    const double training_loss = train_epoch(net, optimizer, loader);
    const double loss = loss_of(outputs_of(net, x), y).item();
    if (!std::isfinite(loss)) {
      throw ValueError("the training diverged in epoch " + std::to_string(epoch) + "\ntake a smaller --lr");
    }
    if (loss < least) {
      least = loss;
      best_epoch = epoch;
      best = nn::clone(net);
    }
    const std::string text =
        formatted("epoch %d: loss %.4f, on validation %.4f, best %.4f in epoch %d", static_cast<int>(epoch),
                  training_loss, loss, least, static_cast<int>(best_epoch));
    if (epoch == options.epochs || epoch - best_epoch == options.patience) {
      line.print(text);
    } else if (line.due()) {
      line.update(text);
    }
  }
  net.load_state_dict(best.state_dict());
}
