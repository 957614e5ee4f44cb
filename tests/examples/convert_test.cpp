// examples/08_convert as its users meet it.
#include "files.hpp"
#include "names.hpp"
#include "paths.hpp"
#include "run.hpp"
#include "tensors.hpp"

#include <gradus/gradus.hpp>

#include <algorithm>

namespace gradus::test {
namespace {

const std::string golden = source_path("tests/golden/files/");

class Convert : public ::testing::Test {
 protected:
  std::string path(const std::string& name) const { return folder_ / name; }

  /// Runs it in the folder of the test, so that names in its text are short.
  Outcome run(const std::string& arguments) const {
    return run_example("08_convert " + arguments, folder_.path().string());
  }
  void expect_success(const std::string& arguments) const {
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.status, 0) << arguments << '\n' << outcome.out;
  }
  void expect_text(const std::string& arguments, const std::string& part) const {
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.status, 0) << arguments << '\n' << outcome.out;
    EXPECT_NE(outcome.out.find(part), std::string::npos) << outcome.out;
  }
  /// One line, and the status 1.
  void expect_refusal(const std::string& arguments, const std::string& text) const {
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.status, 1) << arguments;
    EXPECT_EQ(outcome.out, "convert: " + text + "\n") << arguments;
  }

 private:
  TemporaryFolder folder_;
};

void expect_same(const StateDict& got, const StateDict& expected) {
  EXPECT_EQ(got.size(), expected.size());
  for (const auto& [name, tensor] : expected) expect_tensor(got.at(name), tensor);
}

// --- formats

TEST_F(Convert, BringsWeightsThroughEveryFormat) {
  const StateDict weights = load(golden + "state_dict.pt");
  save(weights, path("0.pt"));
  expect_text("0.pt 1.safetensors", "wrote 1.safetensors, tensors: 8\n");
  expect_success("1.safetensors 2.npz");
  expect_success("2.npz 3.pth");
  for (const char* name : {"1.safetensors", "2.npz", "3.pth"}) expect_same(load(path(name)), weights);
  EXPECT_TRUE(load_metadata(path("1.safetensors")).contains("format"));
  EXPECT_FALSE(load_metadata(path("1.safetensors")).contains("gradus.value"));
}

TEST_F(Convert, TakesTheFormatFromAnOption) {
  save({{"x", tensor({1.5, 2.5})}}, path("weights.bin"), {.format = FileFormat::pytorch});
  expect_success("weights.bin weights.dat --from pt --format npy");
  expect_tensor(load(path("weights.dat"), {.format = FileFormat::npy}).at("arr_0"), tensor({1.5, 2.5}));
  expect_success("weights.bin x.pt");  // its content tells the format
  write_text(path("other.bin"), "something else");
  expect_refusal("other.bin x.pt",
                 "the extension of 'other.bin' tells no format; name it with --from: safetensors, pt, npz or npy");
  expect_refusal("weights.bin x.onnx --from pt",
                 "the extension of 'x.onnx' tells no format; name it with --format: safetensors, pt, npz or npy");
  for (const char* format : {"safetensors", "pt", "npz", "npy"}) {
    const Outcome outcome = run("weights.bin x.pt --from onnx");
    EXPECT_EQ(outcome.status, 1);
    EXPECT_NE(outcome.out.find(format), std::string::npos) << outcome.out;
  }
}

TEST_F(Convert, KeepsAllOfACheckpointWhereTheFormatCan) {
  expect_success(golden + "checkpoint.pt direct.pt");
  expect_text("direct.pt through.safetensors",
              "where gradus finds them and other programs do not look: numbers and strings, 53\n");
  expect_success("through.safetensors back.pt");
  EXPECT_EQ(read_text(path("back.pt")), read_text(path("direct.pt")));
  EXPECT_EQ(load_value(path("back.pt"))["name"].as_string(), "Größe 𝄞");

  expect_text("direct.pt arrays.npz", "left out, because NumPy's formats hold arrays alone: numbers and strings, 53\n");
  expect_same(load(path("arrays.npz")), load(path("direct.pt")));
}

TEST_F(Convert, KeepsTiedWeightsOnce) {
  const Tensor x = ones({1000});
  save({{"a", x}, {"b", x}}, path("tied.pt"));
  expect_success("tied.pt again.pt");
  EXPECT_EQ(read_text(path("again.pt")), read_text(path("tied.pt")));
}

TEST_F(Convert, KeepsMetadataOrSaysThatItCannot) {
  save({{"x", ones({2})}}, path("a.safetensors"), {.metadata = {{"author", "me"}}});
  expect_success("a.safetensors b.safetensors");
  EXPECT_EQ(load_metadata(path("b.safetensors")).at("author"), "me");
  expect_text("a.safetensors b.pt", "left out the metadata 'author'\n");
}

