// Diagnosis: what of a machine weakens what a store promises, and what to do about it.
//
// Threads: plain data and functions; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "storage/machine_facts.h"

namespace esdb::storage {

struct Finding {
  enum class Grade : std::uint8_t {
    kOk,
    kWarning,  // slower, or less certain, than it could be
    kProblem,  // what is acknowledged may be lost, or the store cannot work
  };
  std::string check{};
  Grade grade{};
  std::string what{};    // what was found, and what it means
  std::string remedy{};  // empty where it is well
};
std::string_view to_string(Finding::Grade grade);

std::vector<Finding> diagnose(const MachineFacts& facts);

}  // namespace esdb::storage
