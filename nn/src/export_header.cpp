#include "frozen/machine.hpp"
#include "frozen/writer.hpp"
#include "io/file.hpp"
#include "tensor/message.hpp"

#include <gradus/core/random.hpp>
#include <gradus/nn/export_header.hpp>

#include <algorithm>

namespace gradus::nn {

using detail::fail, detail::message, detail::throw_if;

namespace {

constexpr std::string_view reserved_words =
    " alignas alignof and and_eq asm auto bitand bitor bool break case catch char class compl concept const "
    "const_cast constexpr continue decltype default delete do double dynamic_cast else enum explicit export extern "
    "false float for friend goto if inline int long mutable namespace new noexcept not not_eq nullptr operator or "
    "or_eq private protected public register reinterpret_cast requires restrict return short signed sizeof static "
    "static_assert static_cast std struct switch template this thread_local throw true try typedef typeid typename "
    "union unsigned using virtual void volatile wchar_t while xor xor_eq ";

void check_name(const std::string& name) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  const auto fits = [&](char c) { return letter(c) || (c >= '0' && c <= '9'); };
  const bool word = !name.empty() && letter(name[0]) && std::ranges::all_of(name, fits);
  const bool reserved = name.starts_with('_') || name.find("__") != name.npos ||
                        reserved_words.find(message(" ", name, " ")) != reserved_words.npos;
  throw_if<ValueError>(!word || reserved, "export_header: '", name, "' cannot be a name in C++");
}

bool is_cpp(const std::string& path) {
  for (const char* extension : {".hpp", ".hh", ".hxx"}) {
    if (path.ends_with(extension)) return true;
  }
  if (path.ends_with(".h")) return false;
  fail<ValueError>("export_header: the extension of '", path, "' tells no language: .hpp is C++, .h is C");
}

std::vector<float> example_row(const Tensor& example, const Shape& row) {
  Generator generator(0);
  const Tensor x = example.defined() ? example.to(float32) : rand(row, float32, generator) * 2 - 1;
  throw_if<ValueError>(x.numel() != numel(row), "export_header: the example has shape ", x.shape(), ", a row ", row);
  const auto values = std::as_const(x).data<float>();
  return {values.begin(), values.end()};
}

}  // namespace

void export_header(const Module& net, const std::string& path, const HeaderOptions& options) {
  const frozen::SourceOptions language{is_cpp(path), options.name, options.int8_weights};
  check_name(options.name);
  const Shape row = options.row.empty() ? frozen::row_of(net, "export_header") : options.row;
  frozen::Program program = frozen::freeze(net, row, "export_header");
  if (options.int8_weights) frozen::round_to_int8(program);
  const std::vector<float> x = example_row(options.example, row), y = frozen::evaluate(program, x);
  for (const float v : y) {
    throw_if<ValueError>(!(v - v == 0), "export_header: the output for the example is not finite");
  }
  detail::write_file(path, frozen::source(program, language, x, y));
}

}  // namespace gradus::nn