TEST_F(Convert, TakesWhatObjectsOfPythonHoldAndSaysWhatIsLost) {
  expect_text(golden + "whole_module.pt module.safetensors", "wrote module.safetensors, tensors: 18\n");
  expect_same(load(path("module.safetensors")), load(golden + "whole_module_state_dict.pt"));
  expect_text(golden + "objects4.pt objects.pt --prefix model", "wrote objects.pt, tensors: 8\n");
  expect_text(golden + "objects4.pt objects.pt", "left out, because only Python can make it: 'complex', a complex\n");
  expect_text(golden + "objects4.pt objects.pt", "'optimizer', a torch.optim.adam.Adam\n");
  EXPECT_EQ(load_value(path("objects.pt"))["device"].as_string(), "cuda:1");
  expect_text(golden + "mixed.npz x.npz",
              "left out, because only Python can make it: 'names', a numpy.ndarray of <U3\n");

  const std::string list = run("--list " + golden + "objects4.pt").out;
  for (const char* line : {"optimizer", "torch.optim.adam.Adam", "(passed over)", "cuda:1", "numpy.ndarray"}) {
    EXPECT_NE(list.find(line), std::string::npos) << line << '\n' << list;
  }
  expect_text("--list " + golden + "whole_module.pt", "__main__.Net");
  expect_text("--list " + golden + "whole_module.pt", "stack.0.running_mean");
}

// --- parts

TEST_F(Convert, TakesTheWeightsOfACheckpointAlone) {
  expect_success(golden + "checkpoint.pt weights.npz --weights");
  expect_same(load(path("weights.npz")), load(golden + "checkpoint.pt").part("model_state_dict."));

  save({{"module.0.weight", ones({2, 3})}, {"module.0.bias", ones({2})}}, path("parallel.pt"));
  expect_success("parallel.pt weights.pt --weights");
  EXPECT_EQ(names(load(path("weights.pt"))), (std::vector<std::string>{"0.weight", "0.bias"}));
  save({{"model.0.weight", ones({2, 3})}, {"head.weight", ones({2})}}, path("own.pt"));
  expect_success("own.pt weights.pt --weights");
  EXPECT_EQ(names(load(path("weights.pt"))), (std::vector<std::string>{"model.0.weight", "head.weight"}));
}

TEST_F(Convert, DoesNotChooseAmongSeveral) {
  Value value;
  value["generator"] = StateDict{{"0.weight", ones({2})}};
  value["critic"] = StateDict{{"0.weight", zeros({3})}};
  save_value(value, path("gan.pt"));
  expect_refusal("gan.pt x.pt --weights",
                 "there are weights under several names; choose with --prefix: generator, critic");
  expect_success("gan.pt x.pt --prefix critic");
  expect_same(load(path("x.pt")), {{"0.weight", zeros({3})}});
  expect_refusal("gan.pt x.pt --prefix judge", "--prefix: no name begins with 'judge.'; there are: generator, critic");

  save({{"model.0.weight", ones({2})}, {"optimizer.state.0.momentum_buffer", ones({2})}}, path("flat.npz"));
  expect_refusal("flat.npz x.pt --weights",
                 "it is a checkpoint without its structure; choose with --prefix: model, optimizer");
  expect_success("flat.npz y.pt --prefix model.");
  EXPECT_EQ(names(load(path("y.pt"))), (std::vector<std::string>{"0.weight"}));
}

// --- the table

TEST_F(Convert, ListsWhatIsThere) {
  Value value;
  value["weight"] = tensor({{1.5, nan, -2.0}, {0.25, nan, 0.25}});
  value["none"] = zeros({0, 3});
  value["lost"] = tensor({nan});
  value["flags"] = tensor({true, false, true, true});
  value["big"] = tensor({INT64_MIN, 0});
  value["step"] = tensor(7);
  value["größe"] = full({1}, 1.0 / 3, float64);
  value["bell\x1b[1m"] = "a\nb";
  value["training"]["lr"] = 0.1;
  value["training"]["betas"] = Value::tuple({0.9, 1});
  value["training"]["long"] = std::string(59, 'x') + "öö";
  value["history"] = Value::list({Value::dict({{"loss", 2}}), Value()});
  save_value(value, path("a.safetensors"), {.metadata = {{"author", "me"}}});
  const Outcome outcome = run("--list a.safetensors");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.out, R"(name            type      shape                    min        mean     max  NaN
weight          float32   [2, 3]                    -2           0     1.5    2
none            float32   [0, 3]                     -           -       -    0
lost            float32   [1]                        -           -       -    1
flags           bool      [4]                        0        0.75       1    0
big             int64     [2]     -9223372036854775808  -4.612e+18       0    0
step            int64     []                         7           7       7    0
größe           float64   [1]                   0.3333      0.3333  0.3333    0
bell\x1b[1m     str       a\x0ab
training.lr     float     0.1
training.betas  tuple     (0.9, 1)
training.long   str       xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…
history.0.loss  int       2
history.1       None      None
author          metadata  me
tensors: 7, elements: 15, bytes: 64
)");
}

