// Converts weights and checkpoints between the formats of PyTorch, safetensors and NumPy, lists what is in them, and
// fuses BatchNorm away.
#include "command_line.hpp"
#include "convert.hpp"
#include "text.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>

using namespace gradus;
using Kind = Value::Kind;

namespace {

struct Options {
  std::string in, out, prefix;
  std::string from, format;  // names of formats; empty: as the extension tells
  bool list = false, weights = false, fuse = false;
  FuseOptions fusing;
  HeaderWish header;
};

constexpr const char* footer = R"(
Formats: safetensors (.safetensors), pt (.pt, .pth), npz (.npz), npy (.npy, one array); a perceptron also to a header that
computes it, of C++ (.hpp) or C (.h).
float16 and bfloat16 become float32, shorter integers int64.

--fuse-batchnorm goes by names: it fuses 1 into 0, bn2 into fc2, and norm into the one Linear beside it that fits. The
result fits the net with an Identity in the place of every BatchNorm1d, and every Linear with a bias; with --renumber
it fits the Sequential without them. Names do not show in which order modules run: compare the outputs once.

Examples:
  convert model.pt model.safetensors
  convert checkpoint.pt weights.npz --weights
  convert checkpoint.pt small.pt --fuse-batchnorm --renumber
  convert model.pt net.hpp --activation tanh
  convert --list model.safetensors)";

const std::map<std::string, FileFormat> formats = {{"safetensors", FileFormat::safetensors},
                                                   {"pt", FileFormat::pytorch},
                                                   {"npz", FileFormat::npz},
                                                   {"npy", FileFormat::npy}};

/// "fc1=bn1" as its two names.
std::pair<std::string, std::string> parse_pair(const std::string& text) {
  const std::size_t middle = text.find('=');
  if (middle == text.npos) throw ValueError("--pair: expected LINEAR=NORM, got '" + text + "'");
  return {text.substr(0, middle), text.substr(middle + 1)};
}

Options parse(int argc, char** argv) {
  Options o;
  CLI::App app("Convert weights and checkpoints between PyTorch, safetensors and NumPy.", "convert");
  app.footer(footer);
  const CLI::IsMember known({"safetensors", "pt", "npz", "npy"});
  const CLI::IsMember activations({"relu", "tanh", "sigmoid", "gelu", "none"});
  std::vector<std::string> pairs;
  app.add_option("IN", o.in, "the file to read")->required();
  app.add_option("OUT", o.out, "the file to write; it may be IN");
  app.add_option("--from", o.from, "format of IN, when neither its content nor its extension tells")->check(known);
  app.add_option("--format", o.format, "format of OUT, when its extension does not tell")->check(known);
  app.add_flag("--list", o.list, "write nothing; print names, types, shapes, ranges and NaNs");
  app.add_flag("--weights", o.weights, "of a checkpoint, take the weights alone, under their own names");
  auto* prefix = app.add_option("--prefix", o.prefix, "take the tensors below this name alone");
  auto* fuse = app.add_flag("--fuse-batchnorm", o.fuse, "fold every BatchNorm1d into the Linear before it");
  auto* pair = app.add_option("--pair", pairs, "LINEAR=NORM: fuse these, whatever their names")->needs(fuse);
  pair->allow_extra_args(false);
  app.add_option("--eps", o.fusing.eps, "of the BatchNorms; files do not tell")->needs(fuse)->check(number(0));
  app.add_flag("--renumber", o.fusing.renumber, "close the gaps in the indices of a Sequential")->needs(fuse);
  app.add_option("--activation", o.header.activation, "in a header, between the layers")->check(activations);
  app.add_option("--name", o.header.name, "in a header, of the net")->capture_default_str();
  app.add_flag("--int8", o.header.int8, "in a header, weights of 8 bits");
  parse_command_line(app, argc, argv);
  if (o.list && !o.out.empty()) throw ValueError("--list writes nothing: leave out '" + o.out + "'");
  if (!o.list && o.out.empty()) throw ValueError("name the file to write, or say --list");
  if (prefix->count() > 0 && o.prefix.empty()) throw ValueError("--prefix: expected a name");
  for (const std::string& text : pairs) o.fusing.pairs.push_back(parse_pair(text));
  return o;
}

