#include "pickle_stack.h"

#include <iterator>
#include <stdexcept>

namespace sectile {
namespace {

const char* const kState = "<state>";  // of an object that has no attributes
const char* const kArray = "<array>";  // the tensor that an object of numpy became
const std::string kSaveStateDict = "save the weights alone in Python: torch.save(model.state_dict(), \"new.pth\")";

}  // namespace

void PickleStack::malformed() { throw std::runtime_error("is damaged: its pickle is not well formed"); }

void PickleStack::count_values(std::uint64_t count) {
  values_ += count;
  if (values_ > most_values_)
    throw std::runtime_error("has more than " + std::to_string(most_values_) +
                             " values, which a network of its size does not need; " + kSaveStateDict);
}

void PickleStack::forget(PythonValue value) {
  if (value.as<PythonText>()) {
    if (value.as<PythonText>()->use_count() == 1) values_ -= cost_of(*value.as<std::string>());
  } else if (auto* list = built<PythonList>(value)) {
    if (value.as<std::shared_ptr<PythonList>>()->use_count() > 1) return;
    values_ -= kContainer;
    for (auto& item : *list) forget(std::move(item));
  } else if (auto* dict = built<PythonDict>(value)) {
    if (value.as<std::shared_ptr<PythonDict>>()->use_count() == 1 && dict->empty()) values_ -= kContainer;
  } else if (const auto* object = built<PythonObject>(value)) {
    const bool is_bare = object->arguments.empty() && object->attributes.empty();
    if (value.as<std::shared_ptr<PythonObject>>()->use_count() == 1 && is_bare) values_ -= kObject;
  } else {
    values_ -= 1;
  }
}

void PickleStack::push(PythonValue value) {
  count_values(value.as<PythonText>() ? kText : 1);
  stack_.push_back(std::move(value));
}

void PickleStack::push_text(std::string_view text) {
  count_values(cost_of(text) - kText);
  push(std::string(text));
}

void PickleStack::push_list(PythonList items) {
  push_new<PythonList>();
  auto& into = top<PythonList>();
  for (auto& item : items) place(item, into);
  static_cast<PythonList&>(into) = std::move(items);
}

void PickleStack::push_object(std::string name, bool instance) {
  count_values(kObject - kContainer + name.size() / kBytesOfValue);
  push_new<PythonObject>();
  auto& made = top<PythonObject>();
  made.name = std::move(name);
  made.instance = instance;
}

void PickleStack::push_made(const std::string& name, const Made& made) {
  const auto& result = made.value;
  if (!made.unread.empty()) {
    push_object(name, true);
    return set(kUnread, made.unread);
  }
  if (const auto* list = result.list()) {
    count_values(list->size());
    return push_list(*list);
  }
  const auto* dict = result.dict();
  if (!dict) return push(result);
  count_values(2 * dict->size());
  push_dict();
  for (const auto& [key, item] : *dict) set(key, item);
}

PythonValue PickleStack::pop() {
  if (stack_.size() == (marks_.empty() ? 0 : marks_.back())) malformed();
  auto value = std::move(stack_.back());
  stack_.pop_back();
  return value;
}

void PickleStack::mark() {
  count_values(1);
  marks_.push_back(stack_.size());
}

PythonList PickleStack::to_mark() {
  if (marks_.empty()) malformed();
  const auto first = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
  PythonList items(std::make_move_iterator(first), std::make_move_iterator(stack_.end()));
  stack_.erase(first, stack_.end());
  marks_.pop_back();
  values_ -= 1;
  return items;
}

void PickleStack::tuple(std::size_t count) {
  PythonList items(count);
  for (std::size_t i = count; i-- > 0;) items[i] = pop();
  push_list(std::move(items));
}

// What the top of the stack gets next may mention it, also deep inside: such a mention is left out, so that nothing
// contains itself.
void PickleStack::break_cycles(PythonList& items) {
  if (stack_.empty()) malformed();
  const auto* whole = address_of(stack_.back());
  std::set<const void*> seen;
  for (auto& item : items)
    if (address_of(item) == whole)
      item = {};
    else if (places_of(stack_.back()) > 0)
      take_out(whole, item, seen);
  if (const auto* object = built<PythonObject>(stack_.back()); object && object->places > 0) replace_top(*object);
}

// By a copy: values that calls have used up mention the object, and what still does keeps it as it is now.
void PickleStack::replace_top(const Built<PythonObject>& object) {
  count_values(kObject + object.arguments.size() + 2 * object.attributes.size() + memo_.size() / kMemoPerValue);
  auto copy = std::make_shared<Built<PythonObject>>(object);
  copy->places = 0;
  PythonValue value;
  value.held = std::shared_ptr<PythonObject>(std::move(copy));
  for (auto& [key, entry] : memo_)
    if (address_of(entry) == &object) entry = value;
  stack_.back() = value;
}

void PickleStack::take_out(const void* whole, PythonValue& from, std::set<const void*>& seen) {
  if (!address_of(from) || !seen.insert(address_of(from)).second) return;
  count_values(kMemo);
  const auto out = [&](PythonValue& item) {
    if (address_of(item) != whole) return take_out(whole, item, seen);
    item = {};
    --places_of(stack_.back());
  };
  if (auto* list = built<PythonList>(from))
    for (auto& item : *list) out(item);
  const auto each = [&](PythonDict& items) {
    for (auto& [key, item] : items) out(key), out(item);
  };
  if (auto* dict = built<PythonDict>(from)) each(*dict);
  if (auto* object = built<PythonObject>(from)) {
    for (auto& item : object->arguments) out(item);
    each(object->attributes);
  }
}

template <class Items>
void PickleStack::place(PythonValue& item, Built<Items>& into) {
  const auto put = [&](auto* inner) {
    if (!inner) return;
    ++inner->places;
    into.depth = std::max(into.depth, inner->depth + 1);
  };
  put(built<PythonList>(item)), put(built<PythonDict>(item)), put(built<PythonObject>(item));
  if (into.places > 0) throw std::runtime_error("changes a list or dict that is inside another one; " + kSaveStateDict);
  if (into.depth > kDeepest) throw std::runtime_error("is nested more than " + std::to_string(kDeepest) + " deep");
}

void PickleStack::append_items(PythonList items) {
  break_cycles(items);
  auto* object = top_if<PythonObject>();
  if (object && !object->instance) malformed();
  for (auto& item : items)
    if (object)
      place(item, *object), object->arguments.push_back(std::move(item));
    else
      place(item, top<PythonList>()), top<PythonList>().push_back(std::move(item));
}

template <class Items>
void PickleStack::set(Built<Items>& into, PythonDict& items, PythonValue key, PythonValue item) {
  place(key, into), place(item, into);
  items.emplace_back(std::move(key), std::move(item));
}

void PickleStack::set(PythonValue key, PythonValue item) {
  if (auto* object = top_if<PythonObject>())  // of a class like dict
    return set(*object, object->attributes, std::move(key), std::move(item));
  auto& into = top<PythonDict>();
  set(into, into, std::move(key), std::move(item));
}

void PickleStack::set_items(PythonList items) {
  if (items.size() % 2) malformed();
  break_cycles(items);
  for (std::size_t i = 0; i < items.size(); i += 2) set(std::move(items[i]), std::move(items[i + 1]));
}

void PickleStack::set_arguments(const PythonList& arguments) {
  count_values(arguments.size());
  auto& into = top<PythonObject>();
  for (auto argument : arguments) {
    place(argument, into);
    into.arguments.push_back(std::move(argument));
  }
}

void PickleStack::add_attributes(const PythonValue& attributes) {
  const auto* dict = attributes.dict();
  if (!dict) return;
  count_values(2 * dict->size());
  for (const auto& [key, item] : *dict) set(key, item);
}

// Attributes. Those of a list, a dict, such as a state dict's _metadata, or a tensor do not matter.
void PickleStack::build(PythonValue state) {
  if (stack_.empty()) malformed();
  const auto* object = top_if<PythonObject>();
  if (!object || !object->instance) return;
  PythonList parts{std::move(state)};
  break_cycles(parts);
  object = top_if<PythonObject>();  // which may be another one now
  state = std::move(parts[0]);
  if (const auto array = array_of(*object, state, [this](std::uint64_t values) { count_values(values); })) {
    if (!array->unread.empty()) return set(kUnread, array->unread);
    set(kArray, array->value);  // for those who recall the object
    stack_.back() = array->value;
    return;
  }
  add_attributes(state);
  if (const auto* pair = state.list(); pair && pair->size() == 2)  // with slots
    add_attributes((*pair)[0]), add_attributes((*pair)[1]);
  if (object->attributes.empty()) set(kState, std::move(state));
}

// Python counts the entries so far; one that has got a key of its own would be among them.
void PickleStack::remember_next() {
  if (has_own_keys_) throw std::runtime_error("numbers its memo entries in two ways; " + kSaveStateDict);
  remember(next_key_++);
}

void PickleStack::remember_as(std::size_t key) {
  has_own_keys_ = true;
  remember(key);
}

void PickleStack::remember(std::size_t key) {
  if (stack_.empty()) malformed();
  if (!recalled_.contains(key)) return;
  count_values(kMemo);
  memo_[key] = stack_.back();
}

void PickleStack::recall(std::size_t key) {
  const auto found = memo_.find(key);
  if (found == memo_.end()) malformed();
  const auto* object = found->second.object();
  const bool is_array = object && object->attributes.size() == 1;
  const auto* array = is_array ? found->second.find(kArray) : nullptr;
  count_values(1);
  stack_.push_back(array ? *array : found->second);
}

}  // namespace sectile
