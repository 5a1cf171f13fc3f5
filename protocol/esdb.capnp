# What client and server say to each other (docs/protocol.md has the order and the rules).
#
# A connection is two-party Cap'n Proto RPC; its bootstrap capability is Bootstrap. What fails is an
# Error inside a result, never an RPC exception: exceptions mean that the connection, or the program
# at its other end, is broken.
@0xb81b3244acbcd4bf;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("esdb::protocol");

using Query = import "event.capnp".Query;

# The versions of this protocol that this schema describes. A version changes when a peer that does
# not know of the change would misunderstand; adding a field or a method changes nothing.
const protocolVersionMin :UInt16 = 1;
const protocolVersionMax :UInt16 = 1;

# All that a stranger is offered.
interface Bootstrap {
  # First, within seconds of connecting.
  hello @0 Hello -> HelloResult;
  # Second. May be sent without waiting for the answer to hello.
  authenticate @1 Credentials -> AuthenticateResult;
}

struct Hello {
  versionMin @0 :UInt16;
  versionMax @1 :UInt16;
  client @2 :Text;  # for the server's log: a program's name and version
}

struct HelloResult {
  union {
    error @0 :Error;
    server @1 :Server;
  }
  struct Server {
    version @0 :UInt16;  # of the protocol: the highest that both speak
    program @1 :Text;    # "esdb-server 0.1.0"
    storeId @2 :Text;
    epochId @3 :Text;
    limits @4 :Limits;
  }
}

# What the server accepts, so that a client can say so before it sends.
struct Limits {
  eventBytes @0 :UInt64;    # of one encoded event
  appendBytes @1 :UInt64;   # of an append's encoded events
  messageBytes @2 :UInt64;  # of one message on the wire, checks and framing included
  batchBytes @3 :UInt64;    # what next() gives at the most (one larger event is given alone)
  calls @4 :UInt32;         # unanswered calls of one connection
  cursors @5 :UInt32;       # open cursors of one connection
}

struct Credentials {
  union {
    peer @0 :Void;   # who the kernel says is calling: a Unix socket, or the loopback
    token @1 :Data;  # not yet served
  }
}

struct AuthenticateResult {
  union {
    error @0 :Error;
    session @1 :Session;
  }
}

# Everything else. Appends of one session are taken up in the order in which they were sent.
interface Session {
  append @0 (append :Data, timeoutMs :UInt64) -> AppendResult;  # append: event.capnp, struct Append

  # Both give a cursor at once; what is wrong with the request is said by its first next().
  read @1 (query :Query, options :ReadOptions) -> (cursor :Cursor);
  subscribe @2 (query :Query, start :Start) -> (cursor :Cursor);

  streamInfo @3 (stream :Text) -> StreamInfoResult;
  streams @4 (prefix :Text, after :Text, limit :UInt64) -> StreamsResult;
  terms @5 (kind :TermKind, prefix :Text, after :Text, limit :UInt64) -> TermsResult;
  count @6 (query :Query, after :UInt64) -> NumberResult;
  tracked @7 (source :Text) -> NumberResult;
  tracking @8 (prefix :Text, after :Text, limit :UInt64) -> TrackingResult;
  statistics @9 () -> StatisticsResult;
}

# A reader's place, kept by the server as long as the capability is held. It sends nothing unasked.
interface Cursor {
  # Calls may be pipelined; they are answered in order. The wait is shortened to what the server
  # allows, and then answered with an empty batch.
  next @0 (maxBytes :UInt64, waitMs :UInt64) -> NextResult;
  # Ends the wait of the next() that is being served, which answers `cancelled`.
  cancel @1 ();
}

struct Error {
  code @0 :UInt16;  # esdb/error.h: the numbers never change
  message @1 :Text;
  violations @2 :List(Violation);
  detail @3 :Data;

  struct Violation {
    check @0 :UInt64;  # index in the append's checks; all ones: a tracking position
    what @1 :Text;
    actual @2 :UInt64;
    conflicting @3 :UInt64;
  }
}

struct AppendResult {
  union {
    error @0 :Error;
    appended @1 :Appended;
  }
}

struct Appended {
  first @0 :UInt64;
  last @1 :UInt64;
  committed @2 :Int64;  # nanoseconds since 1970 UTC, as every time here
  repeated @3 :Bool;
  streams @4 :List(StreamVersion);

  struct StreamVersion {
    stream @0 :Text;
    version @1 :UInt64;
  }
}

struct Checkpoint {
  storeId @0 :Text;
  epochId @1 :Text;
  position @2 :UInt64;
}

struct Start {
  union {
    beginning @0 :Void;
    end @1 :Void;
    position @2 :UInt64;
    checkpoint @3 :Checkpoint;
    version @4 :UInt64;
    time @5 :Int64;
  }
}

struct ReadOptions {
  start @0 :Start;
  backwards @1 :Bool;
  limit @2 :UInt64;
  hasUpTo @3 :Bool;
  upTo @4 :UInt64;
  hasSince @5 :Bool;
  since @6 :Int64;
  hasUntil @7 :Bool;
  until @8 :Int64;
}

struct NextResult {
  union {
    error @0 :Error;
    batch @1 :Batch;
  }
}

# Some events, in the order of reading. Their bytes lie in one blob, one behind the other, so that a
# batch is one copy on either side.
struct Batch {
  events @0 :Data;
  places @1 :List(Place);
  considered @2 :Checkpoint;
  head @3 :UInt64;
  consideredTime @4 :Int64;
  headTime @5 :Int64;
  finished @6 :Bool;
  version @7 :UInt64;

  struct Place {
    position @0 :UInt64;
    version @1 :UInt64;
    committed @2 :Int64;
    bytes @3 :UInt32;    # of the encoded event
    ordinal @4 :UInt32;  # its place in its append, from 0, times 2; plus 1: it ends its append
  }
}

struct StreamInfo {
  name @0 :Text;
  version @1 :UInt64;
  firstVersion @2 :UInt64;
  lastPosition @3 :UInt64;
  lastCommitted @4 :Int64;
}

struct StreamInfoResult {
  union {
    error @0 :Error;
    info @1 :StreamInfo;
  }
}

struct StreamsResult {
  union {
    error @0 :Error;
    page @1 :Page;
  }
  struct Page {
    streams @0 :List(StreamInfo);
    next @1 :Text;
  }
}

enum TermKind {
  category @0;
  type @1;
  tag @2;
}

struct TermsResult {
  union {
    error @0 :Error;
    page @1 :Page;
  }
  struct Page {
    terms @0 :List(Term);
    next @1 :Text;
  }
  struct Term {
    text @0 :Text;
    events @1 :UInt64;
    last @2 :UInt64;
  }
}

struct NumberResult {
  union {
    error @0 :Error;
    number @1 :UInt64;
  }
}

struct TrackingResult {
  union {
    error @0 :Error;
    page @1 :Page;
  }
  struct Page {
    sources @0 :List(Source);
    next @1 :Text;
  }
  struct Source {
    source @0 :Text;
    position @1 :UInt64;
  }
}

struct StatisticsResult {
  union {
    error @0 :Error;
    statistics @1 :Statistics;
  }
}

struct Statistics {
  storeId @0 :Text;
  epochId @1 :Text;
  state @2 :Text;
  io @3 :Text;
  durable @4 :UInt64;
  indexed @5 :UInt64;
  events @6 :UInt64;
  streams @7 :UInt64;
  bytes @8 :UInt64;
  segments @9 :UInt64;
  lastCommitted @10 :Int64;
  clockBehind @11 :Int64;  # nanoseconds
  damagedSegments @12 :UInt64;
}
