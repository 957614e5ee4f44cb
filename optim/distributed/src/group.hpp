// The two kinds of groups of processes.
#pragma once

#include <gradus/distributed.hpp>

namespace gradus::distributed::detail {

/// The processes that mpirun started, MPI being started at need; null when this process is alone.
std::shared_ptr<Group> mpi_world();
/// Ends all processes, if there are others; `rank` is -1 when there are none.
int world_rank();
int world_size();
void abort_all() noexcept;
void finish_mpi();
double timeout() noexcept;

}  // namespace gradus::distributed::detail
