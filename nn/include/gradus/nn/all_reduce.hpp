// Sums over several processes: all that a layer needs to know of them.
#pragma once

#include <span>

namespace gradus::nn {

/// Processes that train one model together. gradus::distributed::Communicator is one over MPI.
class AllReduce {
 public:
  virtual ~AllReduce() = default;
  /// Replaces `values` by their sums over all processes, which all call this in the same order with as many values.
  virtual void sum(std::span<double> values) = 0;
};

}  // namespace gradus::nn
