// Counts the processes that mpirun started, with messages between them; without MPI there is one.
#include <gradus/distributed.hpp>

#include <cstdio>

int main() {
  using namespace gradus;
  return distributed::run([](const distributed::Communicator& world) {
    const double count = world.sum(1.0);
    if (count != world.size()) throw RuntimeError("not every process was counted");
    if (world.rank() == 0) std::printf("processes: %g\n", count);
  });
}
