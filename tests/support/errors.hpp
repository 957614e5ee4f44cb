// Checking what a user is told.
#pragma once

#include <gradus/core/error.hpp>

#include <gtest/gtest.h>

#include <string>

namespace gradus::test {

/// Expects `f()` to throw an E (exactly) whose text begins with `beginning`: PyTorch's text where there is one.
template <class E, class F>
void expect_error(const std::string& beginning, F f) {
  try {
    f();
    ADD_FAILURE() << "nothing was thrown instead of: " << beginning;
  } catch (const Error& error) {
    EXPECT_EQ(typeid(error), typeid(E)) << error.kind();
    EXPECT_EQ(std::string(error.what()).substr(0, beginning.size()), beginning);
  }
}

/// The same for a text that has `part` in it.
template <class E, class F>
void expect_error_with(F f, const std::string& part) {
  try {
    f();
    ADD_FAILURE() << "nothing was thrown instead of: " << part;
  } catch (const Error& error) {
    EXPECT_EQ(typeid(error), typeid(E)) << error.kind();
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what() << "\ninstead of\n" << part;
  }
}

}  // namespace gradus::test
