// How many threads gradus uses.
#pragma once

namespace gradus {

/// Sets the number of threads for large operations, the calling thread included; small ones never use a second thread.
/// Results of our own kernels do not depend on it. Throws ValueError unless n is positive, and RuntimeError for more
/// than one thread when gradus was built without them (GRADUS_THREADS).
void set_num_threads(int n);

/// The number set, at first that of the processors this process may run on.
int get_num_threads();

}  // namespace gradus