[[noreturn]] void ask_for_format(const std::string& path, const char* option) {
  throw ValueError("the extension of '" + path + "' tells no format; name it with " + option +
                   ": safetensors, pt, npz or npy");
}

FileFormat format_to_read(const std::string& path, const std::string& name) {
  const FileFormat format = name.empty() ? recognise_format(path) : formats.at(name);
  if (format == FileFormat::automatic) ask_for_format(path, "--from");
  return format;
}

FileFormat format_to_write(const std::string& path, const std::string& name) {
  try {
    return name.empty() ? format_of(path) : formats.at(name);
  } catch (const FileError&) {
    ask_for_format(path, "--format");
  }
}

/// Numbers, strings and the like, which arrays alone cannot hold.
int count_plain(const Value& value) {
  if (value.kind() != Kind::dict && !is_list(value)) return value.kind() != Kind::tensor;
  int count = 0;
  if (is_list(value)) {
    for (const Value& element : value.as_list()) count += count_plain(element);
  } else {
    for (const auto& [key, item] : value.as_dict()) count += count_plain(item);
  }
  return count;
}

/// The value with what its objects hold in their place; tells which are left out.
Value without_objects(const Value& value) {
  std::vector<std::string> left_out;
  Value plain = plain_value(value, "", left_out);
  for (const std::string& object : left_out) {
    std::printf("left out, because only Python can make it: %s\n", printable(object).c_str());
  }
  return plain;
}

void write(const Value& content, const Metadata& metadata, const std::string& path, FileFormat format) {
  const bool safetensors = format == FileFormat::safetensors,
             numpy = format == FileFormat::npz || format == FileFormat::npy;
  const int plain = count_plain(content);
  const SaveOptions options{.format = format, .metadata = safetensors ? metadata : Metadata()};
  if (numpy || is_state_dict(content)) {
    save(content.tensors(), path, options);
  } else {
    save_value(content, path, options);
  }
  std::printf("wrote %s, tensors: %zu\n", path.c_str(), content.tensors().size());
  if (plain > 0 && numpy) {
    std::printf("left out, because NumPy's formats hold arrays alone: numbers and strings, %d\n", plain);
  }
  if (plain > 0 && safetensors) {
    std::printf("in its metadata, where gradus finds them and other programs do not look: numbers and strings, %d\n",
                plain);
  }
  if (!safetensors) {
    for (const auto& [key, text] : metadata) std::printf("left out the metadata '%s'\n", printable(key).c_str());
  }
}

/// What safetensors holds beside the tensors and the structure of a checkpoint.
Metadata metadata_of(const std::string& path, FileFormat format) {
  if (format != FileFormat::safetensors) return {};
  Metadata metadata = load_metadata(path);
  metadata.erase("gradus.value");
  metadata.erase("format");
  return metadata;
}

int run(Options o) {
  const FileFormat from = format_to_read(o.in, o.from);
  const bool header = is_header(o.out) && o.format.empty();
  const FileFormat to = o.list || header ? FileFormat::automatic : format_to_write(o.out, o.format);
  o.fusing.keeps_order = from != FileFormat::safetensors;

  Value content = load_value(o.in, {.format = from, .share_storage = true});
  if (content.kind() == Kind::tensor) content = StateDict{{"arr_0", content.as_tensor()}};
  if (!o.list || o.weights || o.fuse) content = without_objects(content);
  if (!o.prefix.empty()) content = tensors_below(content, o.prefix);
  if (o.weights || o.fuse || header) content = weights_of(content);
  if (o.fuse) content = fuse_batch_norms(content.as_state_dict(), o.fusing);
  const Metadata metadata = metadata_of(o.in, from);
  if (header) {
    write_header(content.as_state_dict(), o.fusing.keeps_order, o.out, o.header);
  } else if (o.list) {
    print_listing(content, metadata);
  } else {
    write(content, metadata, o.out, to);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return run_program("convert", [&] { return run(parse(argc, argv)); });
}
