#include "tensor/message.hpp"
#include "tensor/tensor_impl.hpp"
#include "walk.hpp"

#include <gradus/core/autograd.hpp>
#include <gradus/nn/module.hpp>

#include <algorithm>
#include <mutex>

namespace gradus::nn {

using detail::fail, detail::throw_if;

void check_name(const char* kind, std::string_view name) {
  throw_if<KeyError>(name.empty(), kind, " name can't be empty string \"\"");
  throw_if<KeyError>(name.find('.') != std::string_view::npos, kind, " name can't contain \".\", got: ", name);
}

StateList& StateList::add(const char* kind, Member member) {
  check_name(kind, member.name);
  if (member.module || member.tensor()->defined()) members.push_back(std::move(member));
  return *this;
}
StateList& StateList::operator()(std::string_view name, Parameter& p) {
  return add("parameter", {.name = std::string(name), .parameter = &p});
}
StateList& StateList::operator()(std::string_view name, Buffer& b) {
  return add("buffer", {.name = std::string(name), .buffer = &b});
}
StateList& StateList::optional(std::string_view name, Buffer& b) {
  return add("buffer", {.name = std::string(name), .buffer = &b, .optional = true});
}
StateList& StateList::operator()(std::string_view name, Module& m) {
  return add("module", {.name = std::string(name), .module = &m});
}

std::vector<Member> listed_by(Module& module) {
  StateList list;
  list.members.reserve(8);  // most modules list no more
  module.state(list);
  return std::move(list.members);
}

namespace {

/// What all_members() says, of modules whose ties are settled if they are `in_use`.
void add_members(std::vector<Member>& all, Module& module, const std::string& path, bool in_use) {
  if (in_use) settle_ties(module);
  all.push_back({.name = path, .module = &module});
  for (Member& member : listed_by(module)) {
    if (!path.empty()) member.name = detail::message(path, ".", member.name);
    if (member.module) {
      add_members(all, *member.module, member.name, in_use);
    } else {
      if (in_use && member.parameter) mark_listed(*member.parameter);
      all.push_back(std::move(member));
    }
  }
}

}  // namespace

std::vector<Member> all_members(const Module& top) {
  std::vector<Member> all;
  all.reserve(16);
  add_members(all, const_cast<Module&>(top), "", true);
  return all;
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

void settle_ties(const Module& module) {
  if (!module.fresh_copy_.load(std::memory_order_acquire)) return;
  static std::mutex one_at_a_time;
  const std::lock_guard lock(one_at_a_time);
  if (!module.fresh_copy_) return;
  std::vector<Member> below;
  add_members(below, const_cast<Module&>(module), "", false);
  std::vector<Parameter*> parameters;
  for (const Member& member : below) {
    if (member.parameter) parameters.push_back(member.parameter);
  }
  Module::tie_copies(parameters);
  for (const Member& member : below) {
    if (member.module) member.module->fresh_copy_.store(false, std::memory_order_release);
  }
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

std::vector<std::pair<std::string, Module*>> modules_of(std::vector<Member> members) {
  std::vector<std::pair<std::string, Module*>> found;
  for (Member& member : members) {
    if (member.module) found.emplace_back(std::move(member.name), member.module);
  }
  return found;
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
  for (Member& member : all_members(*this)) {
    const auto is_it = [&member](const auto& other) { return other.second.is_same(*member.parameter); };
    if (!member.parameter || std::ranges::any_of(found, is_it)) continue;
    found.emplace_back(std::move(member.name), *member.parameter);
  }
  return found;
}

std::vector<Tensor> Module::parameters() const { return without_names(named_parameters()); }

std::vector<std::pair<std::string, Tensor>> Module::named_buffers() const {
  std::vector<std::pair<std::string, Tensor>> found;
  for (Member& member : all_members(*this)) {
    if (member.buffer) found.emplace_back(std::move(member.name), *member.buffer);
  }
  return found;
}

std::vector<Tensor> Module::buffers() const { return without_names(named_buffers()); }

std::vector<std::pair<std::string, Module*>> Module::named_modules() { return modules_of(all_members(*this)); }

std::vector<Module*> Module::modules() { return without_names(named_modules()); }

std::vector<std::pair<std::string, Module*>> Module::named_children() { return modules_of(listed_by(*this)); }

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
  for (const Member& member : all_members(*this)) {
    if (member.parameter) member.parameter->set_grad({});
  }
}

Module& Module::to(Dtype dtype) {
  throw_if<TypeError>(!is_floating(dtype), "Module::to expects float32 or float64, got ", dtype);
  const NoGradGuard no_grad;
  for (const Member& member : all_members(*this)) {
    Tensor* const x = member.tensor();
    if (!x || !is_floating(x->dtype())) continue;
    detail::replace_elements(*x, x->to(dtype));
    if (x->grad().defined()) x->set_grad(x->grad().to(dtype));
  }
  return *this;
}

DecayGroups decay_groups(const Module& module) {
  DecayGroups groups;
  for (Tensor& p : module.parameters()) (p.dim() > 1 ? groups.decay : groups.no_decay).push_back(std::move(p));
  return groups;
}

}  // namespace gradus::nn
