#include "tensor/tensor_impl.hpp"
#include "walk.hpp"

#include <gradus/core/autograd.hpp>
#include <gradus/core/print.hpp>
#include <gradus/nn/parameter.hpp>

#include <algorithm>
#include <mutex>
#include <ostream>
#include <thread>
#include <unordered_map>

namespace gradus::nn {

using detail::TensorImpl;

namespace {

Tensor own_copy(const Tensor& x) {
  if (!x.defined()) return x;
  const NoGradGuard no_grad;
  return x.clone().requires_grad_(x.requires_grad());
}

bool fits(const Tensor& x, const Tensor& other) {
  return x.defined() && other.defined() && x.shape() == other.shape() && x.dtype() == other.dtype();
}

/// Gives x the elements of `other`, in the tensor that x is; false where that cannot hold them.
bool take_elements(Tensor& x, const Tensor& other) {
  if (x.is_same(other)) return true;
  if (!fits(x, other)) return false;
  const NoGradGuard no_grad;
  x.copy_(other).requires_grad_(other.requires_grad());
  x.set_grad({});
  return true;
}

/// A record of every tensor that is a Parameter, or was one and is still in use. Never destroyed: Parameters may
/// outlive every variable of this file.
class Register {
 public:
  struct Record {
    int parameters = 0;   // that hold it
    bool listed = false;  // by a module
    std::thread::id made_in = {};
  };

  static Register& get() {
    static Register& all = *new Register;
    return all;
  }

  void add(const Tensor& x) {
    if (!x.defined()) return;
    const std::lock_guard lock(mutex_);
    Record& record = records_[impl_of(x)];
    if (record.parameters++ == 0) record.made_in = std::this_thread::get_id();
    std::erase_if(orphans_, [&x](const Tensor& orphan) { return orphan.is_same(x); });
  }
  void remove(const Tensor& x) {
    if (!x.defined()) return;
    const std::lock_guard lock(mutex_);
    std::erase_if(orphans_, [](const Tensor& orphan) { return impl_of(orphan)->unique(); });
    const auto record = records_.find(impl_of(x));
    if (--record->second.parameters > 0) return;
    records_.erase(record);
    if (impl_of(x)->unique()) return;
    orphans_.push_back(x);  // somebody holds it beside x, which is about to go
    orphan_count_.fetch_add(1, std::memory_order_relaxed);
  }
  void list(const Tensor& x) {
    const std::lock_guard lock(mutex_);
    records_[impl_of(x)].listed = true;
  }
  bool is_tied(const Tensor& x) {
    const std::lock_guard lock(mutex_);
    const auto record = records_.find(impl_of(x));
    return record != records_.end() && record->second.parameters > 1;
  }
  std::uint64_t orphan_count() const noexcept { return orphan_count_.load(std::memory_order_relaxed); }
  bool is_orphan(const Tensor& x) {
    const std::lock_guard lock(mutex_);
    return std::ranges::any_of(orphans_, [&x](const Tensor& orphan) { return orphan.is_same(x); });
  }
  template <class F>
  void for_each(F f) {
    const std::lock_guard lock(mutex_);
    for (const auto& [impl, record] : records_) f(*impl, record);
  }

 private:
  std::mutex mutex_;
  std::unordered_map<TensorImpl*, Record> records_;
  std::vector<Tensor> orphans_;
  std::atomic<std::uint64_t> orphan_count_{0};
};

}  // namespace

void mark_listed(Parameter& parameter) {
  if (parameter.listed_.exchange(true)) return;
  Register::get().list(parameter);
}

Parameter::Parameter(Tensor values) : Tensor(std::move(values)) {
  requires_grad_();
  Register::get().add(*this);
}

Parameter::Parameter(const Parameter& other) : Tensor(own_copy(other)) {
  if (Register::get().is_tied(other)) copy_of_ = impl_of(other);
  Register::get().add(*this);
}

Parameter::Parameter(Parameter&& other) noexcept
    : Tensor(std::move(other)), copy_of_(other.copy_of_), listed_(other.listed_.load()) {}

Parameter::~Parameter() { Register::get().remove(*this); }

void Parameter::replace(Tensor tensor) {
  listed_ = false;
  Register::get().add(tensor);
  Register::get().remove(*this);
  Tensor::operator=(std::move(tensor));
}

Parameter& Parameter::operator=(const Parameter& other) {
  return take_elements(*this, other) ? *this : *this = Parameter(other);
}

Parameter& Parameter::operator=(Parameter&& other) {
  if (take_elements(*this, other)) return *this;
  replace(other);
  copy_of_ = other.copy_of_;
  return *this;
}

void Parameter::tie(const Parameter& other) { replace(other); }

Buffer::Buffer(const Buffer& other) : Tensor(own_copy(other)) {}
Buffer& Buffer::operator=(const Buffer& other) { return take_elements(*this, other) ? *this : *this = Buffer(other); }
Buffer& Buffer::operator=(Buffer&& other) {
  if (!take_elements(*this, other)) Tensor::operator=(std::move(other));
  return *this;
}

std::uint64_t orphan_count() noexcept { return Register::get().orphan_count(); }

bool orphaned(const Tensor& x) { return x.defined() && Register::get().is_orphan(x); }

std::vector<Tensor> unlisted_with_gradient() {
  std::vector<Tensor> found;
  Register::get().for_each([&](TensorImpl& impl, const Register::Record& record) {
    if (record.listed || record.made_in != std::this_thread::get_id()) return;
    if (!impl.grad.defined()) return;
    impl.retain();
    found.push_back(adopt(&impl));
  });
  return found;
}

std::string to_string(const Parameter& parameter) {
  return "Parameter containing:\n" + gradus::to_string(static_cast<const Tensor&>(parameter));
}

std::ostream& operator<<(std::ostream& out, const Parameter& parameter) { return out << to_string(parameter); }

}  // namespace gradus::nn
