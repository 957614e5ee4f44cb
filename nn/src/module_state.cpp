// Saving, loading and printing of modules.
#include "tensor/message.hpp"
#include "walk.hpp"

#include <gradus/core/autograd.hpp>

#include <algorithm>
#include <ostream>

namespace gradus::nn {

using detail::fail, detail::message, detail::throw_if;

StateDict Module::state_dict() const {
  StateDict dict;
  for (const Member& member : all_members(*this)) {
    if (!member.tensor()) continue;
    throw_if<KeyError>(dict.contains(member.name), "attribute '", member.name, "' already exists");
    dict[member.name] = member.tensor()->detach();
  }
  return dict;
}

namespace {

struct Slot {
  Tensor into;
  const Tensor* value = nullptr;
};

bool fits(const Tensor& value, const Tensor& into) {
  return value.shape() == into.shape() || (into.dim() == 0 && value.shape() == Shape(1));
}

/// Matches the state of `module` with `from`; complaints go into `report`, values that fit into the result.
std::vector<Slot> match(const Module& module, const StateDict& from, LoadReport& report) {
  std::vector<Slot> slots;
  const std::vector<Member> members = all_members(module);
  for (const Member& member : members) {
    if (!member.tensor()) continue;
    const std::string& name = member.name;
    const Tensor& into = *member.tensor();
    if (!from.contains(name) || !from.at(name).defined()) {
      (member.optional ? report.defaulted : report.missing).push_back(name);
      continue;
    }
    const Tensor& value = from.at(name);
    if (!fits(value, into)) {
      report.mismatched.push_back(
          message("size mismatch for ", name, ": copying a param with shape ", detail::torch_size(value.shape()),
                  " from checkpoint, the shape in current model is ", detail::torch_size(into.shape()), "."));
    } else if (is_floating(value.dtype()) != is_floating(into.dtype())) {
      report.mistyped.push_back(message("dtype mismatch for ", name, ": copying a param of dtype ", value.dtype(),
                                        " from checkpoint, the dtype in current model is ", into.dtype(), "."));
    } else {
      slots.push_back({into, &value});
    }
  }
  for (const auto& [name, value] : from) {
    const auto is_it = [&key = name](const Member& member) { return member.tensor() && member.name == key; };
    if (std::ranges::none_of(members, is_it)) report.unexpected.push_back(name);
  }
  return slots;
}

std::string quoted(const std::vector<std::string>& names, const char* quote) {
  std::string text;
  for (const std::string& name : names) text += message(text.empty() ? "" : ", ", quote, name, quote);
  return text;
}

/// What must come before each of `names` to make names that `there` has all; empty when nothing does it.
template <class There>
std::string missing_prefix(const std::vector<std::string>& names, const std::vector<std::string>& candidates,
                           There there) {
  if (names.empty()) return "";
  for (const std::string& candidate : candidates) {
    if (!candidate.ends_with("." + names[0])) continue;
    std::string prefix = candidate.substr(0, candidate.size() - names[0].size());
    if (std::ranges::all_of(names, [&](const std::string& name) { return there(prefix + name); })) return prefix;
  }
  return "";
}

/// A line for keys that differ from the names of the module by what stands before them.
std::string prefix_hint(const LoadReport& report, const Module& module, const StateDict& from) {
  const std::string extra =
      missing_prefix(report.missing, report.unexpected, [&](const std::string& key) { return from.contains(key); });
  if (!extra.empty()) {
    return message("\n\tAll that is missing is there behind \"", extra, "\": load_state_dict(state.part(\"", extra,
                   "\")).");
  }
  const StateDict own = module.state_dict();
  const std::string lost =
      missing_prefix(report.unexpected, report.missing, [&](const std::string& name) { return own.contains(name); });
  if (lost.empty()) return "";
  return message("\n\tThe keys are those of the module \"", lost.substr(0, lost.size() - 1),
                 "\" in it: load them there.");
}

}  // namespace

LoadReport Module::load_state_dict(const StateDict& from, LoadOptions options) {
  LoadReport report;
  const std::vector<Slot> slots = match(*this, from, report);
  std::string errors;
  if (options.strict && !report.unexpected.empty()) {
    errors += message("\n\tUnexpected key(s) in state_dict: ", quoted(report.unexpected, "\""), ". ");
  }
  if (options.strict && !report.missing.empty()) {
    errors = message("\n\tMissing key(s) in state_dict: ", quoted(report.missing, "\""), ". ", errors);
  }
  for (const std::string& line : report.mismatched) errors += "\n\t" + line;
  for (const std::string& line : report.mistyped) errors += "\n\t" + line;
  if (!errors.empty()) {
    const std::string hint = options.strict ? prefix_hint(report, *this, from) : "";
    fail<RuntimeError>("Error(s) in loading state_dict for ", name(), ":", errors, hint);
  }

  const NoGradGuard no_grad;
  for (const Slot& slot : slots) {
    Tensor into = slot.into;
    into.copy_(slot.value->reshape(into.shape()));
  }
  return report;
}

std::string to_string(const LoadReport& report) {
  if (report.missing.empty() && report.unexpected.empty()) return "<All keys matched successfully>";
  return message("_IncompatibleKeys(missing_keys=[", quoted(report.missing, "'"), "], unexpected_keys=[",
                 quoted(report.unexpected, "'"), "])");
}

std::ostream& operator<<(std::ostream& out, const LoadReport& report) { return out << to_string(report); }

// --- text

namespace {

std::string indented(const std::string& text) {
  std::string result = "  ";
  for (char c : text) result += c == '\n' ? "\n  " : std::string(1, c);
  return result;
}

}  // namespace

std::string to_string(const Module& module) {
  const auto children = const_cast<Module&>(module).named_children();
  const std::string extra = module.extra_repr();
  if (children.empty() && extra.find('\n') == std::string::npos) return message(module.name(), "(", extra, ")");
  std::string text = module.name() + "(";
  if (!extra.empty()) text += "\n" + indented(extra);
  for (const auto& [name, child] : children) text += "\n" + indented(message("(", name, "): ", to_string(*child)));
  return text + "\n)";
}

std::ostream& operator<<(std::ostream& out, const Module& module) { return out << to_string(module); }

std::string summary(const Module& module) {
  std::vector<std::pair<std::string, std::int64_t>> rows;  // text and parameters of each module
  std::vector<std::string> paths;
  std::size_t width = 9;  // of "trainable"
  for (const auto& [path, m] : const_cast<Module&>(module).named_modules()) {
    const auto depth = path.empty() ? 0 : static_cast<std::size_t>(std::ranges::count(path, '.')) + 1;
    const std::string own_name = path.substr(path.rfind('.') + 1);
    rows.emplace_back(std::string(2 * depth, ' ') + (path.empty() ? "" : own_name + ": ") + m->name(), 0);
    width = std::max(width, rows.back().first.size());
    paths.push_back(path);
  }
  std::int64_t total = 0, trainable = 0;
  for (const auto& [name, p] : module.named_parameters()) {
    const std::size_t dot = name.rfind('.');
    const auto owner = std::ranges::find(paths, dot == std::string::npos ? "" : name.substr(0, dot)) - paths.begin();
    rows[static_cast<std::size_t>(owner)].second += p.numel();
    total += p.numel();
    trainable += p.requires_grad() ? p.numel() : 0;
  }
  const auto row = [&](const std::string& text, std::int64_t number) {
    const std::string digits = std::to_string(number);
    return text + std::string(width - text.size() + 12 - std::min<std::size_t>(digits.size(), 12), ' ') + digits + "\n";
  };
  std::string text;
  for (const auto& [name, parameters] : rows) text += row(name, parameters);
  return text + row("total", total) + row("trainable", trainable);
}

}  // namespace gradus::nn
