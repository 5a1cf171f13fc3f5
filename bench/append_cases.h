// Cases of appends, in this process or through a server.
#pragma once

#include "bench/site.h"
#include "bench/suite.h"

namespace esdb::bench {

// One caller, one event at a time, in company of nobody or of a busy neighbour.
void add_one_at_a_time(Suite& suite, const Where& where);
// Sizes, callers, payloads and checks, each with each.
void add_append_matrix(Suite& suite, const Where& where);
// Many in flight, one event each, on one connection.
void add_in_flight(Suite& suite, const Where& where);
// 64 connections, which a store in this process does not have.
void add_connections(Suite& suite, const Where& where);
// 512 events an append, to one stream and to many.
void add_bulk(Suite& suite, const Where& where);
// An append until a live subscriber has its event, at rest and under load.
void add_deliveries(Suite& suite, const Where& where);

}  // namespace esdb::bench
