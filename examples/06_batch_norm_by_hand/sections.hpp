// The sixteen sections. Each writes its part of the page and checks what it says.
#pragma once

#include "example.hpp"
#include "page.hpp"

#include <gradus/gradus.hpp>

namespace lesson {

using Section = void(Page& page, const Lesson& lesson);

Section forward_node_by_node;
Section backward_node_by_node;
Section three_paths;
Section vanishing_term;
Section collapse;
Section geometry;
Section where_eps_matters;
Section lying_checks;
Section break_it;
Section batch_sizes;
Section train_and_eval;
Section running_statistics;
Section numerics;
Section second_order;
Section why_it_helps;
Section two_machines;

}  // namespace lesson
