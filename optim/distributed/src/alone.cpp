// What stands for MPI where it is not built in.
#ifndef GRADUS_HAS_MPI

#include "group.hpp"

namespace gradus::distributed::detail {

std::shared_ptr<Group> mpi_world() { return nullptr; }
int world_rank() { return 0; }
int world_size() { return 1; }
void abort_all() noexcept {}
void finish_mpi() {}

}  // namespace gradus::distributed::detail

#endif
