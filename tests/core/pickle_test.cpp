#include "io/pickle.hpp"

#include "files.hpp"
#include "io/pickle_writer.hpp"

#include <gtest/gtest.h>

namespace gradus::test {
namespace {

using detail::Budget;
using detail::Pickle;
using detail::PickleWriter;

Pickle parse(const std::string& program) {
  Budget budget(1 << 20, 0);
  return detail::parse_pickle(as_bytes(program), budget);
}

/// The program between the protocol and the stop.
Pickle run(const std::string& body) { return parse("\x80\x02" + body + "."); }

void expect_refused(const std::string& body, const std::string& reason) {
  expect_error_with<FileError>([&] { run(body); }, reason);
}

std::string text(const std::string& content) {
  return "X" + bytes_of(static_cast<std::uint32_t>(content.size())) + content;
}

const std::string ordered_dict = "ccollections\nOrderedDict\n";
const std::string rebuild = "ctorch._utils\n_rebuild_tensor_v2\n";

/// A storage of `numel` float32 elements.
std::string storage(const std::string& numel) {
  return "(" + text("storage") + "ctorch\nFloatStorage\n" + text("0") + text("cpu") + numel + "tQ";
}

std::string tensor(const std::string& offset, const std::string& shape, const std::string& strides) {
  return rebuild + "(" + storage("K\x06") + offset + "(" + shape + "t(" + strides + "t\x89" + ordered_dict + ")RtR";
}

std::string integer(std::int64_t number) { return "\x8a\x08" + bytes_of(number); }

template <class T>
T root(const std::string& body) {
  const Pickle pickle = run(body);
  return std::get<T>(pickle.nodes[pickle.root]);
}

TEST(Pickle, ReadsNumbersAndText) {
  EXPECT_EQ(root<bool>("\x88"), true);
  EXPECT_EQ(root<std::int64_t>("K\xff"), 255);
  EXPECT_EQ(root<std::int64_t>("M\xff\xff"), 65535);
  EXPECT_EQ(root<std::int64_t>("J\xfe\xff\xff\xff"), -2);
  EXPECT_EQ(root<std::int64_t>(std::string("\x8a\0", 2)), 0);
  EXPECT_EQ(root<std::int64_t>("\x8a\x01\xff"), -1);
  EXPECT_EQ(root<std::int64_t>(std::string("\x8a\x02\xff\0", 4)), 255);
  EXPECT_EQ(root<std::int64_t>(integer(INT64_MIN)), INT64_MIN);
  EXPECT_EQ(root<double>(std::string("G\xbf\xf8\0\0\0\0\0\0", 9)), -1.5);
  EXPECT_EQ(root<std::string>(text("ü")), "ü");
  EXPECT_EQ(root<std::string>("U\x02"
                              "ab"),
            "ab");
}

TEST(Pickle, ReadsContainersInEveryWayTheyAreWritten) {
  using Ids = std::vector<Pickle::Id>;
  EXPECT_EQ(root<Pickle::Tuple>("K\1K\2K\3\x87").elements, (Ids{0, 1, 2}));
  EXPECT_EQ(root<Pickle::Tuple>("(K\1K\2t").elements, (Ids{0, 1}));
  EXPECT_EQ(root<Pickle::List>("]K\1a").elements, (Ids{1}));
  EXPECT_EQ(root<Pickle::List>("](K\1K\2e").elements, (Ids{1, 2}));
  EXPECT_EQ(root<Pickle::Dict>("}" + text("a") + "K\1s").elements, (Ids{1, 2}));
  EXPECT_EQ(root<Pickle::Dict>("}(" + text("a") + "K\1u").elements, (Ids{1, 2}));
  EXPECT_EQ(root<Pickle::Dict>(ordered_dict + ")R(" + text("a") + "K\1u").elements.size(), 2u);
  EXPECT_EQ(root<Pickle::Tuple>("ctorch\nSize\n(K\2t\x85R").elements.size(), 1u);
  EXPECT_EQ(root<Pickle::List>("]q\7(h\7e").elements, (Ids{0}));  // a list that holds itself
  EXPECT_EQ(root<Pickle::Tuple>("K\5r\xff\xff\xff\xffj\xff\xff\xff\xff\x86").elements, (Ids{0, 0}));
}

TEST(Pickle, ReadsTensors) {
  const Pickle pickle = run(tensor("K\1", "K\2K\2", "K\3K\1"));
  ASSERT_EQ(pickle.tensors.size(), 1u);
  EXPECT_EQ(pickle.tensors[0].offset, 1);
  EXPECT_EQ(pickle.tensors[0].shape, Shape({2, 2}));
  EXPECT_EQ(pickle.tensors[0].strides, Shape({3, 1}));
  EXPECT_EQ(pickle.storages[0].key, "0");
  EXPECT_EQ(pickle.storages[0].numel, 6);
  EXPECT_EQ(pickle.storages[0].type, detail::Stored::f32);
  EXPECT_EQ(run(tensor("K\6", std::string("K\0", 2), "K\1")).tensors.size(), 1u);  // no elements, so none is outside
}

TEST(Pickle, RefusesTensorsOutsideTheirStorage) {
  const std::string zero("K\0", 2);
  expect_refused(tensor("K\1", "K\2K\3", "K\3K\1"),
                 "shape [2, 3] with strides [3, 1] and offset 1 does not fit in its storage of 6");
  expect_refused(tensor("K\6", "", ""), "does not fit");
  expect_refused(tensor(zero, integer(INT64_MAX), "K\1"), "does not fit");
  expect_refused(tensor(zero, integer(INT64_MAX) + integer(INT64_MAX), integer(INT64_MAX) + "K\1"), "does not fit");
  expect_refused(tensor(integer(INT64_MAX), "K\2", "K\1"), "does not fit");
  expect_refused(tensor(integer(-1), "K\1", "K\1"), "does not fit");
  expect_refused(tensor(zero, integer(-1), "K\1"), "does not fit");
  expect_refused(tensor("K\2", "K\2", integer(-1)), "does not fit");
  expect_refused(tensor(zero, "K\1", ""), "more sizes than strides");
  expect_refused(tensor(zero, "K\1K\1K\1K\1K\1K\1K\1K\1K\1", "K\1K\1K\1K\1K\1K\1K\1K\1K\1"), "9 dimensions");
  expect_refused(tensor(zero, text("3"), "K\1"), "a size or stride");
}

TEST(Pickle, RunsNothingThatAFileNames) {
  const Pickle pickle = run("cos\nsystem\n" + text("touch here") + "\x85R}b");
  const auto& object = std::get<Pickle::Object>(pickle.nodes[pickle.root]);
  EXPECT_EQ(std::get<Pickle::Global>(pickle.nodes[object.callable]).name, "os.system");
  EXPECT_TRUE(object.state);
  root<Pickle::Object>("ctorch.nn.modules.linear\nLinear\n)\x81");
  root<Pickle::Object>("cos\nsystem\n)}\x92");
  root<Pickle::Object>("(cos\nsystem\nK\1o");
  root<Pickle::Object>("cos\nsystem\n)R)R");            // what a call gave is called
  root<Pickle::Object>("ccollections\ndeque\n)RK\1a");  // appended to
  root<Pickle::Object>("cmy\nDict\n)RK\1K\2s");
  root<Pickle::Global>("ctorch\nComplexFloatStorage\n");
  root<Pickle::Global>("c\n\n");
  // A tensor of a type that is not read stays an object.
  const std::string complex =
      "(" + text("storage") + "ctorch\nComplexFloatStorage\n" + text("0") + text("cpu") + "K\1tQ";
  root<Pickle::Object>(rebuild + "(" + complex + std::string("K\0", 2) + "))\x89NtR");
  root<Pickle::Object>("ctorch._utils\n_rebuild_sparse_tensor\n)R");
}

TEST(Pickle, ReadsTheOpcodesOfEveryProtocol) {
  const auto in_protocol = [](char protocol, const std::string& body) {
    const Pickle pickle = parse(std::string("\x80") + protocol + body + ".");
    return pickle.nodes[pickle.root];
  };
  EXPECT_EQ(std::get<Pickle::Bytes>(in_protocol(3, "C\2ab")).content, "ab");
  EXPECT_EQ(std::get<Pickle::Bytes>(in_protocol(3, "B" + bytes_of(2) + "ab")).content, "ab");
  EXPECT_EQ(std::get<Pickle::Bytes>(in_protocol(4, "\x8e" + bytes_of(std::int64_t{2}) + "ab")).content, "ab");
  EXPECT_EQ(std::get<Pickle::Bytes>(in_protocol(5, "\x96" + bytes_of(std::int64_t{1}) + "a")).content, "a");
  EXPECT_EQ(std::get<std::string>(in_protocol(4, "\x95" + bytes_of(std::int64_t{4}) + "\x8c\2ab")), "ab");
  EXPECT_EQ(std::get<std::string>(in_protocol(4, "\x8d" + bytes_of(std::int64_t{1}) + "a")), "a");
  EXPECT_EQ(std::get<Pickle::Global>(in_protocol(4, "\x8c\2os\x8c\6system\x93")).name, "os.system");
  EXPECT_EQ(std::get<Pickle::Tuple>(in_protocol(4, "K\1\x94K\2\x94\x86\x94h\1\x86")).elements,
            (std::vector<Pickle::Id>{2, 1}));
  EXPECT_EQ(std::get<Pickle::Object>(in_protocol(4, "\x8f(K\1K\2\x90")).elements.size(), 2u);
  EXPECT_EQ(std::get<Pickle::Object>(in_protocol(4, "(K\1\x91")).elements.size(), 1u);
  EXPECT_EQ(std::get<Pickle::Tuple>(in_protocol(2,
                                                "K\1"
                                                "2\x86"))
                .elements,
            (std::vector<Pickle::Id>{0, 0}));
  EXPECT_EQ(std::get<std::int64_t>(in_protocol(2,
                                               "K\1K\2"
                                               "0")),
            1);
  EXPECT_EQ(std::get<std::int64_t>(in_protocol(2,
                                               "K\1(K\2"
                                               "1")),
            1);
  EXPECT_EQ(std::get<std::int64_t>(in_protocol(2, "I-5000000000\n")), -5'000'000'000);
  EXPECT_EQ(std::get<std::int64_t>(in_protocol(2, "\x8b" + bytes_of(2) + "\xff\1")), 511);
  EXPECT_EQ(std::get<std::string>(in_protocol(2, "T" + bytes_of(2) + "ab")), "ab");
  EXPECT_EQ(run("\x8a\x09"
                "123456789")
                .nodes.size(),
            3u);  // an integer of more than 64 bits is an object
}

TEST(Pickle, ReadsTensorsOfIntegersWithoutSign) {
  const std::string storage =
      "(" + text("storage") + "ctorch.storage\nUntypedStorage\n" + text("0") + text("cpu") + "K\4tQ";
  const auto tensor_of = [&](const std::string& dtype) {
    return run("ctorch._utils\n_rebuild_tensor_v3\n(" + storage + std::string("K\0", 2) + "K\2\x85K\1\x85\x89N" +
               "ctorch\n" + dtype + "\ntR");
  };
  const Pickle pickle = tensor_of("uint16");
  ASSERT_EQ(pickle.tensors.size(), 1u);
  EXPECT_EQ(pickle.storages[pickle.tensors[0].storage].type, detail::Stored::u16);
  EXPECT_EQ(pickle.storages[pickle.tensors[0].storage].numel, 2);
  EXPECT_TRUE(tensor_of("float8_e5m2").tensors.empty());
  expect_error_with<FileError>([&] { tensor_of("uint64"); }, "part of an element");
  expect_error_with<FileError>([&] { tensor_of("uint32"); }, "does not fit");
}

TEST(Pickle, RefusesProgramsThatMakeNoSense) {
  expect_refused("", "takes more from its stack");
  expect_refused("NN", "does not end with one value");
  expect_refused("(N", "does not end with one value");
  expect_refused("N(N\x86", "takes more from its stack");
  expect_refused("Nt", "looks for a mark");
  expect_refused("NNa", "appends to something that is no list");
  expect_refused("N(NNu", "sets items of something that is no dict");
  expect_refused("}(Nu", "a key without a value");
  expect_refused("h\1", "refers to something it did not remember");
  expect_refused("q\1", "takes more from its stack");
  expect_refused("I12x\n", "text where an integer is expected");
  expect_refused("o", "looks for a mark");
  expect_refused("(o", "calls nothing");
  expect_refused("K\1K\2\x93", "a name");
  expect_refused("N)R", "the name of a function");
  expect_refused(ordered_dict + "NR", "arguments of a call");
  expect_refused(ordered_dict + "]N\205a\x85R", "makes an OrderedDict in an unknown way");
  expect_refused("ctorch\nFloatStorage\n)R", "makes a storage outside");
  expect_refused("N}b", "an OrderedDict");
  expect_refused("NQ", "the description of a storage");
  expect_refused(rebuild + ")R", "makes a tensor in an unknown way");
  expect_refused(storage(integer(-1)), "a storage of negative size");
  expect_refused("i", "the opcode 105");
}

TEST(Pickle, RefusesWhatEndsTooEarlyOrIsAnotherProtocol) {
  expect_error_with<FileError>([] { parse(""); }, "ends too early");
  expect_error_with<FileError>([] { parse("\x80\x06N."); }, "does not have protocol 2");
  expect_error_with<FileError>([] { parse("\x80\x01N."); }, "does not have protocol 2");
  expect_error_with<FileError>([] { parse("N."); }, "does not have protocol 2");
  expect_error_with<FileError>([] { parse("\x80\x02N"); }, "ends too early");
  expect_error_with<FileError>([] { parse("\x80\x02N.N"); }, "does not end with one value");
  expect_refused("X\xff\xff\xff\xff", "ends too early");
  expect_refused("ctorch", "ends too early");
  expect_refused("G\1\1", "ends too early");
}

TEST(Pickle, SpendsNoMoreThanTheBudget) {
  expect_refused("(" + std::string(100'000, 'N') + "t", "it would take more than 1048576 bytes of memory");
}

TEST(Pickle, WritesWhatItReads) {
  Value value;
  value["a"] = Value::list({1, -(std::int64_t{1} << 40), 0.5, "text", Value(), true});
  value["t"] = Value::tuple({ones({2, 3}), Value::dict()});
  value[7] = Value::list();
  const PickleWriter writer(value);
  ASSERT_EQ(writer.storages().size(), 1u);
  const Pickle pickle = parse(writer.pickle());
  EXPECT_EQ(std::get<Pickle::Dict>(pickle.nodes[pickle.root]).elements.size(), 6u);
  EXPECT_EQ(pickle.tensors[0].strides, Shape({3, 1}));
  expect_robust(writer.pickle(), [](const std::string& changed) { parse(changed); });
}

TEST(Pickle, WriterKeepsTensorsThatAreOneAndOthersApart) {
  const Tensor x = ones({4});
  const auto storages = [](const Value& value) { return PickleWriter(value).storages().size(); };
  EXPECT_EQ(storages(Value::list({x, x, x.reshape({2, 2})})), 1u);
  EXPECT_EQ(storages(Value::list({x, x.clone()})), 2u);
  EXPECT_EQ(storages(Value::list({x, x.narrow(0, 0, 2), x})), 3u);
  EXPECT_EQ(storages(Value::list({zeros({0}), zeros({0, 3})})), 2u);
}

TEST(Pickle, WriterRefusesWhatPythonCannotRead) {
  Value deep;
  for (int i = 0; i < 101; ++i) deep = Value::tuple({deep});
  expect_error_with<ValueError>([&] { PickleWriter writer(deep); }, "nested more than 100 deep");
  expect_error_with<ValueError>([] { PickleWriter writer("\xff"); }, "not UTF-8");
}

}  // namespace
}  // namespace gradus::test
