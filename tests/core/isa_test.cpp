// GRADUS_ISA. The choice is made once in a process, so every case has one of its own.
#include "kernels/table.hpp"

#include <gradus/core/config.hpp>
#include <gradus/core/error.hpp>

#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

namespace gradus::kernels {
namespace {

/// Ends the process with its choice, or the error, on standard error.
[[noreturn]] void choose(const char* wish) {
  if (wish) {
    setenv("GRADUS_ISA", wish, 1);
  } else {
    unsetenv("GRADUS_ISA");
  }
  try {
    std::cerr << "chose " << isa_name(isa()) << ", table "
              << (&table<Table>() == table_for<Table>(isa()) ? "its own" : "another's") << '\n'
              << config();
  } catch (const ValueError& error) {
    std::cerr << "ValueError: " << error.what();
  }
  std::exit(0);
}

void expect_choice(const char* wish, const std::string& text) {
  EXPECT_EXIT(choose(wish), testing::ExitedWithCode(0), text) << (wish ? wish : "no wish");
}

std::string best() {
  std::string name = "plain";
  for (const Isa isa : {Isa::neon, Isa::sse2, Isa::avx2, Isa::avx512}) {
    if (supported(isa)) name = isa_name(isa);
  }
  return name;
}

TEST(InstructionSet, WithoutAWishItIsTheBest) {
  expect_choice(nullptr, "chose " + best() + ", table its own");
  expect_choice("", "chose " + best());
}

TEST(InstructionSet, AWishIsFollowedOrRefused) {
  for (const Isa isa : {Isa::plain, Isa::neon, Isa::sse2, Isa::avx2, Isa::avx512}) {
    const std::string name = isa_name(isa);
    expect_choice(name.c_str(), supported(isa) ? "chose " + name + ", table its own"
                                               : "ValueError: GRADUS_ISA=" + name + " is not supported");
  }
}

TEST(InstructionSet, AnUnknownWishIsNamedWithTheKnownOnes) {
  expect_choice("mmx", "ValueError: GRADUS_ISA expects plain, neon, sse2, avx2 or avx512, got mmx");
}

TEST(InstructionSet, ConfigNamesVersionInstructionSetBlasThreadsAndParts) {
  expect_choice(
      best().c_str(),
      "gradus [0-9.]+\ninstruction set: " + best() +
          "\nBLAS: .+\nthreads: [0-9]+\nparts: GRADUS_AUTOGRAD=O[NF]+ GRADUS_BLAS=O[NF]+ GRADUS_THREADS=O[NF]+ "
          "GRADUS_FILES_ZIP=O[NF]+ GRADUS_FILES_GZIP=O[NF]+ GRADUS_FILES_CSV=O[NF]+ "
          "GRADUS_ONNX=O[NF]+ GRADUS_INSTRUCTION_SETS=[a-z0-9;]+");
}

TEST(InstructionSet, PlainIsThereWhereItIsBuilt) {
  EXPECT_EQ(table_for<Table>(Isa::plain) != nullptr, supported(Isa::plain));
  if (supported(Isa::plain)) return;
  expect_choice("plain",
                "ValueError: GRADUS_ISA=plain is not supported by this processor, or is none of the "
                "GRADUS_INSTRUCTION_SETS of this build: [a-z0-9;]+; the best here is " +
                    best());
}

}  // namespace
}  // namespace gradus::kernels
