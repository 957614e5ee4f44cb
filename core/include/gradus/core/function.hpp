// An operation of one's own: a forward and a backward function that are one node of the graph.
//
//   struct Cube : gradus::Function<Cube> {
//     static Tensor forward(Context& context, const Tensor& x) {
//       context.save_for_backward({x});
//       return x * x * x;
//     }
//     static Gradients backward(Context& context, const Tensor& dy) {
//       const auto [x] = context.saved<1>();
//       return {dy * 3 * x * x};
//     }
//   };
//   const Tensor y = Cube::apply(x);  // y.grad_fn() is "CubeBackward"
#pragma once

#include <gradus/core/autograd.hpp>

#include <array>
#include <tuple>
#include <typeinfo>

namespace gradus {

/// One gradient for each Tensor argument of `forward`, in their order; undefined where it is zero or nobody needs it.
using Gradients = std::vector<Tensor>;

namespace detail {
class FunctionCall;
class UserNode;

template <class T>
inline constexpr char type_mark = 0;  // its address tells types apart
}  // namespace detail

/// What the forward function of one call leaves for its backward function.
class Context {
 public:
  Context() = default;
  Context(Context&&) noexcept = default;
  Context& operator=(Context&&) noexcept = default;

  /// Keeps arguments, results and other tensors; undefined ones stay undefined. A write to one of them before backward
  /// is noticed there, and backward frees them. Called again, it replaces the list.
  void save_for_backward(std::vector<Tensor> tensors) { to_save_ = std::move(tensors); }
  /// Keeps anything else: a number, a shape, a struct of them. Tensors in it would not be watched, and a result among
  /// them would never be freed.
  template <class T>
  void keep(T data) {
    static_assert(!std::is_base_of_v<Tensor, T>, "tensors are kept by save_for_backward");
    kept_ = std::make_shared<T>(std::move(data));
    kept_type_ = &detail::type_mark<T>;
  }
  /// These results carry no gradient, as results that are not floating never do.
  void mark_non_differentiable(std::vector<Tensor> results) { constant_ = std::move(results); }

  /// Whether the gradient of the i-th Tensor argument is needed.
  bool needs_input_grad(std::size_t i) const { return needed_ >> i & 1; }

  /// What was saved. Throws RuntimeError when one of them was written to since.
  std::vector<Tensor> saved() const;
  /// The same, for `const auto [x, weight] = context.saved<2>();`. Throws RuntimeError for another number.
  template <std::size_t N>
  std::array<Tensor, N> saved() const {
    std::array<Tensor, N> tensors;
    unpack(tensors);
    return tensors;
  }
  /// What `keep` was given. Throws RuntimeError when that was another type, or nothing.
  template <class T>
  const T& kept() const {
    if (!kept_ || kept_type_ != &detail::type_mark<T>) refuse_kept();
    return *static_cast<const T*>(kept_.get());
  }

 private:
  friend class detail::FunctionCall;
  friend class detail::UserNode;
  void unpack(std::span<Tensor> tensors) const;
  [[noreturn]] void refuse_kept() const;

  std::vector<Tensor> to_save_, constant_;
  std::shared_ptr<const void> kept_;
  const char* kept_type_ = nullptr;
  std::uint64_t needed_ = 0;                // a bit for each Tensor argument
  const detail::UserNode* node_ = nullptr;  // in backward
};

namespace detail {

/// A type that derives from Function, for code that is compiled once.
struct FunctionInfo {
  const char* name;  // "CubeBackward"
  bool once_differentiable;
  Gradients (*backward)(Context& context, std::span<const Tensor> dy);
};

/// The name of a type without namespaces, and "Backward". It lives as long as the program.
const char* backward_name(const std::type_info& type);

/// One call of a Function, from before its forward to after it.
class FunctionCall {
 public:
  FunctionCall(const FunctionInfo& info, std::span<const Tensor* const> inputs, Context& context);
  /// Puts the results into the graph.
  void finish(std::span<Tensor* const> outputs);

