// What an unpickler has read so far: its stack and its memo, within limits of depth and memory.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "pickle_bytes.h"
#include "python_calls.h"
#include "python_value.h"

namespace sectile {

class PickleStack {
 public:
  PickleStack(std::uint64_t file_size, RecalledKeys recalled)
      : most_values_(kValues + file_size / kBytesPerValue), recalled_(std::move(recalled)) {}

  static constexpr std::uint64_t kObject = 6, kBytesOfValue = 48;

  [[noreturn]] static void malformed();
  // Memory is counted in plain values, which take up to kBytesOfValue each while the stack grows.
  void count_values(std::uint64_t count);
  // What a call has used up: it is counted no longer, but for what is also elsewhere.
  void forget(PythonValue value);

  void push(PythonValue value);
  void push_text(std::string_view text);
  void push_list(PythonList items);
  void push_dict() { push_new<PythonDict>(); }
  void push_object(std::string name, bool instance);
  void push_made(const std::string& name, const Made& made);  // by a call, whose list or dict comes from elsewhere
  PythonValue pop();
  void mark();
  PythonList to_mark();
  void tuple(std::size_t count);

  // The list, dict or object on top of the stack; append_items also takes an object of a class like list.
  void append_items(PythonList items);
  void set(PythonValue key, PythonValue item);
  void set_items(PythonList items);
  void set_arguments(const PythonList& arguments);
  void build(PythonValue state);

  void remember_next();
  void remember_as(std::size_t key);
  void recall(std::size_t key);

 private:
  // Once it is inside another one, it no longer changes, as in files of Python's pickler: so none contains itself, and
  // none is nested deeper than its parts say.
  template <class Items>
  struct Built : Items {
    int depth = 1;
    int places = 0;  // inside others
  };

  static constexpr int kDeepest = 100;
  // A file may need many values, so that the limit grows slowly with its size: a tensor needs about 20, with its name.
  static constexpr std::uint64_t kValues = 1'500'000, kBytesPerValue = 64;
  static constexpr std::uint64_t kContainer = 3, kText = 3, kMemo = 2;
  static constexpr std::uint64_t kMemoPerValue = 64;  // looked through, for its time
  static std::uint64_t cost_of(std::string_view text) { return kText + text.size() / kBytesPerValue; }

  template <class Items>
  void push_new() {
    count_values(kContainer);
    stack_.emplace_back().held = std::shared_ptr<Items>(std::make_shared<Built<Items>>());
  }
  // Every list, dict and object on the stack was made by push_new.
  template <class Items>
  static Built<Items>* built(const PythonValue& value) {
    const auto* held = value.as<std::shared_ptr<Items>>();
    return held ? static_cast<Built<Items>*>(held->get()) : nullptr;
  }
  // Of what it holds, if that is a list, dict or object.
  static const void* address_of(const PythonValue& value) {
    if (const auto* list = built<PythonList>(value)) return list;
    if (const auto* dict = built<PythonDict>(value)) return dict;
    return built<PythonObject>(value);
  }
  static int& places_of(const PythonValue& value) {
    if (auto* list = built<PythonList>(value)) return list->places;
    if (auto* dict = built<PythonDict>(value)) return dict->places;
    auto* object = built<PythonObject>(value);
    if (!object) malformed();
    return object->places;
  }
  template <class Items>
  Built<Items>* top_if() {
    return stack_.empty() ? nullptr : built<Items>(stack_.back());
  }
  template <class Items>
  Built<Items>& top() {
    auto* items = top_if<Items>();
    if (!items) malformed();
    return *items;
  }
  template <class Items>
  void place(PythonValue& item, Built<Items>& into);
  template <class Items>
  void set(Built<Items>& into, PythonDict& items, PythonValue key, PythonValue item);
  void add_attributes(const PythonValue& attributes);
  void remember(std::size_t key);
  void replace_top(const Built<PythonObject>& object);
  void break_cycles(PythonList& items);
  void take_out(const void* whole, PythonValue& from, std::set<const void*>& seen);

  const std::uint64_t most_values_;
  std::uint64_t values_ = 0;
  std::vector<PythonValue> stack_;
  std::vector<std::size_t> marks_;  // sizes of the stack
  const RecalledKeys recalled_;
  std::size_t next_key_ = 0;
  bool has_own_keys_ = false;
  std::unordered_map<std::size_t, PythonValue> memo_;  // what is recalled
};

}  // namespace sectile
