// What the program does with the content of a file.
#pragma once

#include <gradus/gradus.hpp>

// --- weights.cpp: the weights among all that a file may hold

inline bool is_list(const gradus::Value& value) {
  return value.kind() == gradus::Value::Kind::list || value.kind() == gradus::Value::Kind::tuple;
}

/// The name of what is under `key` in what is called `name`: "model.0".
inline std::string below(const std::string& name, const std::string& key) {
  return name.empty() ? key : name + "." + key;
}

/// Whether `value` is what Module::state_dict() makes: a dict from names to tensors, and nothing else.
bool is_state_dict(const gradus::Value& value);

/// The weights in a file, without the prefix that all names have behind a wrapper of Python's ("module.", …): the file
/// itself when it is a state_dict, of a checkpoint the one state_dict in it. Throws ValueError when there is none, or
/// when it would have to choose.
gradus::StateDict weights_of(const gradus::Value& file);

/// The tensors below `name` ("model", "module.encoder"), without it. Throws ValueError when there is none.
gradus::StateDict tensors_below(const gradus::Value& file, std::string name);

/// The value with what the objects of Python in it hold in their place: a module's weights, the elements of a set. An
/// object that holds nothing is left out, and `left_out` gets a text such as "'optimizer', a torch.optim.adam.Adam".
gradus::Value plain_value(const gradus::Value& value, const std::string& name, std::vector<std::string>& left_out);

// --- listing.cpp: what is in a file, as a table

/// A line for every tensor (dtype, shape, smallest, mean and largest of the elements that are not NaN, count of those
/// that are), for every number, string and object of Python, and for the metadata; then the totals.
void print_listing(const gradus::Value& content, const gradus::Metadata& metadata);

// --- fusing.cpp: BatchNorm1d folded into the Linear before it, in weights, where names are all there is to go by

struct FuseOptions {
  double eps = 1e-5;        // a state_dict does not hold it
  bool keeps_order = true;  // whether tensors stand in the order of the modules: not so in .safetensors
  bool renumber = false;    // close the gaps that the norms leave among the indices of a Sequential
  std::vector<std::pair<std::string, std::string>> pairs;  // (Linear, BatchNorm1d) by name, before any search
};

/// Takes every module with running_mean and running_var for a BatchNorm1d, and looks beside it for the module with a
/// weight (C, K) that it follows: in a Sequential the index before its own, elsewhere the only one of its size and
/// number (bn2 after fc2). A square weight could as well come after the norm, so there the order in the file decides.
/// Tells which are fused, and why others are not. Throws ValueError when nothing can be fused, and for a pair that does
/// not fit.
gradus::StateDict fuse_batch_norms(const gradus::StateDict& weights, const FuseOptions& options);

// --- header.cpp: the weights of a perceptron as a header of C++ or C

struct HeaderWish {
  std::string activation = "relu";  // between the layers; files do not tell
  std::string name = "net";
  bool int8 = false;
};

/// Whether the extension of `path` is that of a header.
bool is_header(const std::string& path);

/// Makes a net of the Linears and BatchNorm1ds that the names tell of, in their order, with the activation before every
/// Linear but the first, and exports it. Throws ValueError for anything else among the weights.
void write_header(const gradus::StateDict& weights, bool keeps_order, const std::string& path, const HeaderWish& wish);
