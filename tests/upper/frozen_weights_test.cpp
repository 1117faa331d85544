// Tensors by other names, and what frozen parts keep.
#include <cmath>

#include <torch/nn/module.h>

#include "weights_start.h"

using namespace sectile;
using namespace sectile::test;

TEST_CASE("named tensors are renamed, split, joined and dropped by patterns, and none is lost") {
  const auto names = [](NamedTensors& tensors) {
    std::string text;
    for (const auto& item : tensors.tensors()) text += (text.empty() ? "" : " ") + item.first;
    return text;
  };
  const auto a = at::arange(6, at::kFloat).view({6, 1});
  NamedTensors file({{"x.0.y.1.w", a}, {"x.10.y.2.w", a}, {"x.w", a}});
  file.rename("x.*.y.*.w", "*/*");
  CHECK(names(file) == "0/1 10/2 x.w");
  file.rename("*/*", "z.*");  // one star of two: the first
  CHECK(names(file) == "x.w z.0 z.10");
  file.rename("z.*", "x.w");  // taken, and by two
  CHECK(names(file) == "x.w z.0 z.10");
  file.split("z.*", 0, {"*.a", "*.b", "*.c"});
  CHECK(names(file) == "0.a 0.b 0.c 10.a 10.b 10.c x.w");
  CHECK(at::equal(file.tensors().at("10.b"), a.narrow(0, 2, 2)));
  file.split("x.w", 0, {"p", "q", "r", "s"});  // 6 rows are not four equal parts
  file.split("x.w", 2, {"p", "q"});            // and there are two dimensions
  CHECK(names(file) == "0.a 0.b 0.c 10.a 10.b 10.c x.w");
  file.drop("10.c");
  file.join({"*.a", "*.b", "*.c"}, 0, "z.*");  // 10 lacks a part
  CHECK(names(file) == "10.a 10.b x.w z.0");
  CHECK(at::equal(file.tensors().at("z.0"), a));
  file.drop("*.*");
  CHECK(names(file) == "");
  CHECK_THROWS_AS(file.rename("x.*", "*.*"), std::invalid_argument);
  CHECK_THROWS_AS(file.split("x.*", 0, {}), std::invalid_argument);
}

TEST_CASE("stages are frozen where there are any, and as many as there are") {
  CHECK(spec_refusal(R"({"model": {"backbone": {"freeze": 1}}})") ==
        "/model/backbone/freeze: does not apply to backbone \"toy_attention\", which has no stages; remove it, or "
        "freeze parameters with /optimizer/groups");
  CHECK(spec_refusal(R"({"model": {"backbone": {"type": "toy_stages", "freeze": 4}}})") ==
        "/model/backbone/freeze: is 4, and backbone \"toy_stages\" has 3 stages");
  CHECK(spec_refusal(R"({"model": {"backbone": {"type": "toy_stages", "freeze": 3}}})") == "accepted");
}

TEST_CASE("frozen stages keep weights and statistics bit for bit, through evaluations and when a run goes on") {
  const std::string by_option = R"({"model": {"backbone": {"type": "toy_stages", "freeze": 2}}})";
  const std::string by_group =
      R"({"model": {"backbone": {"type": "toy_stages"}},
          "optimizer": {"groups": [{"match": "backbone.stages.0.*", "freeze": true},
                                   {"match": "backbone.stages.1.*", "freeze": true}]}})";
  for (const auto& changes : {by_option, by_group}) {
    CAPTURE(changes);
    const test::Scratch folder;
    auto first = pipeline(changes);
    const auto before = copy_of(first.model->module());
    TrainListener listener;
    int steps = 0;
    listener.stepped = [&](const StepReport&) { ++steps; };
    const auto one_after_the_first_evaluation = [&] { return steps == 5; };
    train(first, folder.path(), {listener}, {.interrupted = one_after_the_first_evaluation, .resume_from = {}});
    auto second = pipeline(changes);
    train(second, folder.path(), {}, {.resume_from = folder / "last.pth"});
    for (const auto* made : {&first, &second})
      for (const auto& [name, tensor] : state_dict(made->model->module())) {
        CAPTURE(name);
        CHECK(at::equal(tensor, before.at(name)) != (name.starts_with("backbone.stages.2.") || name == "head.weight"));
      }
  }
}

TEST_CASE("a norm goes on learning its statistics while one of its parameters learns") {
  const std::string groups =
      R"({"model": {"backbone": {"type": "toy_stages"}},
          "optimizer": {"groups": [{"match": "backbone.stages.0.norm.weight", "freeze": true},
                                   {"match": "backbone.stages.1.norm.*", "freeze": true}]}})";
  const test::Scratch folder;
  auto made = pipeline(groups);
  const auto before = copy_of(made.model->module());
  train(made, folder.path(), {});
  for (const auto& [name, learns] :
       {std::pair("backbone.stages.0.norm.running_mean", true), std::pair("backbone.stages.1.norm.running_mean", false),
        std::pair("backbone.stages.1.plain.running_mean", true)}) {
    CAPTURE(name);
    CHECK(at::equal(state_dict(made.model->module()).at(name), before.at(name)) != learns);
  }
}
