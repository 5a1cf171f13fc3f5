// Cases of a history brought in by esctl. ESDB_BENCH_HISTORY names the file: lines as `esctl
// export` writes them.
#pragma once

#include "bench/suite.h"

namespace esdb::bench {

void add_imports(Suite& suite);

}  // namespace esdb::bench
