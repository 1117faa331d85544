// A transform with an option of every shape, for tests of reading, writing, describing and schemas. It changes nothing.
#include <sectile/transform.h>

namespace {

enum class Mode { nearest, linear };

struct Nested {
  double low = 0.25;
  int required_count = 0;
  void declare(sectile::Options& options) {
    options.add("low", &low, "A number in a group.").at_least(0).at_most(1);
    options.add("required_count", &required_count, "Must be given where the group is.").required().at_least(1);
  }
};

struct Limits {
  int from = 1;
  int to = 9;
  void declare(sectile::Options& options) {
    options.add("from", &from, "Where it starts.");
    options.add("to", &to, "Where it ends.");
  }
  void check(sectile::Problems& problems) const {
    if (from > to) problems.add("to", std::to_string(to) + " is less than \"from\", " + std::to_string(from));
  }
};

struct EveryShape {
  bool flag = false;
  int whole = 3;
  std::int64_t large = 1;
  double real = 0.5;
  std::string word = "mirror";
  std::string free_text = "anything";
  std::filesystem::path file;
  Mode mode = Mode::linear;
  Limits limits;
  std::vector<double> numbers{0.5, 2.0};
  std::array<int, 2> size{64, 64};
  std::vector<std::vector<int>> table;
  std::optional<int> maybe;
  std::optional<Nested> maybe_nested;
  std::vector<Nested> several;
  std::map<std::string, double> factors;
  std::vector<std::string> names{"first"};
  sectile::Ref<sectile::Transform> then;
  std::vector<sectile::Ref<sectile::Transform>> sequence;

  void declare(sectile::Options& options) {
    options.add("flag", &flag, "A switch.");
    options.add("whole", &whole, "A whole number.").at_least(-5).at_most(99);
    options.add("large", &large, "A whole number of 64 bits.").renamed_from("big");
    options.add("real", &real, "A number.").at_least(0);
    options.add("word", &word, "One of three words.").one_of({"mirror", "repeat", "constant"});
    options.add("free_text", &free_text, "Any text.").not_empty();
    options.add("file", &file, "A file.");
    options.add("mode", &mode, "An enumerator.").one_of({"nearest", "linear"});
    options.add("limits", &limits, "A group with a rule across its options.");
    options.add("numbers", &numbers, "Numbers within limits.").at_least(0).at_most(4).not_empty();
    options.add("size", &size, "Height and width.").at_least(1);
    options.add("table", &table, "Rows of whole numbers.");
    options.add("maybe", &maybe, "A number, or none.").at_least(1);
    options.add("maybe_nested", &maybe_nested, "A group, or none.");
    options.add("several", &several, "Any number of groups.");
    options.add("factors", &factors, "A number by name.").at_most(10);
    options.add("names", &names, "Some words.").not_empty();
    options.add("then", &then, "Another transform.");
    options.add("sequence", &sequence, "Other transforms, in order.");
  }
};

struct Strict {
  std::filesystem::path folder;
  int count = 0;
  void declare(sectile::Options& options) {
    options.add("folder", &folder, "Where its files lie.").required();
    options.add("count", &count, "How many there are.").required().renamed_from("number").at_least(2);
  }
};

class Nothing final : public sectile::Transform {
 public:
  void apply(sectile::Sample&, sectile::Draw&) const override {}
};

}  // namespace

SECTILE_PLUGIN("1.2.3", sectile::transform<Nothing, EveryShape>("every_shape", "Has an option of every shape."),
               sectile::transform<Nothing, Strict>("strict", "Has options that must be given."),
               sectile::transform<Nothing>("bare", "Has no options."))
