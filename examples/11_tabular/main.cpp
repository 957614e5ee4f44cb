// Predicts a column of a table from the others: reads a CSV file, trains a small net with BatchNorm, tells how good it
// is, and predicts new rows.
#include "command_line.hpp"
#include "output_file.hpp"
#include "tabular.hpp"
#include "text.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>

using namespace gradus;

namespace {

struct Options {
  TableFile data;
  std::string target, task = "auto", save, model, predict, out;
  std::vector<std::string> drop;
  TrainingOptions training;
  std::uint64_t seed = 0;
};

constexpr const char* footer = R"(
A target of text is a class, and so are at most 10 different integers; any other number is predicted as a number. Text
is one-hot, numbers are standardised, a missing number becomes the median. A fifth of the rows is for validation, which
decides when to stop, and a fifth for the test.

Examples:
  tabular iris.csv --target species
  tabular abalone.data --header no --target 8 --save abalone.pt
  tabular --model abalone.pt --predict new.csv --header no --out predictions.csv)";

Options parse(int argc, char** argv) {
  Options o;
  CLI::App app("Predict a column of a table from the others.", "tabular");
  app.footer(footer);
  app.option_defaults()->always_capture_default();
  const CLI::IsMember tasks({"auto", "classification", "regression"}), headers({"auto", "yes", "no"});
  app.add_option("DATA", o.data.path, "the table, a CSV file, plain or compressed with gzip");
  app.add_option("--target", o.target, "the column to be predicted: its name, or its number from 0, -1 the last");
  app.add_option("--task", o.task, "what the target is")->check(tasks);
  app.add_option("--drop", o.drop, "columns to leave out")->allow_extra_args(false);
  app.add_option("--header", o.data.header, "whether the first line holds names")->check(headers);
  app.add_option("--separator", o.data.separator, "a character; 'blank' for any number of blanks, 'tab'");
  app.add_option("--skip", o.data.skip, "lines at the beginning to leave out")->check(whole_number(0));
  app.add_option("--comment", o.data.comment, "the character that begins a comment");
  app.add_option("--missing", o.data.missing, "one more text that means a missing value")->allow_extra_args(false);
  auto* hidden = app.add_option("--hidden", o.training.hidden, "sizes of the hidden layers");
  hidden->delimiter(',')->check(whole_number(1, 10000));
  app.add_option("--epochs", o.training.epochs, "at most")->check(whole_number(1, 1'000'000));
  app.add_option("--batch-size", o.training.batch_size)->check(whole_number(2, 1'000'000));
  auto* patience = app.add_option("--patience", o.training.patience, "epochs without progress before it stops");
  patience->check(whole_number(1, 1'000'000));
  app.add_option("--lr", o.training.lr, "learning rate of AdamW")->check(number(0));
  app.add_option("--seed", o.seed, "of the split, the weights and the batches")->check(whole_number(0));
  app.add_option("--save", o.save, "write the net, and what it takes to use it, to this .pt or .safetensors file");
  app.add_option("--model", o.model, "use the net in this file instead of training one");
  app.add_option("--predict", o.predict, "predict the rows of this file");
  app.add_option("--out", o.out, "write the predictions there instead of printing them");
  parse_command_line(app, argc, argv);
  if (o.model.empty() && (o.data.path.empty() || o.target.empty())) {
    throw ValueError("name a table, and its column with --target");
  }
  if (!o.model.empty() && (!o.data.path.empty() || o.predict.empty())) {
    throw ValueError("--model: name new rows with --predict, and no table to train on");
  }
  if (!o.out.empty() && o.predict.empty()) throw ValueError("--out is for --predict");
  return o;
}

struct Model {
  std::vector<std::int64_t> hidden;
  Features features;
  Target target;
  nn::Sequential net;

  void make_net() {
    std::vector<std::int64_t> sizes{features.width()};
    sizes.insert(sizes.end(), hidden.begin(), hidden.end());
    sizes.push_back(target.is_class() ? static_cast<std::int64_t>(target.classes.size()) : 1);
    net = make_mlp(sizes);
  }
};

void save_model(Model& model, const std::string& path) {
  save_value(Value::dict({{"features", model.features.state()},
                          {"target", model.target.state()},
                          {"hidden", Value::list({model.hidden.begin(), model.hidden.end()})},
                          {"model", model.net.state_dict()}}),
             path);
  std::printf("saved %s\n", path.c_str());
}

Model load_model(const std::string& path) {
  const Value file = load_value(path);
  try {
    Model model;
    model.features.load(file["features"]);
    model.target.load(file["target"]);
    for (const Value& size : file["hidden"].as_list()) model.hidden.push_back(size.as_int());
    model.make_net();
    model.net.load_state_dict(file["model"].as_state_dict());
    return model;
  } catch (const Error& error) {
    throw FileError("'" + path + "' is no net of this program: " + error.what());
  }
}

/// The target's name: the one given, or that of the column with this number.
std::string target_name(const Table& table, const std::string& given) {
  const auto count = static_cast<std::int64_t>(table.columns().size());
  if (table.contains(given) || !whole_number(-count, count - 1)(given).empty()) return table.column(given).name;
  const std::int64_t position = std::stoll(given);
  return table.columns()[static_cast<std::size_t>(position < 0 ? position + count : position)].name;
}

