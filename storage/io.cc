#include "storage/io.h"

#include <cstring>

namespace esdb::storage {

std::string to_string(IoError error) {
  char text[128] = {};
  return std::string(::strerror_r(error.number, text, sizeof(text))) + " (" +
         std::to_string(error.number) + ")";
}

}  // namespace esdb::storage
