// How everything that a module can be asked reads its state.
#pragma once

#include "tensor/message.hpp"

#include <gradus/nn/module.hpp>

#include <typeinfo>

namespace gradus::nn {

/// The module as an M, not as something derived from it, which may compute something else.
template <class M>
const M* exactly(const Module& module) {
  return typeid(module) == typeid(M) ? static_cast<const M*>(&module) : nullptr;
}

class BatchNorm1d;
/// relu(bn(x)), as one node of the graph if Sequential's docstring has no reason against it; its caller has asked for
/// hooks and derived types.
Tensor batch_norm_relu(const BatchNorm1d& bn, const Tensor& x);

/// A module has listed this Parameter in its state.
void mark_listed(Parameter& parameter);

/// Ties the parameters of a copy as those of the original are. Done once; later calls only test a flag.
void settle_ties(const Module& module);

/// Throws KeyError for a name that cannot be a part of a dotted one. `kind` is e.g. "module".
void check_name(const char* kind, std::string_view name);

using Member = StateList::Member;

/// What a module lists itself.
std::vector<Member> listed_by(Module& module);

/// `top`, whose name is empty, and all that it and the modules below it list, with dotted names: each module stands
/// before what it lists, depth first. The state of a const module is listed through the same function; none of the
/// callers writes to it then.
std::vector<Member> all_members(const Module& top);

}  // namespace gradus::nn
