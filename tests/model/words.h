// The words of a random history: few names, so that they collide all the time.
//
// Threads: functions, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "esdb/append.h"
#include "esdb/cursor.h"
#include "esdb/event_store.h"
#include "esdb/query.h"
#include "tests/model/chance.h"

namespace esdb::model {

std::string random_stream(Chance& chance);
std::string random_source(Chance& chance);
// A prefix of the names there are, or of none.
std::string random_prefix(Chance& chance);
NewEvent random_event(Chance& chance);
Query random_query(Chance& chance);

// What is drawn depends on how far the log has come: `now` answers what is asked of it.
AppendRequest random_append(Chance& chance, EventStore& now);
// As `earlier`, or nearly.
AppendRequest random_retry(Chance& chance, const AppendRequest& earlier);

ReadOptions random_read(Chance& chance, EventStore& now, const Query& query);
Start random_start(Chance& chance, EventStore& now, const Query& query);

}  // namespace esdb::model
