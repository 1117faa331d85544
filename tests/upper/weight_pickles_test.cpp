// What Python's pickles hold besides plain tensors, byte by byte: it is read, left out by name, or refused.
#include <string>

#include <ATen/ATen.h>

#include <sectile/error.h>

#include "support/hostile.h"
#include "support/scratch.h"
#include "support/test.h"
#include "upper/weights/files/safetensors.h"
#include "upper/weights/files/torch/torch_file.h"
#include "upper/weights/files/weights_file.h"
#include "upper/weights/wrapped_names.h"

using namespace sectile;
namespace fs = std::filesystem;

namespace {

using Names = std::vector<std::string>;

std::string pickled(const std::string& text) {
  return std::string("X").append(test::little_endian(text.size(), 4)) + text;
}

// Two values of a record "data/0" that has 1 and 2; marks: a dict, as {"neg": True}.
std::string pickled_pair(const std::string& marks = "", const std::string& storage = "FloatStorage") {
  return "ctorch._utils\n_rebuild_tensor_v2\n((" + pickled("storage") + "ctorch\n" + storage + "\n" + pickled("0") +
         pickled("cpu") + "K\2tQ" + std::string("K\0", 2) + "(K\2t(K\1t\x89" + "ccollections\nOrderedDict\n)R" +
         (marks.empty() ? "" : "}" + pickled(marks) + "\x88s") + "tR";
}

const std::string kOneTwo("\0\0\x80?\0\0\0@", 8);

struct PickleFile {
  test::Scratch folder;
  const fs::path file;

  explicit PickleFile(const std::string& pickle, const std::string& record = kOneTwo)
      : file(folder.write("w.pth", test::torch_file(pickle, {{"archive/data/0", record}}))) {}
  WeightsContent read(const std::string& key = {}) const { return read_weights(file, key); }
  std::string refusal(const std::string& key = {}) const {
    try {
      read(key);
    } catch (const DataError& error) {
      return error.what();
    }
    return "read";
  }
};

// {name: value, …}, of pickled values
std::string pickled_dict(const std::vector<std::pair<std::string, std::string>>& items) {
  std::string text = "}(";
  for (const auto& [name, value] : items) text += pickled(name) + value;
  return text + "u";
}

Names names_in(const WeightsContent& content) {
  Names names;
  for (const auto& item : content.state) names.push_back(item.first);
  return names;
}

}  // namespace

TEST_CASE("a tensor with PyTorch's mark for negative values has them, also where it is written") {
  const PickleFile file(pickled_dict({{"w", pickled_pair("neg")}, {"v", pickled_pair()}}));
  const auto read = file.read().state;
  const auto negative = at::tensor({-1.0F, -2.0F});
  CHECK(at::equal(read.at("w").resolve_neg(), negative));
  CHECK(at::equal(read.at("v"), -negative));
  write_safetensors(file.folder / "w.safetensors", read);
  write_torch_file(file.folder / "out.pth", PythonDict{{"w", read.at("w")}});
  for (const char* written : {"w.safetensors", "out.pth"})
    CHECK(at::equal(read_weights(file.folder / written).state.at("w"), negative));
}

TEST_CASE("tensors that are not read are left out and named, and those beside them are read") {
  const auto sparse = "ctorch._utils\n_rebuild_sparse_tensor\n(" + pickled("layout") + "tR";
  const PickleFile file(pickled_dict({{"w", pickled_pair()},
                                      {"s", sparse},
                                      {"q", pickled_pair("", "QInt8Storage")},
                                      {"c", pickled_pair("", "ComplexFloatStorage")},
                                      {"conj", pickled_pair("conj")},
                                      {"l", "](" + pickled_pair() + "e"}}));
  const auto read = file.read();
  CHECK(names_in(read) == Names{"w"});
  CHECK(read.left_out == Names{"s (a sparse tensor)", "q (a quantized tensor)", "c (a complex tensor)",
                               "conj (a conjugated tensor; save it after .resolve_conj())", "l.0 (in a list)"});
  CHECK(names_in(file.read(".")) == Names{"l.0", "w"});
}

TEST_CASE("keys that are numbers are no names of a network, and the whole file has them") {
  const PickleFile file("}(K\5" + pickled_pair() + pickled("w") + pickled_pair() + "u");
  CHECK(names_in(file.read()) == Names{"w"});
  CHECK(file.read().left_out == Names{"5 (its key is a number)"});
  CHECK(names_in(file.read(".")) == Names{"5", "w"});
}

