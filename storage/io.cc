#include "storage/io.h"

#include <cerrno>
#include <cstring>

namespace esdb::storage {

std::string to_string(IoError error) {
  char text[128] = {};
  return std::string(::strerror_r(error.number, text, sizeof(text))) + " (" +
         std::to_string(error.number) + ")";
}

bool is_passing(IoError error) {
  return error.number == EMFILE || error.number == ENFILE || error.number == ENOMEM ||
         error.number == EINTR || error.number == EAGAIN;
}

bool is_full(IoError error) {
  return error.number == ENOSPC || error.number == EDQUOT || error.number == EFBIG;
}

}  // namespace esdb::storage
