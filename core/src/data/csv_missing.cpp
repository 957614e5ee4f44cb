// Instead of csv_records.cpp in a library built without libcsv.
#include "data/csv_records.hpp"

namespace gradus::detail {

void CsvReader::read_records() { fail("this gradus was built without libcsv\nBuild it with -DGRADUS_FILES_CSV=ON."); }

}  // namespace gradus::detail