TEST_CASE("what a file has beside the dictionary that is taken is said, and the key . takes it all") {
  const auto part = pickled_dict({{"w", pickled_pair()}});
  const PickleFile file(
      pickled_dict({{"net", part},
                    {"head", part},
                    {"best", pickled_pair()},
                    {"optimizer", std::string("}(K\0", 4) + pickled_dict({{"m", pickled_pair()}}) + "u"}}));
  CHECK(file.read().key == "net");
  CHECK(file.read().elsewhere == Names{"head", "best", "optimizer"});
  CHECK(names_in(file.read(".")) == Names{"best", "head.w", "net.w", "optimizer.0.m"});
}

TEST_CASE("two tensors of one name are refused with both places, and of a key given twice the last value counts") {
  const PickleFile two(pickled_dict({{"a.b", pickled_pair()}, {"a", pickled_dict({{"b", pickled_pair()}})}}));
  CHECK(two.refusal().find(R"(has two tensors of the name a.b: ["a.b"] and ["a"]["b"])") != std::string::npos);
  CHECK(names_in(two.read("a")) == Names{"b"});
  const PickleFile twice(pickled_dict({{"w", pickled_pair()}, {"w", pickled_pair("neg")}}));
  CHECK(twice.read().state.at("w").sum().item<double>() == -3);
}

TEST_CASE("a few tensors under a usual name do not hide the many beside them, and a key may contain a slash") {
  const auto scalar = pickled_dict({{"temperature", pickled_pair()}});
  const PickleFile file(pickled_dict({{"a", pickled_pair()}, {"b", pickled_pair()}, {"params", scalar}}));
  CHECK(names_in(file.read()) == Names{"a", "b", "params.temperature"});
  CHECK(names_in(file.read("params")) == Names{"temperature"});
  const PickleFile slash(pickled_dict({{"a/b", scalar}, {"c", pickled_dict({{"d/e", scalar}})}}));
  CHECK(slash.read("a/b").state.size() == 1);
  CHECK(slash.read("c/d/e").state.size() == 1);
}

TEST_CASE("large integers, deques and values that contain themselves beside the weights do no harm") {
  const auto seed = std::string("\x8a\x09\0\0\0\0\0\0\0\x80\0", 11);
  const std::string deque = "ccollections\ndeque\n)R(K\1K\2e";
  for (const auto& value :
       {seed, deque, std::string("]q\1h\1a"), std::string("}q\1K\1h\1s"), std::string("]q\1]q\2h\1aa"),
        std::string("]q\1(]h\1a]h\1ae"), std::string("(]q\1(h\1tq\2a0h\2t")}) {
    CAPTURE(value);
    CHECK(PickleFile(pickled_dict({{"x", value}, {"w", pickled_pair()}})).read().state.size() == 1);
    CHECK(PickleFile(pickled_dict({{"w", pickled_pair()}, {"x", value}})).read().state.size() == 1);
  }
  // d = {"x": [d], "w": …}
  const PickleFile root("}q\1(" + pickled("x") + "]h\1a" + pickled("w") + pickled_pair() + "u");
  CHECK(names_in(root.read()) == Names{"w"});
  // The same dictionary twice is no cycle: {"a": d, "b": {"c": d}}
  const PickleFile shared("}(" + pickled("a") + pickled_dict({{"w", pickled_pair()}}) + "q\1" + pickled("b") + "}" +
                          pickled("c") + "h\1su");
  CHECK(names_in(shared.read()) == Names{"a.w", "b.c.w"});
}

TEST_CASE("tensors in a namedtuple, or in a class like a list, are named, and the whole file has them") {
  const std::string pair = "c__main__\nPair\n(" + pickled_pair() + pickled_pair() + "t\x81";
  const std::string list = "c__main__\nList\n)\x81(" + pickled_pair() + "e";
  const auto content = pickled_dict({{"model", pickled_dict({{"w", pickled_pair()}})}, {"norm", pair}, {"list", list}});
  const PickleFile file(content);
  CHECK(file.read().elsewhere == Names{"norm", "list"});
  CHECK(names_in(file.read(".")) == Names{"list.0", "model.w", "norm.0", "norm.1"});
  const PickleFile inside(pickled_dict({{"w", pickled_pair()}, {"norm", pair}}));
  CHECK(inside.read().left_out == Names{"norm.0 (in a list)", "norm.1 (in a list)"});
  CHECK(inside.read().not_tensors.empty());
}

