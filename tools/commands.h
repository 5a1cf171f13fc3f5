// Every group of commands: each adds its own.
#pragma once

#include "tools/command.h"

namespace esdb::tools {

void add_append(Commands& commands);
void add_read(Commands& commands);  // read, subscribe, get, count
void add_import(Commands& commands);
void add_export(Commands& commands);
void add_copy(Commands& commands);
void add_looking(
    Commands& commands);  // streams, info, types, categories, tags, tracking, stats, ping
void add_verify(Commands& commands);
void add_inspect(Commands& commands);
void add_rebuild_index(Commands& commands);
void add_repair(Commands& commands);
void add_doctor(Commands& commands);
void add_bench(Commands& commands);
void add_completion(Commands& commands);

}  // namespace esdb::tools