 private:
  const FunctionInfo& info_;
  std::span<const Tensor* const> inputs_;
  Context& context_;
  bool tracked_ = false;
  std::uint64_t versions_ = 0;  // summed over the inputs that are in a graph
};

template <class T>
inline constexpr bool is_tensor = std::is_base_of_v<Tensor, T>;

}  // namespace detail

/// Makes one operation of F's `static R forward(Context&, arguments…)` and `static Gradients backward(Context&, dy…)`.
///
/// The arguments may be tensors, also undefined ones, and anything else; R is Tensor, a tuple, pair or array of them,
/// or std::vector<Tensor>. `backward` takes a Tensor for each result of a tuple or array (or all in an array), a vector
/// for a vector; a result that nobody used has a gradient of zeros. `forward` runs outside the graph.
///
/// A backward function made of gradus operations is differentiable itself. One that is not, since it reads `data()` or
/// goes through xtensor, says `static constexpr bool once_differentiable = true;` in F: then a second derivative throws
/// instead of being silently 0. `static constexpr const char* name` in F replaces the name of the node.
///
/// Throws RuntimeError when `forward` writes to an argument that is in a graph, and in the backward pass when
/// `backward` returns a wrong number of gradients, or one that has not the shape and dtype of its argument. Source:
/// torch::autograd::Function.
template <class F>
class Function {
 public:
  // so that F need not say where they are from
  using Tensor = gradus::Tensor;
  using Context = gradus::Context;
  using Gradients = gradus::Gradients;
  // what F may say instead
  static constexpr const char* name = nullptr;
  static constexpr bool once_differentiable = false;

  template <class... Arguments>
  static auto apply(const Arguments&... arguments) {
    using Result = decltype(F::forward(std::declval<Context&>(), arguments...));
    static const detail::FunctionInfo info{F::name ? F::name : detail::backward_name(typeid(F)), F::once_differentiable,
                                           backward_of<Result>};
    constexpr std::size_t count = (0 + ... + detail::is_tensor<Arguments>);
    static_assert(count <= 64, "at most 64 tensors");
    std::array<const Tensor*, count> inputs{};
    [[maybe_unused]] std::size_t next = 0;
    (collect(arguments, inputs, next), ...);

    Context context;
    detail::FunctionCall call(info, inputs, context);
    Result result = [&]() -> Result {
      const NoGradGuard no_grad;
      return F::forward(context, arguments...);
    }();
    if constexpr (detail::is_tensor<Result>) {
      call.finish(std::array{static_cast<Tensor*>(&result)});
    } else if constexpr (requires { result.data(); }) {
      std::vector<Tensor*> outputs;
      for (Tensor& y : result) outputs.push_back(&y);
      call.finish(outputs);
    } else {
      std::apply([&](auto&... y) { call.finish(std::array{static_cast<Tensor*>(&y)...}); }, result);
    }
    return result;
  }

 private:
  template <class T, std::size_t N>
  static void collect(const T& argument, std::array<const Tensor*, N>& inputs, std::size_t& next) {
    if constexpr (detail::is_tensor<T>) inputs[next++] = &argument;
  }

  template <class Result>
  static Gradients backward_of(Context& context, std::span<const Tensor> dy) {
    if constexpr (detail::is_tensor<Result>) {
      return listed(F::backward(context, dy[0]));
    } else if constexpr (std::is_same_v<Result, std::vector<Tensor>>) {
      return listed(F::backward(context, Result(dy.begin(), dy.end())));
    } else {
      return [&]<std::size_t... i>(std::index_sequence<i...>) {
        if constexpr (requires { F::backward(context, dy[i]...); }) {
          return listed(F::backward(context, dy[i]...));
        } else {
          return listed(F::backward(context, std::array{dy[i]...}));
        }
      }
      (std::make_index_sequence<std::tuple_size_v<Result>>());
    }
  }
  static Gradients listed(Gradients gradients) { return gradients; }
  static Gradients listed(Tensor gradient) { return {std::move(gradient)}; }
};

}  // namespace gradus
