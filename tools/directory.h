// A store's directory as it is seen before it is opened: what a user can mend is told here, in a
// user's words. What opening finds wrong is the store's.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "tools/command.h"

namespace esdb::tools {

// Whether a URL names a directory, and no server and no memory.
bool is_directory_url(std::string_view url);

// Whether something lies at a path. Where that cannot be seen, "no" would be a guess: kDenied, with
// what to do.
Result<bool> is_there(const std::filesystem::path& path, std::string_view what_to_do);

// Whether a store lies in this directory (or can be made there, kWrite), and this user may use all
// of it: kDenied with the first file that this user may not.
Result<void> check_directory(const std::string& directory, Purpose purpose);

}  // namespace esdb::tools
