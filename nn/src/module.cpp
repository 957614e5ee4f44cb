#include "tensor/message.hpp"
#include "tensor/tensor_impl.hpp"
#include "walk.hpp"

#include <gradus/core/autograd.hpp>
#include <gradus/nn/module.hpp>

#include <algorithm>
#include <mutex>
#include <typeinfo>

namespace gradus::nn {

using detail::fail, detail::throw_if;

namespace {

void check_name(const char* kind, std::string_view name) {
  throw_if<KeyError>(name.empty(), kind, " name can't be empty string \"\"");
  throw_if<KeyError>(name.find('.') != std::string_view::npos, kind, " name can't contain \".\", got: ", name);
}

}  // namespace

StateList& StateList::operator()(std::string_view name, Parameter& p) {
  check_name("parameter", name);
  if (p.defined()) parameter(name, p);
  return *this;
}
StateList& StateList::operator()(std::string_view name, Buffer& b) {
  check_name("buffer", name);
  if (b.defined()) buffer(name, b, false);
  return *this;
}
StateList& StateList::optional(std::string_view name, Buffer& b) {
  check_name("buffer", name);
  if (b.defined()) buffer(name, b, true);
  return *this;
}
StateList& StateList::operator()(std::string_view name, Module& module) {
  check_name("module", name);
  child(name, module);
  return *this;
}

// --- copies

Module::Module(const Module& other) : training_(other.training_), fresh_copy_(true) { settle_ties(other); }
Module::Module(Module&& other) noexcept
    : training_(other.training_),
      fresh_copy_(other.fresh_copy_.load()),
      before_(std::move(other.before_)),
      after_(std::move(other.after_)) {}
Module& Module::operator=(const Module& other) {
  settle_ties(other);
  training_ = other.training_;
  fresh_copy_ = true;
  return *this;
}
Module& Module::operator=(Module&& other) { return *this = std::as_const(other); }
Module::~Module() = default;

namespace {

/// All parameters and modules from one module down.
struct Subtree {
  void add(Module& module) {
    modules.push_back(&module);
    Listed(
        module, [this](auto, Parameter& p) { parameters.push_back(&p); }, nothing,
        [this](auto, Module& child) { add(child); });
  }
  std::vector<Parameter*> parameters;
  std::vector<Module*> modules;
};

}  // namespace

void settle_ties(const Module& module) {
  if (!module.fresh_copy_.load(std::memory_order_acquire)) return;
  static std::mutex one_at_a_time;
  const std::lock_guard lock(one_at_a_time);
  if (!module.fresh_copy_) return;
  Subtree below;
  below.add(const_cast<Module&>(module));
  Module::tie_copies(below.parameters);
  for (Module* m : below.modules) m->fresh_copy_.store(false, std::memory_order_release);
}

void Module::tie_copies(std::span<Parameter* const> copies) {
  for (std::size_t i = 0; i < copies.size(); ++i) {
    const void* original = std::exchange(copies[i]->copy_of_, nullptr);
    if (!original) continue;
    for (Parameter* later : copies.subspan(i + 1)) {
      if (later->copy_of_ != original) continue;
      later->tie(*copies[i]);
      later->copy_of_ = nullptr;
    }
  }
}

// --- calling

Tensor Module::forward(const Tensor& x) const {
  // Each overload of forward calls the other by default: to come here twice means that neither is overridden.
  thread_local const Module* asked = nullptr;
  if (asked == this) {
    fail<NotImplementedError>("Module [", name(), "] is missing the required \"forward\" function");
  }
  const detail::Scoped<const Module*> asking(asked, this);
  return const_cast<Module&>(*this).forward(x);
}

namespace {

/// x, or what the hooks make of it in turn; `call(hook, x)` calls one.
template <class Call>
Tensor through(const std::vector<std::shared_ptr<ForwardHook>>& hooks, Tensor x, Call call) {
  for (std::size_t i = 0; i < hooks.size(); ++i) {  // a hook may register another
    const auto hook = hooks[i];  // NOLINT(performance-unnecessary-copy-initialization): it may unregister itself
    if (hook->removed) continue;
    if (Tensor replaced = call(*hook, x); replaced.defined()) x = std::move(replaced);
  }
  return x;
}

template <class T>
std::vector<T> without_names(std::vector<std::pair<std::string, T>> named) {
  std::vector<T> all;
  for (auto& [name, one] : named) all.push_back(std::move(one));
  return all;
}

}  // namespace

Tensor Module::operator()(const Tensor& x) const {
  settle_ties(*this);
  auto& self = const_cast<Module&>(*this);
  if (before_.empty() && after_.empty()) return self.forward(x);
  const Tensor input = through(before_, x, [&](auto& hook, const Tensor& now) { return hook(self, now, {}); });
  return through(after_, self.forward(input), [&](auto& hook, const Tensor& y) { return hook(self, input, y); });
}

bool Module::has_forward_hooks() const {
  const auto alive = [](const auto& hook) { return !hook->removed; };
  return std::ranges::any_of(before_, alive) || std::ranges::any_of(after_, alive);
}

void HookHandle::remove() {
  if (const auto hook = hook_.lock()) hook->removed = true;
}

std::string Module::name() const { return detail::type_name_of(typeid(*this)); }

std::vector<std::pair<std::string, Tensor>> Module::named_parameters() const {
  std::vector<std::pair<std::string, Tensor>> found;
  const auto add = [&](std::string name, Parameter& p) {
    for (const auto& [other, tensor] : found) {
      if (tensor.is_same(p)) return;
    }
    found.emplace_back(std::move(name), p);
  };
  walk(*this, add, nothing, nothing);
  return found;
}

std::vector<Tensor> Module::parameters() const { return without_names(named_parameters()); }

std::vector<std::pair<std::string, Tensor>> Module::named_buffers() const {
  std::vector<std::pair<std::string, Tensor>> found;
  walk(
      *this, nothing, [&](std::string name, Buffer& b, bool) { found.emplace_back(std::move(name), b); }, nothing);
  return found;
}

std::vector<Tensor> Module::buffers() const { return without_names(named_buffers()); }

std::vector<std::pair<std::string, Module*>> Module::named_modules() {
  std::vector<std::pair<std::string, Module*>> found;
  walk(*this, nothing, nothing, [&](const std::string& name, Module& module) { found.emplace_back(name, &module); });
  return found;
}

std::vector<Module*> Module::modules() { return without_names(named_modules()); }

std::vector<std::pair<std::string, Module*>> Module::named_children() {
  std::vector<std::pair<std::string, Module*>> found;
  Listed(*this, nothing, nothing, [&](std::string_view name, Module& child) { found.emplace_back(name, &child); });
  return found;
}

Module& Module::train(bool mode) {
  for (Module* module : modules()) module->training_ = mode;
  return *this;
}

EvalGuard::EvalGuard(Module& module) {
  for (Module* m : module.modules()) before_.emplace_back(m, m->training_);
  module.eval();
}
EvalGuard::~EvalGuard() {
  for (const auto& [module, training] : before_) module->training_ = training;
}

Module& Module::requires_grad_(bool requires_grad) {
  for (Tensor& parameter : parameters()) parameter.requires_grad_(requires_grad);
  return *this;
}

void Module::zero_grad() {
  walk(
      *this, [](const std::string&, Parameter& p) { p.set_grad({}); }, nothing, nothing);
}

Module& Module::to(Dtype dtype) {
  throw_if<TypeError>(!is_floating(dtype), "Module::to expects float32 or float64, got ", dtype);
  const NoGradGuard no_grad;
  const auto convert = [dtype](Tensor& x) {
    if (!is_floating(x.dtype())) return;
    detail::replace_elements(x, x.to(dtype));
    if (x.grad().defined()) x.set_grad(x.grad().to(dtype));
  };
  walk(
      *this, [&](const std::string&, Parameter& p) { convert(p); },
      [&](const std::string&, Buffer& b, bool) { convert(b); }, nothing);
  return *this;
}

DecayGroups decay_groups(const Module& module) {
  DecayGroups groups;
  for (Tensor& p : module.parameters()) (p.dim() > 1 ? groups.decay : groups.no_decay).push_back(std::move(p));
  return groups;
}

}  // namespace gradus::nn