TEST_CASE("an object may mention itself in its attributes, and may be in several places") {
  const auto marked = [](const std::string& mention) {  // x = M(); x.w = …; x.x = x, or deeper
    return "c__main__\nM\n)\x81q\1}(" + pickled("x") + mention + pickled("w") + pickled_pair() + "ub";
  };
  const std::string other = "c__main__\nN\n)\x81}" + pickled("p");
  for (const std::string& mention : {std::string("h\1"), std::string("]h\1a"), other + "h\1sb"}) {
    CAPTURE(mention);
    const PickleFile file("}(" + pickled("a") + marked(mention) + pickled("b") + "]h\1au");
    CHECK(names_in(file.read(".")) == Names{"a.w", "b.0.w"});
  }
  // Mentioned by what a call has used up: a parameter whose attributes point to its module.
  const auto parameter =
      "ctorch._utils\n_rebuild_parameter_with_state\n(" + pickled_pair() + "\x89)}" + pickled("m") + "h\1stR";
  const PickleFile used("}" + pickled("a") + "c__main__\nM\n)\x81q\1}(" + pickled("p") + parameter + pickled("q") +
                        "]h\1aubs");
  CHECK(names_in(used.read(".")) == Names{"a.p"});
}

TEST_CASE("keys that are no texts name their tensors where the whole file is taken") {
  const PickleFile file("}(\x88" + pickled_pair() + "G\x40\4" + std::string(6, '\0') + pickled_pair() + "K\1K\2\x86" +
                        pickled_pair() + pickled("w") + pickled_pair() + "u");
  CHECK(file.read().left_out ==
        Names{"True (its key is not a text)", "2.5 (its key is not a text)", "[2] (its key is not a text)"});
  CHECK(names_in(file.read(".")) == Names{"2.5", "True", "[2]", "w"});
}

TEST_CASE("arrays of numpy are read in protocol 5") {
  const std::string dtype = "cnumpy\ndtype\n(" + pickled("f4") + "\x89\x88tR(K\3" + pickled("<") + "NNNJ" +
                            std::string(4, '\xff') + "J" + std::string(4, '\xff') + "K" + std::string(1, '\0') + "tb";
  for (const auto& [order, wanted] :
       {std::pair("C", at::tensor({1.0F, 2.0F}).view({1, 2})), std::pair("F", at::tensor({1.0F, 2.0F}).view({1, 2}))}) {
    std::string array = "cnumpy._core.numeric\n_frombuffer\n(\x96" + test::little_endian(8, 8);
    array += kOneTwo;
    array += dtype + "K\1K\2\x86" + pickled(order) + "tR";
    CHECK(at::equal(PickleFile(pickled_dict({{"n", array}})).read().state.at("n"), wanted));
  }
}

TEST_CASE("what Python would read in another way is refused") {
  CHECK(PickleFile("}(" + pickled("w") + "q\1" + pickled_pair() + "\x94u").refusal().find("numbers its memo entries") !=
        std::string::npos);
  const test::Scratch folder;
  const auto old = folder.write("w.pth", test::zip_of({{"archive/data.pkl", "(dp0\n."}, {"archive/version", "3\n"}}));
  CHECK_THROWS_WITH_AS(read_weights(old), doctest::Contains("was pickled by protocol 0 or 1; save it again"),
                       DataError);
}

TEST_CASE("the first part of names is a key, and a key without tensors is an error that says which have some") {
  const PickleFile file(
      pickled_dict({{"model.w", pickled_pair()}, {"ema.w", pickled_pair("neg")}, {"states", std::string("]K\1a")}}));
  CHECK(names_in(file.read("ema")) == Names{"w"});
  CHECK(file.read("ema").state.at("w").sum().item<double>() == -3);
  CHECK(file.read("ema").elsewhere == Names{"model"});
  CHECK(file.refusal("states").find("has no tensors under \"states\"; without a key") != std::string::npos);
}

