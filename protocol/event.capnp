# An event as its author encodes it: once. These bytes are hashed, sent, stored and given back as
# they are (protocol/encoded_event.h has the rules of the one accepted layout).
#
# An encoded event is one segment without a segment table: the root pointer first, then the struct,
# then what it points to in the order of the fields below, without gaps. An empty text, list or blob
# is a null pointer.
@0xd2a1c7a85e0f4b63;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("esdb::protocol");

struct Event {
  idHigh @0 :UInt64;       # the UUID's first 8 bytes, read as a big-endian number
  idLow @1 :UInt64;        # its last 8
  time @2 :Int64;          # the author's, nanoseconds since 1970 UTC; meaningful with hasTime
  hasTime @3 :Bool;
  contentType @4 :UInt16;  # of data: a number of ContentType; 0 = named in otherContentType
  stream @5 :Text;
  type @6 :Text;
  data @7 :Data;
  metadata @8 :Data;
  tags @9 :List(Text);     # sorted by bytes, none twice
  otherContentType @10 :Text;
}

# The common content types, by number. Numbers are never used again.
const contentTypes :List(Text) = [
  "",                          # 0: see otherContentType
  "application/json",          # 1: what an empty NewEvent::content_type means
  "application/octet-stream",  # 2
  "text/plain",                # 3
  "application/cbor",          # 4
  "application/x-protobuf",    # 5
  "application/x-capnp",       # 6
  "application/xml",           # 7
  "application/cloudevents+json"  # 8
];

# What an append asks for: one message, one segment without a segment table, carried as Data.
struct Append {
  events @0 :List(Data);  # encoded events
  checks @1 :List(Check);
  tracking @2 :List(Tracking);

  struct Check {
    union {
      stream :group {
        name @0 :Text;
        expect :union {
          none @1 :Void;
          exists @2 :Void;
          version @3 :UInt64;
          any @7 :Void;        # always holds; keeps its place, so that violations name their check
        }
      }
      unchanged :group {
        query @4 :Query;
        after @5 :UInt64;
      }
      absent @6 :Query;
    }
  }
  struct Tracking {
    source @0 :Text;
    position @1 :UInt64;
    after @2 :UInt64;    # what must be stored before; meaningful with hasAfter
    hasAfter @3 :Bool;
  }
}

# include/esdb/query.h has the meaning.
struct Query {
  items @0 :List(Item);
  struct Item {
    streams @0 :List(Text);
    categories @1 :List(Text);
    types @2 :List(Text);
    tags @3 :List(Text);
  }
}
