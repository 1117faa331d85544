// Tables of text with aligned columns.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <vector>

namespace sectile {

class TextTable {
 public:
  // right: columns of numbers, aligned at the right.
  TextTable(std::vector<std::string> head, std::set<std::size_t> right)
      : rows_{std::move(head)}, right_(std::move(right)) {}
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  std::size_t rows() const { return rows_.size() - 1; }  // without the head
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
  std::set<std::size_t> right_;
};

}  // namespace sectile
