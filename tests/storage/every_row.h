// Every row of some trees of an index, as bytes: whether two indexes hold the same.
#pragma once

#include <initializer_list>
#include <map>
#include <string>
#include <utility>

#include "storage/index_environment.h"

namespace esdb::storage {

using Rows = std::map<std::pair<Tree, std::string>, std::string>;

inline Rows every_row(const Environment& environment, std::initializer_list<Tree> trees) {
  const auto text = [](Bytes bytes) {
    return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  };
  Rows rows;
  const auto transaction = Transaction::begin(environment, Transaction::Kind::kRead).value();
  for (const auto tree : trees) {
    auto cursor = transaction.cursor(tree).value();
    for (bool found = cursor.first().value(); found; found = cursor.next().value())
      rows[{tree, text(cursor.key())}] = text(cursor.value());
  }
  return rows;
}

}  // namespace esdb::storage
