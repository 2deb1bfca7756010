#pragma once
// What travels between terminal-holder and the one service that is connected to it.
//
// A UNIX socket of type SOCK_SEQPACKET, `holder.sock` in TERMINAL_STATE_DIR: one message, one
// packet. Every packet begins with a Header; descriptors travel beside it by SCM_RIGHTS. Numbers
// are in the machine's byte order: both ends run on the same one. docs/holder.md is this in prose.
// libc only: the holder includes it.

#include <stddef.h>
#include <stdint.h>

namespace term::holder {

/// Both sides say theirs in the first message; a holder serves its own version and the one before.
inline constexpr uint32_t kVersion = 1;

inline constexpr size_t kMaxPacket = 160 * 1024;  ///< Larger ones are refused.
inline constexpr size_t kMaxFds = 253;            ///< In one packet: SCM_MAX_FD.
inline constexpr size_t kMaxSessions = 65536;     ///< Slots are 0..65535.
inline constexpr size_t kMaxNamed = 256;          ///< Descriptors kept by name.
inline constexpr size_t kMaxTag = 128;            ///< A session's id, without the NUL.
inline constexpr size_t kMaxName = 31;
inline constexpr size_t kMaxStrings = 128 * 1024;  ///< Directory, argv and environment together.

enum class Type : uint32_t {
  // From the service; each is answered by exactly one of its answers unless it says otherwise.
  hello = 1,    ///< Hello. Answer: welcome or refused.
  spawn = 2,    ///< Spawn, then strings. Answer: spawned (with the pty) or failed.
  list = 3,     ///< Header only. Answer: held packets (with ptys), then listed.
  release = 4,  ///< Slot. Forgets the session, closes its pty. Answer: done or failed.
  signal = 5,   ///< Signal. To the child's process group. Answer: done or failed.
  keep = 6,     ///< Name, with one descriptor; replaces one of that name. Answer: done or failed.
  fetch = 7,    ///< Header only. Answer: named packets (with descriptors), then listed.
  drop = 8,     ///< Name. Answer: done or failed.
  adopt = 9,    ///< Adopt, with the pty: a child of a holder that is gone. Answer: done or failed.
  upgrade =
      10,    ///< A path, NUL-terminated; empty = its own. Answer: failed, or the connection ends.
  end = 11,  ///< Header only: end every session, then yourself. Answer: done.
  // From the holder.
  welcome = 65,    ///< Welcome.
  refused = 66,    ///< Refused, then the connection ends.
  spawned = 67,    ///< Spawned.
  failed = 68,     ///< Failed.
  held = 69,       ///< Up to kMaxFds Held, their ptys in the same order.
  listed = 70,     ///< Listed.
  done = 71,       ///< Header only.
  named = 72,      ///< Up to kMaxFds Name, their descriptors in the same order.
  exited = 73,     ///< Exited, unasked (request 0): the child ended. It is held until released.
  taken_over = 74  ///< Taken, unasked: another service has taken over; the connection ends.
};

struct Header {
  Type type;
  uint32_t request;  ///< Chosen by the service, repeated in the answer; 0 in what comes unasked.
};

struct Hello {
  Header header;
  uint32_t version;
  uint32_t take_over;  ///< 1: in place of the service that is connected now, which is told.
};
struct Welcome {
  Header header;
  uint32_t version;
  int32_t pid;        ///< Of the holder.
  uint32_t sessions;  ///< Held, ended ones included.
  uint32_t named;
};
struct Refused {
  Header header;
  int32_t pid;       ///< Of the service that is connected; 0 when that is not the reason.
  uint32_t version;  ///< Of the holder.
  char text[128];
};

/// Followed by NUL-terminated strings: the directory, `argc` arguments (the first is the path of
/// the program), `envc` environment strings `NAME=value`.
struct Spawn {
  Header header;
  uint32_t slot;  ///< Free; the service chooses.
  uint16_t rows;
  uint16_t cols;
  uint32_t argc;
  uint32_t envc;
  char tag[kMaxTag + 1];
};
struct Spawned {
  Header header;
  uint32_t slot;
  int32_t pid;
  int32_t pts;  ///< The number N of /dev/pts/N.
};
struct Failed {
  Header header;
  int32_t error;   ///< errno; EINVAL for a request that makes no sense.
  char text[200];  ///< What failed, without the errno's text.
};

/// How a child ended.
struct Exit {
  uint32_t ended;  ///< 0: it runs.
  uint32_t known;  ///< 0: it was nobody's child, so nobody can tell.
  int32_t code;    ///< -1 when a signal ended it.
  int32_t signal;  ///< 0 when it exited by itself.
  int64_t at_ms;   ///< Milliseconds since the epoch.
};
struct Held {
  uint32_t slot;
  int32_t pid;
  int32_t pts;
  uint32_t padding;
  Exit exit;
  char tag[kMaxTag + 1];
};
struct Listed {
  Header header;
  uint32_t count;  ///< Sessions or names sent in all packets together.
};
struct Exited {
  Header header;
  uint32_t slot;
  int32_t pid;
  Exit exit;
};
struct Taken {
  Header header;
  int32_t pid;  ///< Of the service that took over.
};

struct Slot {
  Header header;
  uint32_t slot;
};
struct Signal {
  Header header;
  uint32_t slot;
  int32_t signal;
};
struct Name {
  char name[kMaxName + 1];
};
struct Named {
  Header header;
  Name name;
};
struct Adopt {
  Header header;
  uint32_t slot;
  int32_t pid;
  int32_t pts;
  char tag[kMaxTag + 1];
};

}  // namespace term::holder