TEST_F(Convert, ListsTheResultOfTheOtherOptions) {
  expect_text("--list --prefix model_state_dict.out " + golden + "checkpoint.pt",
              "weight  float32  [2, 4]  -0.4918  0.04687  0.6051    0\n");
}

// --- BatchNorm

/// A net in eval mode whose BatchNorms have seen data and have weights of their own.
template <class Net>
Net trained(Net net) {
  const NoGradGuard no_grad;
  for (nn::Module* module : net.modules()) {
    if (auto* norm = dynamic_cast<nn::BatchNorm1d*>(module); norm && norm->weight.defined()) {
      norm->weight.copy_(randn({norm->num_features()}) + 2);
      norm->bias.copy_(randn({norm->num_features()}));
    }
  }
  for (int i = 0; i < 5; ++i) net(randn({16, 3}) * 2 + 1);
  net.eval();
  return net;
}

/// The weights in `file` fit `target` and give the outputs of `net`.
void expect_same_outputs(nn::Module& net, const std::string& file, nn::Module&& target) {
  target.load_state_dict(load(file));
  target.eval();
  const Tensor x = randn({9, 3});
  EXPECT_LE(relative_distance(target(x), net(x)), 1e-6);
}

class ConvertNorm : public Convert {
 protected:
  void SetUp() override { manual_seed(5); }
};

using nn::BatchNorm1d, nn::Identity, nn::Linear, nn::ReLU, nn::Sequential;

TEST_F(ConvertNorm, FoldsIntoTheLinearBefore) {
  Sequential net = trained(Sequential{Linear(3, 5, {.bias = false}), BatchNorm1d(5), ReLU(), Linear(5, 4),
                                      BatchNorm1d(4, {.affine = false}), ReLU(), Linear(4, 2)});
  for (const char* file : {"net.pt", "net.safetensors", "net.npz"}) {
    save(net.state_dict(), path(file));
    expect_text(file + std::string(" gaps.pt --fuse-batchnorm"),
                "fused '1' into '0'\nfused '4' into '3'\neps was taken to be 1e-05\n");
    expect_same_outputs(net, path("gaps.pt"),
                        Sequential{Linear(3, 5), Identity(), ReLU(), Linear(5, 4), Identity(), ReLU(), Linear(4, 2)});
    expect_same_outputs(net, path("gaps.pt"), nn::fuse(net));
    expect_success(file + std::string(" small.pt --fuse-batchnorm --renumber"));
    expect_same_outputs(net, path("small.pt"), Sequential{Linear(3, 5), ReLU(), Linear(5, 4), ReLU(), Linear(4, 2)});
  }
}

TEST_F(ConvertNorm, FoldsWithinACheckpoint) {
  Sequential net = trained(Sequential{Linear(3, 5), BatchNorm1d(5), ReLU(), Linear(5, 2)});
  optim::SGD optimizer(net.parameters(), {.lr = 0.1});
  optim::save_checkpoint(path("all.safetensors"), {net, optimizer});
  expect_success("all.safetensors small.pt --fuse-batchnorm --renumber");
  expect_same_outputs(net, path("small.pt"), Sequential{Linear(3, 5), ReLU(), Linear(5, 2)});
}

TEST_F(ConvertNorm, RenumbersInTheSequentialOfTheNorm) {
  Sequential net = trained(Sequential{Sequential{Linear(3, 5), BatchNorm1d(5), ReLU(), Linear(5, 4)}, ReLU(),
                                      Sequential{Linear(4, 3), BatchNorm1d(3), Linear(3, 2)}});
  save(net.state_dict(), path("net.pt"));
  expect_success("net.pt small.pt --fuse-batchnorm --renumber");
  expect_same_outputs(
      net, path("small.pt"),
      Sequential{Sequential{Linear(3, 5), ReLU(), Linear(5, 4)}, ReLU(), Sequential{Linear(4, 3), Linear(3, 2)}});
}

