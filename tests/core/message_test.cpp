#include "tensor/message.hpp"

#include "errors.hpp"

#include <gradus/core/state_dict.hpp>

namespace gradus::test {
namespace {

using detail::shown;

TEST(Message, ShowsTextThatATerminalCannotObey) {
  EXPECT_EQ(shown("plain, Größe 𝄞 …"), "plain, Größe 𝄞 …");
  EXPECT_EQ(shown(std::string("3\0003", 3)), "3\\x003");
  EXPECT_EQ(shown("\r\n\t\x1b[2J\x7f"), "\\x0d\\x0a\\x09\\x1b[2J\\x7f");
  EXPECT_EQ(shown("\xc2\x9b"), "\\xc2\\x9b");        // an escape of one character
  EXPECT_EQ(shown("\xff a \xc3"), "\\xff a \\xc3");  // not UTF-8
  EXPECT_EQ(shown("\xe2\x82"), "\\xe2\\x82");        // cut off
  EXPECT_EQ(shown("\xc0\xaf"), "\\xc0\\xaf");        // longer than it need be
  EXPECT_EQ(shown(std::string(50, 'a'), 10), std::string(10, 'a') + "…");
}

TEST(Message, NamesOfFilesAreShownSo) {
  const StateDict state{{"a\x1b", Tensor()}};
  expect_error<KeyError>("no tensor named 'b\\x0d'\nThere are: a\\x1b", [&] { state.at("b\r"); });
}

}  // namespace
}  // namespace gradus::test