bool is_classification(const Table& table, const std::string& target, const std::string& task) {
  if (task != "auto") return task == "classification";
  const Table::Column& column = table.column(target);
  if (column.is_text) return true;
  const bool integers = std::ranges::all_of(column.numbers, [](double number) { return number == std::floor(number); });
  constexpr std::size_t most_classes = 10;
  return integers && table.codes(target).names.size() <= most_classes;
}

/// The columns that the net can learn from; tells which it cannot.
std::vector<std::string> usable_columns(const Table& table, const std::string& target,
                                        const std::vector<std::string>& drop) {
  for (const std::string& name : drop) (void)table.column(name);
  std::vector<std::string> names;
  for (const Table::Column& column : table.columns()) {
    if (column.name == target || std::ranges::find(drop, column.name) != drop.end()) continue;
    const std::string name = printable(column.name);
    const auto values = static_cast<std::size_t>(table.rows() - table.missing(column.name));
    if (values == 0) {
      std::printf("left out: '%s', in which every value is missing\n", name.c_str());
    } else if (column.is_text && column.texts.size() > 50 && column.texts.size() > values / 4) {
      std::printf("left out: '%s', in which nearly every text is another\n", name.c_str());
    } else {
      names.push_back(column.name);
    }
  }
  if (names.empty()) throw ValueError("no column is left to predict '" + target + "' from");
  return names;
}

struct Split {
  Table training, validation, test;
};

Split split(const Table& table, const std::string& target) {
  constexpr std::int64_t least_rows = 10;
  const Table known = table.drop_missing({target});
  if (known.rows() < table.rows()) {
    std::printf("left out: rows without '%s', %lld\n", printable(target).c_str(),
                static_cast<long long>(table.rows() - known.rows()));
  }
  if (known.rows() < least_rows) {
    throw ValueError("expected at least " + std::to_string(least_rows) + " rows with a value of '" + target +
                     "', got " + std::to_string(known.rows()));
  }
  if (known.codes(target).names.size() < 2) {
    throw ValueError("the target '" + target + "' has one value only, '" + known.codes(target).names[0] +
                     "': there is nothing to learn");
  }
  const std::int64_t fifth = known.rows() / 5;
  const Tensor order = randperm(known.rows());
  return {known.select(order.narrow(0, 2 * fifth, known.rows() - 2 * fifth)), known.select(order.narrow(0, 0, fifth)),
          known.select(order.narrow(0, fifth, fifth))};
}

Model train_model(const Options& o) {
  manual_seed(o.seed);
  const Table table = read(o.data);
  print_table(table);
  const std::string target = target_name(table, o.target);
  const Split parts = split(table, target);
  const Table known = table.drop_missing({target});
  const bool classes = is_classification(known, target, o.task);
  Model model{o.training.hidden, {}, {}, {}};
  const std::vector<std::string> names = usable_columns(parts.training, target, o.drop);
  model.features = Features(parts.training, known, names);
  model.target = classes ? Target(known, target, true) : Target(parts.training, target, false);
  model.make_net();
  std::printf("%s of '%s'%s from %zu columns, %lld numbers; rows: training %lld, validation %lld, test %lld\n",
              classes ? "classification" : "regression", printable(target).c_str(),
              classes ? (", " + std::to_string(model.target.classes.size()) + " classes,").c_str() : "", names.size(),
              static_cast<long long>(model.features.width()), static_cast<long long>(parts.training.rows()),
              static_cast<long long>(parts.validation.rows()), static_cast<long long>(parts.test.rows()));

  const auto rows = [&](const Table& part) {
    return TensorDataset(model.features.transform(part), model.target.transform(part));
  };
  const TensorDataset training = rows(parts.training), test = rows(parts.test);
  train(model.net, training, rows(parts.validation), o.training);
  const Tensor outputs = outputs_of(model.net, test.tensors()[0]);
  print_result(model.target, training.tensors()[1], test.tensors()[1], outputs);
  return model;
}

void predict(Model& model, TableFile file, const std::string& out) {
  for (const Feature& feature : model.features.columns) {
    file.columns.emplace_back(feature.name);
    (feature.is_category ? file.text : file.numbers).emplace_back(feature.name);
  }
  const Tensor outputs = outputs_of(model.net, model.features.transform(read(file)));
  const std::string csv = predictions_as_csv(model.target, outputs);
  if (out.empty()) {
    std::fputs(csv.c_str(), stdout);
  } else {
    OutputFile(out).write(csv);
    std::printf("wrote %s, rows: %lld\n", out.c_str(), static_cast<long long>(outputs.size(0)));
  }
}

int run(const Options& o) {
  Model model = o.model.empty() ? train_model(o) : load_model(o.model);
  if (!o.save.empty()) save_model(model, o.save);
  if (o.predict.empty()) return 0;
  TableFile file = o.data;
  file.path = o.predict;
  predict(model, file, o.out);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return run_program("tabular", [&] { return run(parse(argc, argv)); });
}