TEST_F(ConvertNorm, UsesTheEpsThatIsSaid) {
  Sequential net = trained(Sequential{Linear(3, 5), BatchNorm1d(5, {.eps = 0.5})});
  save(net.state_dict(), path("net.pt"));
  expect_text("net.pt small.pt --fuse-batchnorm --eps 0.5", "eps was taken to be 0.5\n");
  expect_same_outputs(net, path("small.pt"), Sequential{Linear(3, 5)});
  EXPECT_EQ(run("net.pt x.pt --fuse-batchnorm --eps -1").status, 1);
  EXPECT_EQ(run("net.pt x.pt --eps 1").status, 1);
}

/// Members in the order in which many people write them.
struct Net : nn::Module {
  Linear fc1{3, 4}, fc2{4, 4};
  BatchNorm1d bn1{4}, bn2{4};
  void state(nn::StateList& list) override { list("fc1", fc1)("fc2", fc2)("bn1", bn1)("bn2", bn2); }
  Tensor forward(const Tensor& x) const override { return bn2(fc2(relu(bn1(fc1(x))))); }
};

struct SmallNet : nn::Module {
  Linear fc1{3, 4}, fc2{4, 4};
  void state(nn::StateList& list) override { list("fc1", fc1)("fc2", fc2); }
  Tensor forward(const Tensor& x) const override { return fc2(relu(fc1(x))); }
};

TEST_F(ConvertNorm, FindsTheLinearOfTheSameNumber) {
  Net net = trained(Net());
  save(net.state_dict(), path("net.pt"));
  expect_text("net.pt small.pt --fuse-batchnorm", "fused 'bn1' into 'fc1'\nfused 'bn2' into 'fc2'\n");
  expect_same_outputs(net, path("small.pt"), SmallNet());
}

TEST_F(ConvertNorm, LooksBesideTheNormOnly) {
  const auto block = [](std::int64_t in) {
    return Sequential({{"fc", Linear(in, 4)}, {"norm", BatchNorm1d(4)}, {"act", ReLU()}});
  };
  const auto small = [](std::int64_t in) { return Sequential({{"fc", Linear(in, 4)}, {"act", ReLU()}}); };
  Sequential net = trained(Sequential({{"a", block(3)}, {"b", block(4)}}));
  save(net.state_dict(), path("net.pt"));
  expect_text("net.pt small.pt --fuse-batchnorm", "fused 'a.norm' into 'a.fc'\nfused 'b.norm' into 'b.fc'\n");
  expect_same_outputs(net, path("small.pt"), Sequential({{"a", small(3)}, {"b", small(4)}}));
}

TEST_F(ConvertNorm, AsksWhereNamesDoNotTellTheOrder) {
  Net net = trained(Net());
  save(net.state_dict(), path("net.safetensors"));
  expect_text("net.safetensors x.pt --fuse-batchnorm",
              "fused 'bn1' into 'fc1'\n"
              "not fused: 'bn2': it may come before or after 'fc2'; if after, say so with --pair fc2=bn2\n");
  expect_success("--pair fc2=bn2 net.safetensors small.pt --fuse-batchnorm");
  expect_same_outputs(net, path("small.pt"), SmallNet());

  // In .safetensors names are sorted, so that this order says nothing.
  StateDict square = Sequential({{"fc", Linear(3, 3)}, {"norm", BatchNorm1d(3)}}).state_dict();
  square.erase("norm.num_batches_tracked");
  save(square, path("square.safetensors"));
  expect_refusal("square.safetensors x.pt --fuse-batchnorm",
                 "nothing to fuse: 'norm': it may come before or after 'fc'; if after, say so with --pair fc=norm");
  // A norm in front of a square Linear, registered before it.
  Sequential before({{"norm", BatchNorm1d(3)}, {"out", Linear(3, 3)}});
  save(before.state_dict(), path("before.pt"));
  expect_refusal("before.pt x.pt --fuse-batchnorm",
                 "nothing to fuse: 'norm': it may come before or after 'out'; if after, say so with --pair out=norm");

  Sequential several({{"a", Linear(3, 4)}, {"norm", BatchNorm1d(4)}, {"b", Linear(3, 4)}});
  save(several.state_dict(), path("several.pt"));
  expect_refusal("several.pt x.pt --fuse-batchnorm",
                 "nothing to fuse: 'norm': it may follow 'a' or 'b'; say which with --pair");
}

