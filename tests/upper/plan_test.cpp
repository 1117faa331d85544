
TEST_CASE("a number of steps ends training inside an epoch, and a run of fewer samples has shorter ones") {
  auto made = plan(22, 4, 2, false);  // 6 batches, 3 steps an epoch
  made.stop_after = 4;
  CHECK(made.steps() == 4);
  CHECK(made.epochs() == 2);
  CHECK(made.total_batches() == 8);
  made.samples = 8;
  CHECK(made.steps_per_epoch() == 1);
  CHECK(made.epochs() == 4);
}

TEST_CASE("a sample that is drawn twice in an epoch has two occurrences, also across batches") {
  auto made = plan(4, 2);
  made.sampler = std::make_shared<Always>(std::vector<std::size_t>{3, 0, 3, 3});
  CHECK(made.occasion(0, 0).occurrence == 0);
  CHECK(made.occasion(1, 0).index == 3);
  CHECK(made.occasion(1, 0).occurrence == 1);
  CHECK(made.occasion(1, 1).occurrence == 2);
  CHECK(made.occasion(1, 1).batch == 1);
  CHECK(made.occasion(2, 0).epoch == 1);
  CHECK(made.occasion(2, 0).occurrence == 0);
}

TEST_CASE("a sampler that gives too few samples, or one that is not there, is named") {
  auto made = plan(4, 2);
  made.sampler = std::make_shared<Always>(std::vector<std::size_t>{1, 2});
  CHECK_THROWS_WITH_AS(made.occasion(0, 0), "/sampler: gave 2 samples for epoch 1, and 4 were wanted", PluginError);
  made.sampler = std::make_shared<Always>(std::vector<std::size_t>{1, 2, 4, 0});
  CHECK_THROWS_WITH_AS(made.occasion(0, 0), "/sampler: gave the sample 4, and the data has 4", PluginError);
}