TEST_CASE("files with many small values beside or in them are read") {
  std::string many;
  constexpr int kTensors = 30'000;
  for (int i = 0; i < kTensors; ++i) many += pickled("layer" + std::to_string(i) + ".weight") + pickled_pair() + "q\1";
  CHECK(PickleFile("}(" + many + "u").read().state.size() == kTensors);
  // As Python's pickler writes {"loss": 0.0, "accuracy": 0.0}: texts that it has written are recalled.
  const auto epoch = "}q\1(h\2G" + std::string(8, '\0') + "h\3G" + std::string(8, '\0') + "u";
  const auto history =
      pickled("loss") + "q\0020" + pickled("accuracy") + "q\0030](" + test::repeated(epoch, 200'000) + "e";
  CHECK(PickleFile(pickled_dict({{"history", history}, {"w", pickled_pair()}})).read().state.size() == 1);
}

TEST_CASE("an archive of two folders is refused, and a missing record is called missing") {
  const test::Scratch folder;
  const auto pickle = pickled_dict({{"w", pickled_pair()}});
  const auto refusal = [&](const std::string& bytes) {
    try {
      read_weights(folder.write("w.pth", bytes));
    } catch (const DataError& error) {
      return std::string(error.what());
    }
    return std::string("read");
  };
  CHECK(refusal(test::torch_file(pickle, {{"archive/data/0", kOneTwo}, {"other/data/0", kOneTwo}}))
            .find(R"(has records in the folders "archive/" and "other/")") != std::string::npos);
  CHECK(refusal(test::torch_file(pickle)).find("the record data/0 with values of a tensor is missing") !=
        std::string::npos);
}

TEST_CASE("files of torch.save before PyTorch 1.6 are read in every protocol") {
  const std::string magic("\x8a\x0al\xfc\x9c\x46\xf9 j\xa8P\x19.", 13);
  for (const char protocol : {'\2', '\3', '\4', '\5'}) {
    CAPTURE(static_cast<int>(protocol));
    const test::Scratch folder;
    const std::string begin = std::string("\x80") + protocol;
    std::string frame;
    if (protocol > 3) frame.append(1, '\x95').append(test::little_endian(magic.size(), 8));
    const auto storage = "(" + pickled("storage") + "ctorch\nFloatStorage\n" + pickled("0") + pickled("cpu") + "K\2NtQ";
    const auto tensor = "ctorch._utils\n_rebuild_tensor_v2\n(" + storage + std::string("K\0", 2) +
                        "(K\2t(K\1t\x89"
                        "ccollections\nOrderedDict\n)RtR";
    const auto file = folder.write("w.pth", begin + frame + magic + begin + "M\xe9\x03." + begin + "}." + begin +
                                                pickled_dict({{"w", tensor}}) + "." + begin + "](" + pickled("0") +
                                                "e." + test::little_endian(2, 8) + kOneTwo);
    CHECK(at::equal(read_weights(file).state.at("w"), at::tensor({1.0F, 2.0F})));
  }
}

TEST_CASE("what safetensors cannot hold is refused by name before anything is written") {
  const test::Scratch folder;
  const auto refusal = [&](const std::string& name) {
    try {
      write_safetensors(folder / "w.safetensors", {{name, at::ones({2})}});
    } catch (const DataError& error) {
      return std::string(error.what());
    }
    return std::string("written");
  };
  CHECK(refusal("__metadata__").find("cannot hold a tensor of the name __metadata__") != std::string::npos);
  CHECK(refusal("w\xed\xa0\x80").find("which is not UTF-8") != std::string::npos);
  std::map<std::string, at::Tensor> many;
  for (int i = 0; i < 70'000; ++i) many.emplace(std::to_string(i), at::Tensor());
  for (auto& item : many) item.second = many.begin()->second.defined() ? many.begin()->second : at::ones({1});
  CHECK_THROWS_WITH_AS(write_safetensors(folder / "w.safetensors", many),
                       doctest::Contains("would have 70000 tensors, more than are read"), DataError);
  CHECK(!fs::exists(folder / "w.safetensors"));
  CHECK_THROWS_WITH_AS(write_torch_file(folder / "w.pth", PythonDict{{"w", at::ones({2}).to(at::kUInt16)}}),
                       doctest::Contains("w.pth: cannot hold tensors of type UInt16, as w is; a .safetensors file can"),
                       DataError);
}

TEST_CASE("weight norm of half precision is computed in single precision, as a network computes that loads its parts") {
  const auto g = at::full({2, 1}, 1.3).to(at::kHalf), v = at::tensor({0.1, 0.7, 0.3, -0.9}).view({2, 2}).to(at::kHalf);
  const auto wide = v.to(at::kFloat);
  const auto wanted = wide * (g.to(at::kFloat) / wide.norm(2, {1}, true));
  const auto computed = unwrap({{"weight_g", g}, {"weight_v", v}}).state.at("weight");
  CHECK((computed.scalar_type() == at::kFloat));
  CHECK(at::allclose(computed, wanted, 1e-6));
}