TEST_F(ConvertNorm, LeavesWhatIsNotRightAfterALinear) {
  save(Sequential{Linear(3, 4), ReLU(), BatchNorm1d(4)}.state_dict(), path("relu.pt"));
  expect_refusal("relu.pt x.pt --fuse-batchnorm", "nothing to fuse: '2': no Linear with 4 outputs is right before it");
  save(Sequential{Linear(3, 5), BatchNorm1d(4)}.state_dict(), path("wide.pt"));
  expect_refusal("wide.pt x.pt --fuse-batchnorm", "nothing to fuse: '1': no Linear with 4 outputs is right before it");
  save(Sequential{BatchNorm1d(3), Linear(3, 4), BatchNorm1d(4)}.state_dict(), path("first.pt"));
  expect_text("first.pt x.pt --fuse-batchnorm --renumber",
              "fused '2' into '1'\nnot fused: '0': no Linear with 3 outputs is right before it\n");
  EXPECT_TRUE(load(path("x.pt")).contains("0.running_mean"));
  save(Sequential{Linear(3, 4)}.state_dict(), path("none.pt"));
  expect_refusal("none.pt x.pt --fuse-batchnorm", "nothing to fuse: there is no BatchNorm1d with running buffers");
}

TEST_F(ConvertNorm, RefusesPairsAndNumbersThatDoNotFit) {
  Sequential net{Linear(3, 4), BatchNorm1d(4), Linear(4, 2)};
  net.at<BatchNorm1d>(1).running_var[2].fill_(-1);
  save(net.state_dict(), path("net.pt"));
  expect_refusal("net.pt x.pt --fuse-batchnorm",
                 "fuse: running_var + eps is not above 0 everywhere; recalibrate the net first");
  expect_refusal("net.pt x.pt --fuse-batchnorm --pair 2=1", "--pair 2=1: their sizes differ");
  expect_refusal("net.pt x.pt --fuse-batchnorm --pair 1=0", "--pair 1=0: there is no '1.weight' of two dimensions");
  expect_refusal("net.pt x.pt --fuse-batchnorm --pair 0=2",
                 "--pair 0=2: there are no '2.running_mean' and '2.running_var'");
  save(Sequential{Linear(3, 4), BatchNorm1d(4), Linear(2, 4), BatchNorm1d(4)}.state_dict(), path("two.pt"));
  expect_refusal("two.pt x.pt --fuse-batchnorm --pair 0=1 --pair 2=1", "--pair 2=1: '1' is fused already");
  expect_refusal("two.pt x.pt --fuse-batchnorm --pair 0=1 --pair 0=3", "--pair 0=3: '0' is fused with another one");
  expect_refusal("net.pt x.pt --fuse-batchnorm --pair 01", "--pair: expected LINEAR=NORM, got '01'");
  EXPECT_FALSE(std::filesystem::exists(path("x.pt")));
}

// --- mistakes

TEST_F(Convert, LeavesTheOldFileAfterAnError) {
  save(load(golden + "state_dict.pt"), path("a.pt"));
  const std::string whole = read_text(path("a.pt"));
  write_text(path("cut.pt"), whole.substr(0, whole.size() / 2));
  write_text(path("old.npy"), "old");
  write_text(path("old.safetensors"), "old");
  expect_refusal("a.pt old.npy", "save: a .npy file holds one array, there are 8; Use .npz.");
  EXPECT_EQ(run("cut.pt old.safetensors").status, 1);
  EXPECT_EQ(run("a.pt old.safetensors --prefix no").status, 1);
  EXPECT_EQ(read_text(path("old.npy")), "old");
  EXPECT_EQ(read_text(path("old.safetensors")), "old");

  expect_refusal("no.pt x.pt", "cannot open 'no.pt': No such file or directory");
  expect_refusal(". x.pt --from pt", "cannot read '.': it is not a regular file");
  expect_refusal("a.pt no/x.pt", "cannot write 'no/x.pt': No such file or directory");
  expect_refusal("a.pt . --format pt", "cannot write '.': it is not a regular file");
  expect_refusal("a.pt", "name the file to write, or say --list");
  expect_refusal("a.pt x.pt --prefix ''", "--prefix: expected a name");
  EXPECT_EQ(run("--list a.pt > /dev/full").status, 1);
  save({{"clear\x1b[2J", ones({2})}, {"x", ones({2})}}, path("escape.pt"));
  expect_refusal("escape.pt x.pt --prefix y", "--prefix: no name begins with 'y.'; there are: clear\\x1b[2J, x");
  expect_refusal("--list a.pt x.pt", "--list writes nothing: leave out 'x.pt'");
}

TEST_F(Convert, MayReplaceItsInput) {
  save(Value(load(golden + "checkpoint.pt")).as_state_dict(), path("a.pt"));
  expect_success("a.pt a.pt --prefix model_state_dict");
  EXPECT_EQ(load(path("a.pt")).size(), 8u);
}

}  // namespace
}  // namespace gradus::test
