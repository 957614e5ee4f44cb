// The graph as a picture: a small expression and BatchNorm node by node, before and after backward. Writes files for
// Graphviz into the folder of its argument; examples/render turns them into SVG.
#include "command_line.hpp"
#include "output_file.hpp"

#include <gradus/gradus.hpp>

#include <CLI/CLI.hpp>

#include <cstdio>
#include <filesystem>

using namespace gradus;

namespace {

void write(const std::string& path, const std::string& text) {
  OutputFile(path).write(text);
  std::printf("%s\n", path.c_str());
}

/// Two pictures of the graph behind `loss`: without gradients, and with them.
void draw(const std::string& path, const Tensor& loss, const StateDict& state = {}) {
  write(path + "_before.dot", to_dot(loss, {.state = state}));
  loss.backward({.retain_graph = true});  // else what was saved would be gone in the second picture
  write(path + "_after.dot", to_dot(loss, {.state = state}));
}

/// The loss of the first example.
Tensor expression() {
  const TraceGuard trace;  // keeps the value and the gradient of every result for the picture
  const Tensor x = set_name(tensor({{1.0, 2.0}, {3.0, 4.0}, {5.0, 6.0}}), "x");
  const Tensor w = set_name(tensor({0.5, -1.0}).requires_grad_(), "w");
  return set_name((x.matmul(w) - 1).square().mean(), "loss");
}

/// A batch of one column, and a loss that weighs the results with dy, so that dy is their gradient.
Tensor batch() { return set_name(tensor({{1.0}, {7.0}, {9.0}, {15.0}}).requires_grad_(), "x"); }
Tensor weighed(const Tensor& y) {
  const Tensor dy = set_name(tensor({{1.0}, {-1.0}, {2.0}, {0.0}}), "dy");
  return set_name((set_name(y, "y") * dy).sum(), "loss");
}

/// Training, as algorithm 1 of Ioffe & Szegedy 2015: the statistics are part of the graph.
Tensor batch_norm_training(const nn::BatchNorm1d& bn) {
  const TraceGuard trace;
  const Tensor x = batch();
  const Tensor mean = set_name(x.mean(0), "mean");
  const Tensor centered = set_name(x - mean, "centered");
  const Tensor square = set_name(centered.square(), "square");
  const Tensor var = set_name(square.mean(0), "var");
  const Tensor std = set_name((var + bn.options().eps).sqrt(), "std");
  const Tensor rstd = set_name(1 / std, "rstd");
  const Tensor xhat = set_name(centered * rstd, "xhat");
  return weighed(xhat * bn.weight + bn.bias);
}

/// Evaluation: they are constants.
Tensor batch_norm_evaluation(const nn::BatchNorm1d& bn) {
  const TraceGuard trace;
  const Tensor std = set_name((bn.running_var + bn.options().eps).sqrt(), "std");
  const Tensor xhat = set_name((batch() - bn.running_mean) / std, "xhat");
  return weighed(xhat * bn.weight + bn.bias);
}

}  // namespace

int main(int argc, char** argv) {
  return run_program("graph", [&] {
    std::filesystem::path folder = ".";
    CLI::App app("Write graphs of a small expression and of BatchNorm, for Graphviz.");
    app.add_option("FOLDER", folder, "where to write them; made when it is not there")->check(not_empty);
    parse_command_line(app, argc, argv);
    std::filesystem::create_directory(folder);
    draw(folder / "expression", expression());

    nn::BatchNorm1d bn(1, {.eps = 0});  // as in nn/README.md and 06_batch_norm_by_hand: exact by hand
    nn::init::constant_(bn.weight, 2);
    nn::init::constant_(bn.bias, 1);
    draw(folder / "batch_norm_training", batch_norm_training(bn), bn.state_dict());
    bn.zero_grad();
    bn(batch());  // moves the running buffers
    draw(folder / "batch_norm_evaluation", batch_norm_evaluation(bn), bn.state_dict());
    return 0;
  });
}
