// Collects the layers of a net: see layers.hpp.
#pragma once

#include "frozen/layers.hpp"

namespace gradus::nn::frozen {

class Collector {
 public:
  Collector(const Shape& row, const char* caller) : caller_(caller), shape_(row) { layers_.in = row; }

  void add(const std::string& name, Module& module);
  Layers finish();

 private:
  using What = decltype(Layer::what);

  void check(const std::string& name, const Module& module) const;
  Tensor call(const std::string& name, Module& module, const Tensor& x) const;
  Shape row_after(const std::string& name, const std::string& type, const Shape& batch) const;
  void push(const std::string& name, const std::string& type, What what, const Shape& after);

  // trace.cpp
  struct Call;
  void trace(const std::string& name, Module& module);
  std::vector<Call> record(const std::string& name, Module& module) const;
  void follow(const std::string& name, const Module& module, const Call& from, const Call& to);

  const char* caller_;
  Shape shape_;  // of a row, where the layers have come to
  Layers layers_;
};

/// Whether `module` is one of the layers, or vanishes in evaluation.
bool is_known(const Module& module);

/// A batch of rows to try `module` with.
Tensor batch_of(Shape row, const Module& module, bool random);

}  // namespace gradus::nn::frozen
