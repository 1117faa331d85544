// Draw::child: the draws of transforms that other transforms hold.
#include <set>

#include <sectile/transform.h>

#include "support/test.h"

using namespace sectile;

namespace {

Sample numbered(int number) {
  Sample sample;
  sample.id = std::to_string(number);
  return sample;
}

}  // namespace

TEST_CASE("the numbers of children differ from each other's and from those of the transform that holds them") {
  Draw draw(Random{7}, nullptr, Random{8});
  std::set<std::uint64_t> seen;
  std::size_t count = 0;
  const auto note = [&](Random random) {  // a copy
    for (int i = 0; i < 50; ++i, ++count) seen.insert(random.bits());
  };
  note(draw.batch);
  for (std::uint64_t position = 0; position < 20; ++position) {
    auto child = draw.child(position);
    auto grandchild = child.child(position), same_place = draw.child(position);
    note(child.random), note(child.batch), note(grandchild.random), note(grandchild.batch), note(same_place.random);
  }
  note(draw.random);
  CHECK(seen.size() == count);
}

TEST_CASE("the numbers of children depend on the key alone") {
  const auto drawn = [](std::uint64_t key) {
    Draw draw(Random{key}, nullptr, Random{8});
    return draw.child(3).child(1).random.bits();
  };
  CHECK(drawn(1) == drawn(1));
  CHECK(drawn(1) != drawn(2));
}

TEST_CASE("children at one place have the same numbers of a batch, whatever was drawn for the samples") {
  Draw one(Random{1}, nullptr, Random{8}), other(Random{2}, nullptr, Random{8});
  other.child(0), other.child(5), other.random.bits();
  CHECK(one.child(4).batch.bits() == other.child(4).batch.bits());
  CHECK(one.child(4).batch.bits() != other.child(5).batch.bits());
  Draw next(Random{1}, nullptr, Random{9});
  CHECK(one.child(4).batch.bits() != next.child(4).batch.bits());
}

TEST_CASE("a child draws other samples, which went through what comes before it, with numbers of their own") {
  const auto others = [](Random& random) { return numbered(static_cast<int>(random.below(1000))); };
  Draw draw(Random{3}, others, Random{8});
  CHECK(draw.child(0).another().id != draw.child(0).another().id);

  std::vector<std::uint64_t> drawn;
  const auto before = [&](Sample& other, Draw& its) {
    other.id += " and " + its.another().id;
    drawn.push_back(its.random.bits());
    CHECK(its.batch.bits() == Random{8}.bits());
  };
  auto child = draw.child(1, before);
  const auto first = child.another(), second = child.another();
  CHECK(first.id.find(" and ") != std::string::npos);
  CHECK(first.id != second.id);
  REQUIRE(drawn.size() == 2);
  CHECK(drawn[0] != drawn[1]);

  // Children of children: each level adds its own.
  auto grandchild = child.child(0, [](Sample& other, Draw&) { other.id += "!"; });
  const auto third = grandchild.another();
  CHECK(third.id.find(" and ") != std::string::npos);
  CHECK(third.id.back() == '!');
}

TEST_CASE("a child has no other samples where its holder has none") {
  Draw draw(Random{3}, nullptr);
  CHECK_THROWS(draw.child(0, [](Sample&, Draw&) {}).another());
}
