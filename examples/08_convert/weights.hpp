// The weights among all that a file may hold.
#pragma once

#include <gradus/gradus.hpp>

/// Whether `value` is what Module::state_dict() makes: a dict from names to tensors, and nothing else.
bool is_state_dict(const gradus::Value& value);

/// The weights in a file, without the prefix that all names have behind a wrapper of Python's ("module.", …): the file
/// itself when it is a state_dict, of a checkpoint the one state_dict in it. Throws ValueError when there is none, or
/// when it would have to choose.
gradus::StateDict weights_of(const gradus::Value& file);

/// The tensors below `name` ("model", "module.encoder"), without it. Throws ValueError when there is none.
gradus::StateDict tensors_below(const gradus::Value& file, std::string name);

/// The value with what the objects of Python in it hold in their place: a module's weights, the elements of a set. An
/// object that holds nothing is left out, and `left_out` gets a text such as "'optimizer', a torch.optim.adam.Adam".
gradus::Value plain_value(const gradus::Value& value, const std::string& name, std::vector<std::string>& left_out);
